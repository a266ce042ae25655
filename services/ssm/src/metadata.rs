//! `DescribeParameters`: parameters without their values.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Timestamp, Tx, page};

use crate::error::Error;
use crate::model::{
    DescribeParametersInput, DescribeParametersOutput, ParameterInlinePolicy, ParameterMetadata,
    ParameterTier, ParameterType,
};
use crate::rules::filters::{self, Filter};
use crate::store::{self, PARAMETERS, Parameter, ParameterKey, Version};
use crate::{sharing, values};

/// How many parameters a page has when it is not told.
const PAGE: i32 = 50;
/// How many parameters one page looks at, whether they pass its filters or not.
const LOOKED_AT: usize = 5_000;

/// Lists parameters.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeParametersInput,
) -> Result<DescribeParametersOutput, Error> {
    let old = input.filters.unwrap_or_default();
    let new = input.parameter_filters.unwrap_or_default();
    if !old.is_empty() && !new.is_empty() {
        return Err(Error::invalid(
            "You can use either Filters or ParameterFilters in a single request.",
        ));
    }
    let filters = match old.is_empty() {
        true => filters::parse(&new, false)?,
        false => filters::parse_old(&old),
    };
    let limit = usize::try_from(input.max_results.unwrap_or(PAGE)).unwrap_or(1);
    if input.shared.unwrap_or_default() {
        return describe_shared(tx, &filters, limit, input.next_token.as_deref());
    }
    let place = (tx.account().to_owned(), tx.region().to_owned());
    let mut range = PARAMETERS.range(&place);
    if let Some(after) = values::page_after(input.next_token.as_deref())? {
        range = range.after(&(place.0.clone(), place.1.clone(), after));
    }
    let mut shown = Vec::new();
    let mut next_token = None;
    let (mut last, mut looked_at) = (String::new(), 0);
    range.try_visit::<Error>(tx, |key, parameter| {
        if shown.len() == limit || looked_at == LOOKED_AT {
            next_token = Some(page::text_token(&last));
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        last.clone_from(&key.2);
        let version = store::latest(tx, &key, &parameter)?;
        if filters::passes(&filters, &key.2, &parameter, &version) {
            shown.push(entry(key, &parameter, version));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(DescribeParametersOutput { parameters: Some(shown), next_token })
}

/// Lists the parameters of other accounts that are shared with the caller, in the order of their ARNs.
fn describe_shared(
    tx: &ReadTx<'_>,
    filters: &[Filter],
    limit: usize,
    token: Option<&str>,
) -> Result<DescribeParametersOutput, Error> {
    let after = values::page_after(token)?.unwrap_or_default();
    let mut shown = Vec::new();
    let mut next_token = None;
    let mut last = String::new();
    for (arn, key, parameter) in sharing::shared(tx)? {
        let version = store::latest(tx, &key, &parameter)?;
        if arn <= after || !filters::passes(filters, &key.2, &parameter, &version) {
            continue;
        }
        if shown.len() == limit {
            next_token = Some(page::text_token(&last));
            break;
        }
        last = arn;
        shown.push(entry(key, &parameter, version));
    }
    Ok(DescribeParametersOutput { parameters: Some(shown), next_token })
}

fn entry(key: ParameterKey, parameter: &Parameter, version: Version) -> ParameterMetadata {
    ParameterMetadata {
        arn: Some(store::arn_of(&key)),
        name: Some(key.2),
        r#type: ParameterType::from_name(&version.kind),
        tier: tier(&version),
        key_id: version.key_id,
        last_modified_date: Some(Timestamp::from_millis(version.modified_millis)),
        last_modified_user: Some(version.modified_by),
        description: version.description,
        allowed_pattern: version.allowed_pattern,
        version: i64::try_from(parameter.latest).ok(),
        policies: Some(policies(parameter)),
        data_type: Some(version.data_type),
    }
}

/// The tier as it is shown.
pub(crate) fn tier(version: &Version) -> Option<ParameterTier> {
    ParameterTier::from_name(version.tier())
}

/// The policies as they are shown.
pub(crate) fn policies(parameter: &Parameter) -> Vec<ParameterInlinePolicy> {
    let show = |policy: &store::Policy| ParameterInlinePolicy {
        policy_text: Some(policy.text.clone()),
        policy_type: Some(policy.kind.clone()),
        policy_status: Some(if policy.is_done { "Finished" } else { "Pending" }.to_owned()),
    };
    parameter.policies.iter().map(show).collect()
}
