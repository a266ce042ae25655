//! Layers: packages that functions share, seen by them as `/opt`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::arn::{self, Arn};
use fogbank_core::store::Read;
use fogbank_core::{Cx, Fault, ReadTx, Request, Tx, WriteTx, page};

use crate::code::{self, Owner, Source};
use crate::error::{Error, invalid};
use crate::functions::{code_sha256, date, marker, page_size};
use crate::model::{
    Architecture, DeleteLayerVersionInput, DeleteLayerVersionOutput, GetLayerVersionByArnInput,
    GetLayerVersionInput, GetLayerVersionResponse, LayerVersionContentOutput,
    LayerVersionsListItem, LayersListItem, ListLayerVersionsInput, ListLayerVersionsOutput,
    ListLayersInput, ListLayersOutput, PublishLayerVersionInput, PublishLayerVersionOutput,
};
use crate::rules::runtimes;
use crate::rules::target::Target;
use crate::store::{AttachedLayer, Code, LAYER_VERSIONS, LAYERS, Layer, LayerVersion, VersionKey};

/// The most layers that a function may have.
const MAX_LAYERS: usize = 5;

/// A layer, or with a number a version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerId {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) version: Option<u64>,
}

impl LayerId {
    /// Reads a name or an ARN.
    pub(crate) fn parse(text: &str, account: &str, region: &str) -> LayerId {
        LayerId::of_arn(text).unwrap_or_else(|| LayerId {
            account: account.to_owned(),
            region: region.to_owned(),
            name: text.to_owned(),
            version: None,
        })
    }

    /// Reads an ARN.
    pub(crate) fn of_arn(text: &str) -> Option<LayerId> {
        let arn = Arn::parse(text)?;
        let mut resource = arn.resource.strip_prefix("layer:")?.split(':');
        Some(LayerId {
            account: arn.account.to_owned(),
            region: arn.region.to_owned(),
            name: resource.next()?.to_owned(),
            version: resource.next().and_then(|version| version.parse().ok()),
        })
    }

    /// The layer's ARN.
    pub(crate) fn arn(&self) -> String {
        arn::arn("lambda", &self.region, &self.account, format_args!("layer:{}", self.name))
    }

    /// The ARN of a version.
    pub(crate) fn version_arn(&self, version: u64) -> String {
        format!("{}:{version}", self.arn())
    }

    fn key(&self) -> (&str, &str, &str) {
        (&self.account, &self.region, &self.name)
    }

    fn version_key(&self, version: u64) -> (&str, &str, &str, u64) {
        (&self.account, &self.region, &self.name, version)
    }
}

/// Publishes a version of a layer; the first makes the layer.
pub(crate) async fn publish(
    cx: &Cx,
    input: PublishLayerVersionInput,
) -> Result<PublishLayerVersionOutput, Error> {
    let id = LayerId::parse(&input.layer_name, cx.account(), cx.region());
    check_runtimes(input.compatible_runtimes.as_deref())?;
    let content = input.content;
    let source = Source::of(
        content.zip_file,
        content.s3_bucket,
        content.s3_key,
        content.s3_object_version,
        None,
    )?;
    let package = code::receive(cx, source).await?;
    let version = LayerVersion {
        description: input.description.unwrap_or_default(),
        license: input.license_info,
        runtimes: input.compatible_runtimes,
        architectures: input
            .compatible_architectures
            .map(|all| all.iter().map(|it| it.as_str().to_owned()).collect()),
        created_millis: cx.request().now.millis(),
        code: Code::new(package, cx.ids()),
    };
    let number = cx
        .write(|tx| {
            let layer = LAYERS.get(tx, &id.key())?.unwrap_or(Layer { next_version: 1 });
            let number = layer.next_version;
            LAYERS.put(tx, &id.key(), &Layer { next_version: number + 1 })?;
            LAYER_VERSIONS.put(tx, &id.version_key(number), &version)?;
            Ok::<_, Error>(number)
        })
        .await?;
    let shown = shown(cx.request(), &id, number, &version);
    Ok(PublishLayerVersionOutput {
        content: shown.content,
        layer_arn: shown.layer_arn,
        layer_version_arn: shown.layer_version_arn,
        description: shown.description,
        created_date: shown.created_date,
        version: shown.version,
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
        license_info: shown.license_info,
    })
}

/// Shows a version by its name.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetLayerVersionInput,
) -> Result<GetLayerVersionResponse, Error> {
    let id = LayerId::parse(&input.layer_name, tx.account(), tx.region());
    find(tx, &id, number(input.version_number)?)
}

