//! Reading values: one, several, all below a path, and those that were before.

use std::ops::ControlFlow;

use fogbank_core::store::Read;
use fogbank_core::{Cx, Fault, ReadTx, Timestamp, Tx, page};

use crate::error::Error;
use crate::model::{
    self, GetParameterHistoryInput, GetParameterHistoryOutput, GetParameterInput,
    GetParameterOutput, GetParametersByPathInput, GetParametersByPathOutput, GetParametersInput,
    GetParametersOutput, ParameterHistory, ParameterType,
};
use crate::rules::filters::{self, Filter};
use crate::rules::names::{self, Named};
use crate::store::{self, PARAMETERS, Parameter, ParameterKey, VERSIONS, Version, version_key};
use crate::{metadata, published, references, sealing};

/// How many parameters a page has when it is not told.
const PATH_PAGE: i32 = 10;
const HISTORY_PAGE: i32 = 50;
/// How many parameters one page looks at, whether they pass its filters or not.
const LOOKED_AT: usize = 5_000;

/// A version that was found.
pub(crate) struct Found {
    key: ParameterKey,
    number: u64,
    version: Version,
    /// What selected it, with the colon.
    selector: Option<String>,
}

impl Found {
    fn new(rows: &(impl Read + ?Sized), named: &Named) -> Result<Found, Error> {
        let (key, parameter) = store::find(rows, named)?;
        let Some(selector) = &named.selector else {
            let version = store::latest(rows, &key, &parameter)?;
            return Ok(Found { number: parameter.latest, version, selector: None, key });
        };
        let missing = || Error::ParameterVersionNotFound(selector.clone(), key.2.clone());
        let (number, version) = match selector.parse::<u64>() {
            Ok(number) => {
                let version = VERSIONS.get(rows, &version_key(&key, number))?;
                (number, version.ok_or_else(missing)?)
            }
            Err(_) => labelled(rows, &key, selector)?.ok_or_else(missing)?,
        };
        Ok(Found { key, number, version, selector: Some(format!(":{selector}")) })
    }

    async fn shown(self, cx: &Cx, is_decrypted: bool) -> Result<model::Parameter, Error> {
        let value = sealing::shown(cx, &self.key, &self.version, is_decrypted).await?;
        Ok(model::Parameter {
            arn: Some(store::arn_of(&self.key)),
            name: Some(self.key.2),
            r#type: ParameterType::from_name(&self.version.kind),
            value: Some(value),
            version: i64::try_from(self.number).ok(),
            selector: self.selector,
            source_result: None,
            last_modified_date: Some(Timestamp::from_millis(self.version.modified_millis)),
            data_type: Some(self.version.data_type),
        })
    }
}

