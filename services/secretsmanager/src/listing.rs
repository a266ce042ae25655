//! `ListSecrets`: pages of secrets in any order, through filters.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Tx, page};

use crate::access;
use crate::error::Error;
use crate::model::{
    Filter, ListSecretsInput, ListSecretsOutput, SecretListEntry, SortByType, SortOrderType,
};
use crate::rules::filter;
use crate::secrets::{shown_rules, shown_stages, shown_tags, shown_time};
use crate::store::{SECRETS, Secret, SecretKey};

/// How many secrets a page has when it is not told.
const PAGE: i32 = 100;

/// Lists secrets.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListSecretsInput) -> Result<ListSecretsOutput, Error> {
    let filters = input.filters.unwrap_or_default();
    let query = Query {
        filters: &filters,
        with_doomed: input.include_planned_deletion.unwrap_or_default(),
        by: input.sort_by.unwrap_or(SortByType::CreatedDate),
        // AWS's default is not documented; the newest come first.
        is_ascending: input.sort_order == Some(SortOrderType::Asc),
        token: input.next_token.as_deref(),
        limit: input.max_results.unwrap_or(PAGE),
    };
    let (secrets, next_token) = query.page(tx)?;
    let secret_list = secrets.into_iter().map(|(key, secret)| entry(&key, secret)).collect();
    Ok(ListSecretsOutput { secret_list: Some(secret_list), next_token })
}

/// Names of secrets, and the token for those after them.
pub(crate) struct Named {
    pub(crate) names: Vec<String>,
    pub(crate) next_token: Option<String>,
}

/// The names of secrets that pass filters, in the order of `ListSecrets`.
pub(crate) fn named(
    tx: &ReadTx<'_>,
    filters: &[Filter],
    token: Option<&str>,
    limit: i32,
) -> Result<Named, Error> {
    let by = SortByType::CreatedDate;
    let query = Query { filters, with_doomed: false, by, is_ascending: false, token, limit };
    let (secrets, next_token) = query.page(tx)?;
    Ok(Named { names: secrets.into_iter().map(|((_, _, name), _)| name).collect(), next_token })
}

struct Query<'a> {
    filters: &'a [Filter],
    with_doomed: bool,
    by: SortByType,
    is_ascending: bool,
    token: Option<&'a str>,
    limit: i32,
}

/// What decides a secret's place in a list: a time, or nothing where names decide, then the name.
type Place = (i64, String);

/// Secrets of a page, and the token for those after them.
type Page = (Vec<(SecretKey, Secret)>, Option<String>);

impl Query<'_> {
    /// The first secrets after the token. All are looked at, and only a page of them is kept.
    fn page(&self, tx: &ReadTx<'_>) -> Result<Page, Error> {
        let after = self.token.map(|token| parse_token(token).ok_or_else(access::bad_token));
        let after = after.transpose()?;
        let limit = usize::try_from(self.limit).unwrap_or(1);
        let prefix = (tx.account().to_owned(), tx.region().to_owned());
        let mut kept: BTreeMap<Place, (SecretKey, Secret)> = BTreeMap::new();
        SECRETS.scan(tx, &prefix, |key, secret| {
            let is_shown = (self.with_doomed || secret.deletion_millis.is_none())
                && filter::passes(self.filters, &key, &secret);
            let place = self.place(&key, &secret);
            let is_after = after.as_ref().is_none_or(|after| match self.is_ascending {
                true => place > *after,
                false => place < *after,
            });
            if is_shown && is_after {
                kept.insert(place, (key, secret));
                // One more than a page shows whether there are more.
                if kept.len() > limit + 1 {
                    if self.is_ascending {
                        kept.pop_last()
                    } else {
                        kept.pop_first()
                    };
                }
            }
            ControlFlow::Continue(())
        })?;
        let mut sorted: Vec<_> = kept.into_iter().collect();
        if !self.is_ascending {
            sorted.reverse();
        }
        let has_more = sorted.len() > limit;
        sorted.truncate(limit);
        let next_token = sorted.last().filter(|_| has_more).map(|(place, _)| token(place));
        Ok((sorted.into_iter().map(|(_, secret)| secret).collect(), next_token))
    }

    fn place(&self, key: &SecretKey, secret: &Secret) -> Place {
        let millis = match self.by {
            SortByType::CreatedDate => secret.created_millis,
            SortByType::LastAccessedDate => secret.accessed_millis.unwrap_or_default(),
            SortByType::LastChangedDate => secret.changed_millis,
            SortByType::Name => 0,
        };
        (millis, key.2.clone())
    }
}

fn token((millis, name): &Place) -> String {
    page::text_token(&format!("{millis} {name}"))
}

fn parse_token(token: &str) -> Option<Place> {
    let text = page::parse_text(token)?;
    let (millis, name) = text.split_once(' ')?;
    Some((millis.parse().ok()?, name.to_owned()))
}

fn entry(key: &SecretKey, secret: Secret) -> SecretListEntry {
    let rotation = secret.rotation.as_ref();
    let next = rotation.filter(|it| it.is_enabled).and_then(|it| it.next_millis);
    SecretListEntry {
        arn: Some(secret.arn(key)),
        name: Some(key.2.clone()),
        rotation_enabled: rotation.map(|rotation| rotation.is_enabled),
        rotation_lambda_arn: rotation.map(|rotation| rotation.lambda_arn.clone()),
        rotation_rules: rotation.and_then(shown_rules),
        last_rotated_date: shown_time(rotation.and_then(|rotation| rotation.rotated_millis)),
        next_rotation_date: shown_time(next.map(|(_, closes)| closes)),
        last_changed_date: shown_time(Some(secret.changed_millis)),
        last_accessed_date: shown_time(secret.accessed_millis),
        deleted_date: shown_time(secret.deletion_millis),
        tags: shown_tags(&secret),
        secret_versions_to_stages: shown_stages(&secret),
        created_date: shown_time(Some(secret.created_millis)),
        description: secret.description,
        kms_key_id: secret.kms_key_id,
        primary_region: secret.primary_region,
        ..SecretListEntry::default()
    }
}