/// Shows a version by its ARN.
pub(crate) fn get_by_arn(
    tx: &ReadTx<'_>,
    input: GetLayerVersionByArnInput,
) -> Result<GetLayerVersionResponse, Error> {
    let id = LayerId::of_arn(&input.arn).ok_or_else(missing)?;
    let number = id.version.ok_or_else(missing)?;
    find(tx, &id, number)
}

fn find(tx: &ReadTx<'_>, id: &LayerId, number: u64) -> Result<GetLayerVersionResponse, Error> {
    let version = LAYER_VERSIONS.get(tx, &id.version_key(number))?.ok_or_else(missing)?;
    Ok(shown(tx.request(), id, number, &version))
}

fn missing() -> Error {
    Error::ResourceNotFoundException("The resource you requested does not exist.".to_owned())
}

/// Lists the layers, each with its newest version that fits.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListLayersInput) -> Result<ListLayersOutput, Error> {
    let (account, region) = (tx.account(), tx.region());
    let wanted = Wanted::new(input.compatible_runtime, input.compatible_architecture)?;
    let after =
        marker(input.marker.as_deref())?.map(|name| (account.to_owned(), region.to_owned(), name));
    let limit = page_size(input.max_items);
    let (rows, more) = LAYERS.page(tx, &(account, region), after.as_ref(), limit)?;
    let mut layers = Vec::new();
    for ((account, region, name), _) in &rows {
        let id = LayerId::parse(name, account, region);
        let mut newest = None;
        LAYER_VERSIONS.scan_rev(tx, &id.key(), |(_, _, _, number), version| {
            if wanted.fits(&version) {
                newest = Some((number, version));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some((number, version)) = newest {
            layers.push(LayersListItem {
                layer_name: Some(id.name.clone()),
                layer_arn: Some(id.arn()),
                latest_matching_version: Some(item(&id, number, &version)),
            });
        }
    }
    let last = rows.into_iter().last().filter(|_| more);
    Ok(ListLayersOutput {
        next_marker: last.map(|(key, _)| page::text_token(&key.2)),
        layers: Some(layers),
    })
}

/// Lists the versions of a layer, the newest first.
pub(crate) fn list_versions(
    tx: &ReadTx<'_>,
    input: ListLayerVersionsInput,
) -> Result<ListLayerVersionsOutput, Error> {
    let id = LayerId::parse(&input.layer_name, tx.account(), tx.region());
    let wanted = Wanted::new(input.compatible_runtime, input.compatible_architecture)?;
    let before = match marker(input.marker.as_deref())? {
        Some(number) => number.parse().map_err(|_| invalid("Invalid marker"))?,
        None => u64::MAX,
    };
    let limit = page_size(input.max_items);
    let mut versions = Vec::new();
    let mut last = None;
    let mut more = false;
    let range = LAYER_VERSIONS.range(&id.key()).before(&id.version_key(before)).reverse();
    range.visit(tx, |(_, _, _, number), version| {
        if !wanted.fits(&version) {
            return ControlFlow::Continue(());
        }
        more = versions.len() == limit;
        if more {
            return ControlFlow::Break(());
        }
        versions.push(item(&id, number, &version));
        last = Some(number);
        ControlFlow::Continue(())
    })?;
    Ok(ListLayerVersionsOutput {
        next_marker: last.filter(|_| more).map(|number| page::text_token(&number.to_string())),
        layer_versions: Some(versions),
    })
}

/// Deletes a version; functions that use it keep it.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteLayerVersionInput,
) -> Result<DeleteLayerVersionOutput, Error> {
    let id = LayerId::parse(&input.layer_name, tx.account(), tx.region());
    let number = number(input.version_number)?;
    let key = id.version_key(number);
    if let Some(version) = LAYER_VERSIONS.get(tx, &key)? {
        let (account, region, name, number) = key;
        let key = (account.to_owned(), region.to_owned(), name.to_owned(), number);
        remove(tx, &key, &version)?;
    }
    Ok(DeleteLayerVersionOutput {})
}

/// Removes a version of a layer; functions that use it keep it.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    key: &VersionKey,
    version: &LayerVersion,
) -> Result<(), Error> {
    tx.free_blob(&version.code.zip)?;
    Ok(LAYER_VERSIONS.delete(tx, key)?)
}

fn number(given: i64) -> Result<u64, Error> {
    match u64::try_from(given) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(invalid("Layer Version Cannot be less than 1")),
    }
}