/// The version of a parameter that has a label.
pub(crate) fn labelled(
    rows: &(impl Read + ?Sized),
    key: &ParameterKey,
    label: &str,
) -> Result<Option<(u64, Version)>, Error> {
    let mut found = None;
    VERSIONS.scan(rows, key, |(.., number), version| {
        if version.labels.iter().any(|known| known == label) {
            found = Some((number, version));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Reads a parameter, or a secret by way of Parameter Store.
pub(crate) async fn get(cx: &Cx, input: GetParameterInput) -> Result<GetParameterOutput, Error> {
    let is_decrypted = input.with_decryption.unwrap_or_default();
    let parameter = one(cx, &input.name, is_decrypted).await?;
    Ok(GetParameterOutput { parameter: Some(parameter) })
}

async fn one(cx: &Cx, name: &str, is_decrypted: bool) -> Result<model::Parameter, Error> {
    if let Some(secret) = references::secret_of(name) {
        return references::read(cx, name, secret, is_decrypted).await;
    }
    let named = Named::parse(name, cx.account(), cx.region());
    if let Some(name) = named.names.first().filter(|name| published::is_public(name)) {
        return public(name, &named);
    }
    let found = cx.read(|tx| Found::new(tx, &named))?;
    found.shown(cx, is_decrypted).await
}

/// Reads a parameter that AWS publishes.
fn public(name: &str, named: &Named) -> Result<model::Parameter, Error> {
    let found = published::find(name, &named.region).ok_or(Error::ParameterNotFound)?;
    match &named.selector {
        None => Ok(found.shown(&named.region, None)),
        Some(one) if one == "1" => Ok(found.shown(&named.region, Some(":1".to_owned()))),
        Some(other) => Err(Error::ParameterVersionNotFound(other.clone(), name.to_owned())),
    }
}

/// Reads parameters, and tells which there are not.
pub(crate) async fn get_several(
    cx: &Cx,
    input: GetParametersInput,
) -> Result<GetParametersOutput, Error> {
    let is_decrypted = input.with_decryption.unwrap_or_default();
    let mut names = input.names;
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        // AWS's words are not known.
        return Err(Error::invalid(format!("The parameter {} is listed more than once.", pair[0])));
    }
    let (mut parameters, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        match one(cx, &name, is_decrypted).await {
            Ok(parameter) => parameters.push(parameter),
            Err(Error::ParameterNotFound | Error::ParameterVersionNotFound(..)) => {
                invalid.push(name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(GetParametersOutput { parameters: Some(parameters), invalid_parameters: Some(invalid) })
}

/// Reads the parameters below a path.
pub(crate) async fn by_path(
    cx: &Cx,
    input: GetParametersByPathInput,
) -> Result<GetParametersByPathOutput, Error> {
    names::check_path(&input.path)?;
    let filters = filters::parse(input.parameter_filters.as_deref().unwrap_or_default(), true)?;
    if published::is_public(&input.path) {
        return public_by_path(cx.region(), &input);
    }
    let query = PathQuery {
        path: &input.path,
        is_recursive: input.recursive.unwrap_or_default(),
        filters: &filters,
        after: page_after(input.next_token.as_deref())?,
        limit: usize::try_from(input.max_results.unwrap_or(PATH_PAGE)).unwrap_or(1),
    };
    let (found, next_token) = cx.read(|tx| query.page(tx))?;
    let is_decrypted = input.with_decryption.unwrap_or_default();
    let mut parameters = Vec::with_capacity(found.len());
    for found in found {
        parameters.push(found.shown(cx, is_decrypted).await?);
    }
    Ok(GetParametersByPathOutput { parameters: Some(parameters), next_token })
}

/// Reads what AWS publishes below a path. Filters by type, key and label fit none or all of it.
fn public_by_path(
    region: &str,
    input: &GetParametersByPathInput,
) -> Result<GetParametersByPathOutput, Error> {
    if input.parameter_filters.as_ref().is_some_and(|filters| !filters.is_empty()) {
        let what = "GetParametersByPath with ParameterFilters on public parameters";
        return Err(Fault::not_implemented("ssm", what).into());
    }
    let after = page_after(input.next_token.as_deref())?;
    let limit = usize::try_from(input.max_results.unwrap_or(PATH_PAGE)).unwrap_or(1);
    let is_recursive = input.recursive.unwrap_or_default();
    let mut found = published::all(region).into_iter().filter(|published| {
        names::is_under(published.name(), &input.path, is_recursive)
            && after.as_ref().is_none_or(|after| published.name() > after.as_str())
    });
    let page: Vec<_> = found.by_ref().take(limit).collect();
    let last = page.last().map(|last| page::text_token(last.name()));
    let next_token = last.filter(|_| found.next().is_some());
    let parameters = page.into_iter().map(|published| published.shown(region, None)).collect();
    Ok(GetParametersByPathOutput { parameters: Some(parameters), next_token })
}

struct PathQuery<'a> {
    path: &'a str,
    is_recursive: bool,
    filters: &'a [Filter],
    after: Option<String>,
    limit: usize,
}

impl PathQuery<'_> {
    fn page(&self, tx: &ReadTx<'_>) -> Result<(Vec<Found>, Option<String>), Error> {
        let place = (tx.account().to_owned(), tx.region().to_owned());
        let key = |name: &str| (place.0.clone(), place.1.clone(), name.to_owned());
        // A name that does not begin with a slash lies directly below the root.
        let start = if self.path == "/" { "" } else { self.path };
        let mut range = PARAMETERS.range(&place).from(&key(start));
        if let Some(after) = &self.after {
            range = range.after(&key(after));
        }
        let mut found = Vec::new();
        let mut next_token = None;
        let (mut last, mut looked_at) = (String::new(), 0);
        range.try_visit::<Error>(tx, |key, parameter| {
            if !key.2.starts_with(start) {
                return Ok(ControlFlow::Break(()));
            }
            if found.len() == self.limit || looked_at == LOOKED_AT {
                next_token = Some(page::text_token(&last));
                return Ok(ControlFlow::Break(()));
            }
            looked_at += 1;
            last.clone_from(&key.2);
            if names::is_under(&key.2, self.path, self.is_recursive) {
                found.extend(self.chosen(tx, key, &parameter)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((found, next_token))
    }

    /// The version that passes the filters: with a label it need not be the newest.
    fn chosen(
        &self,
        tx: &ReadTx<'_>,
        key: ParameterKey,
        parameter: &Parameter,
    ) -> Result<Option<Found>, Error> {
        if !self.filters.iter().any(Filter::is_label) {
            let version = store::latest(tx, &key, parameter)?;
            let passes = filters::passes(self.filters, &key.2, parameter, &version);
            let number = parameter.latest;
            return Ok(passes.then_some(Found { key, number, version, selector: None }));
        }
        let mut versions = VERSIONS.list(tx, &key)?;
        versions.retain(|(_, version)| filters::passes(self.filters, &key.2, parameter, version));
        let chosen = versions.pop();
        Ok(chosen.map(|((.., number), version)| Found { key, number, version, selector: None }))
    }
}

/// The name after which a page begins.
pub(crate) fn page_after(token: Option<&str>) -> Result<Option<String>, Error> {
    match token.filter(|token| !token.is_empty()) {
        None => Ok(None),
        Some(token) => page::parse_text(token).map(Some).ok_or(Error::InvalidNextToken),
    }
}

/// Reads all versions of a parameter.
pub(crate) async fn history(
    cx: &Cx,
    input: GetParameterHistoryInput,
) -> Result<GetParameterHistoryOutput, Error> {
    let named = Named::parse(&input.name, cx.account(), cx.region());
    let limit = usize::try_from(input.max_results.unwrap_or(HISTORY_PAGE)).unwrap_or(1);
    let after = page_after(input.next_token.as_deref())?;
    let after = after.map(|text| text.parse::<u64>().map_err(|_| Error::InvalidNextToken));
    let after = after.transpose()?;
    let (key, parameter, (versions, has_more)) = cx.read(|tx| {
        let (key, parameter) = store::find(tx, &named)?;
        let after = after.map(|number| version_key(&key, number));
        let page = VERSIONS.page(tx, &key, after.as_ref(), limit)?;
        Ok::<_, Error>((key, parameter, page))
    })?;
    let is_decrypted = input.with_decryption.unwrap_or_default();
    let last = versions.last().map(|((.., number), _)| page::text_token(&number.to_string()));
    let mut shown = Vec::with_capacity(versions.len());
    for ((.., number), version) in versions {
        let value = sealing::shown(cx, &key, &version, is_decrypted).await?;
        let policies = (number == parameter.latest).then(|| metadata::policies(&parameter));
        shown.push(ParameterHistory {
            name: Some(key.2.clone()),
            r#type: ParameterType::from_name(&version.kind),
            tier: metadata::tier(&version),
            key_id: version.key_id,
            last_modified_date: Some(Timestamp::from_millis(version.modified_millis)),
            last_modified_user: Some(version.modified_by),
            description: version.description,
            value: Some(value),
            allowed_pattern: version.allowed_pattern,
            version: i64::try_from(number).ok(),
            labels: Some(version.labels),
            policies: Some(policies.unwrap_or_default()),
            data_type: Some(version.data_type),
        });
    }
    Ok(GetParameterHistoryOutput { parameters: Some(shown), next_token: last.filter(|_| has_more) })
}