/// Refuses a list of layers that no function may have.
pub(crate) fn check(arns: &[String], region: &str) -> Result<(), Error> {
    if arns.len() > MAX_LAYERS {
        return Err(invalid(format!("Cannot reference more than {MAX_LAYERS} layers.")));
    }
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for text in arns {
        let Some(id) = LayerId::of_arn(text) else { continue };
        if id.region != region {
            return Err(invalid(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {region}."
            )));
        }
        if let Some(other) = seen.insert(id.arn(), text) {
            return Err(invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. \
                 {other} and {text} are versions of the same layer."
            )));
        }
    }
    Ok(())
}

/// Finds layers for a function, which then holds their packages, too.
pub(crate) fn attach(
    tx: &mut WriteTx<'_>,
    target: &Target,
    arns: &[String],
) -> Result<Vec<AttachedLayer>, Error> {
    let mut layers = Vec::new();
    for text in arns {
        let unknown = || invalid(format!("Layer version {text} does not exist."));
        let id = LayerId::of_arn(text).ok_or_else(unknown)?;
        let number = id.version.ok_or_else(unknown)?;
        // There are no permissions for other accounts yet.
        if id.account != target.account {
            return Err(unknown());
        }
        let version = LAYER_VERSIONS.get(tx, &id.version_key(number))?.ok_or_else(unknown)?;
        tx.retain_blob(&version.code.zip)?;
        layers.push(AttachedLayer { arn: text.clone(), code: version.code });
    }
    Ok(layers)
}

/// What a listing asks for.
struct Wanted {
    runtime: Option<String>,
    architecture: Option<Architecture>,
}

impl Wanted {
    fn new(runtime: Option<String>, architecture: Option<Architecture>) -> Result<Wanted, Error> {
        if let Some(runtime) = &runtime
            && !runtimes::is_known(runtime)
        {
            let text = runtimes::violation(runtime, "compatibleRuntime");
            return Err(Fault::validation(text).into());
        }
        Ok(Wanted { runtime, architecture })
    }

    fn fits(&self, version: &LayerVersion) -> bool {
        let has = |list: &Option<Vec<String>>, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| list.iter().flatten().any(|it| it == wanted))
        };
        has(&version.runtimes, self.runtime.as_deref())
            && has(&version.architectures, self.architecture.map(Architecture::as_str))
    }
}

fn check_runtimes(given: Option<&[String]>) -> Result<(), Error> {
    let given = given.unwrap_or_default();
    if given.iter().all(|runtime| runtimes::is_known(runtime)) {
        return Ok(());
    }
    let shown = format!("[{}]", given.join(", "));
    Err(Fault::validation(runtimes::violation(&shown, "compatibleRuntimes")).into())
}

fn architectures(version: &LayerVersion) -> Option<Vec<Architecture>> {
    let names = version.architectures.as_ref()?;
    Some(names.iter().filter_map(|name| Architecture::from_name(name)).collect())
}

fn shown(
    request: &Request,
    id: &LayerId,
    number: u64,
    version: &LayerVersion,
) -> GetLayerVersionResponse {
    let owner = Owner::Layer(id.clone(), number);
    GetLayerVersionResponse {
        content: Some(LayerVersionContentOutput {
            location: Some(code::location(request, &owner, &version.code)),
            code_sha256: Some(code_sha256(&version.code.sha256)),
            code_size: i64::try_from(version.code.bytes).ok(),
            ..LayerVersionContentOutput::default()
        }),
        layer_arn: Some(id.arn()),
        layer_version_arn: Some(id.version_arn(number)),
        description: Some(version.description.clone()),
        created_date: Some(date(version.created_millis)),
        version: i64::try_from(number).ok(),
        compatible_architectures: architectures(version),
        compatible_runtimes: version.runtimes.clone(),
        license_info: version.license.clone(),
    }
}

fn item(id: &LayerId, number: u64, version: &LayerVersion) -> LayerVersionsListItem {
    LayerVersionsListItem {
        layer_version_arn: Some(id.version_arn(number)),
        version: i64::try_from(number).ok(),
        description: Some(version.description.clone()),
        created_date: Some(date(version.created_millis)),
        compatible_architectures: architectures(version),
        compatible_runtimes: version.runtimes.clone(),
        license_info: version.license.clone(),
    }
}

/// The package of a layer's version, if it exists.
pub(crate) fn package(
    tx: &impl Read,
    id: &LayerId,
    number: u64,
) -> Result<Option<Code>, fogbank_core::store::Error> {
    Ok(LAYER_VERSIONS.get(tx, &id.version_key(number))?.map(|version| version.code))
}
