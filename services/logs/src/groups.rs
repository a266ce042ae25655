//! Log groups.

use std::ops::ControlFlow;

use fogbank_core::store::Read;
use fogbank_core::{Cx, Fault, ReadTx, Tx, WriteTx, page};

use crate::error::Error;
use crate::model::{
    CreateLogGroupInput, CreateLogGroupOutput, DeleteLogGroupInput, DeleteLogGroupOutput,
    DeleteRetentionPolicyInput, DeleteRetentionPolicyOutput, DescribeLogGroupsInput,
    DescribeLogGroupsOutput, ListLogGroupsInput, ListLogGroupsOutput, LogGroup, LogGroupClass,
    LogGroupSummary, PutRetentionPolicyInput, PutRetentionPolicyOutput,
};
use crate::rules::NamePattern;
use crate::store::{self, GROUPS, Group, GroupKey, STREAMS};
use crate::{encryption, rules, streams};

/// How many groups a page has at most.
const PAGE: i32 = 50;

/// Creates a group.
pub(crate) async fn create(
    cx: &Cx,
    input: CreateLogGroupInput,
) -> Result<CreateLogGroupOutput, Error> {
    let key = store::group_key_of(cx, &input.log_group_name);
    let mut group = Group {
        created_millis: cx.request().now.millis(),
        retention_days: None,
        kms_key_id: None,
        class: input.log_group_class.unwrap_or_default().as_str().to_owned(),
        deletion_protection: input.deletion_protection_enabled.unwrap_or_default(),
        tags: input.tags.unwrap_or_default(),
        data_keys: Vec::new(),
    };
    if let Some(key_id) = &input.kms_key_id {
        cx.read(|tx| check_is_new(tx, &key))?;
        encryption::use_key(&mut group, encryption::fresh(cx, &key, key_id).await?);
    }
    cx.write(|tx| {
        check_is_new(tx, &key)?;
        Ok::<_, Error>(GROUPS.put(tx, &key, &group)?)
    })
    .await?;
    Ok(CreateLogGroupOutput {})
}

fn check_is_new(rows: &impl Read, key: &GroupKey) -> Result<(), Error> {
    match GROUPS.contains(rows, key)? {
        true => {
            let message = "The specified log group already exists";
            Err(Error::ResourceAlreadyExistsException(message))
        }
        false => Ok(()),
    }
}

/// Deletes a group with its streams; their events go in the background.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteLogGroupInput,
) -> Result<DeleteLogGroupOutput, Error> {
    let key = store::group_key(tx, &input.log_group_name);
    let group = store::group(tx, &key)?;
    if group.deletion_protection {
        let message = "Unable to delete the log group because deletion protection is enabled.";
        return Err(Error::ValidationException(message.to_owned()));
    }
    remove(tx, &key)?;
    Ok(DeleteLogGroupOutput {})
}

/// Removes a group with its streams; their events go in the background.
pub(crate) fn remove(tx: &mut WriteTx<'_>, key: &GroupKey) -> Result<(), Error> {
    for (stream_key, stream) in STREAMS.list(tx, key)? {
        streams::remove(tx, &stream_key, &stream)?;
    }
    Ok(GROUPS.delete(tx, key)?)
}

/// Lists groups by name.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeLogGroupsInput,
) -> Result<DescribeLogGroupsOutput, Error> {
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(Error::invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let limit = input.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let prefix = input.log_group_name_prefix.unwrap_or_default();
    let pattern = input.log_group_name_pattern.unwrap_or_default();
    let fits = |name: &str, _: &Group| name.contains(&pattern);
    let (page, next_token) = page_of(tx, &prefix, input.next_token.as_deref(), limit, fits)?;
    let mut groups = Vec::with_capacity(page.len());
    for (name, group) in page {
        let stored_bytes = Some(stored_bytes(tx, &name)?);
        groups.push(LogGroup { stored_bytes, ..shown(tx, name, group) });
    }
    Ok(DescribeLogGroupsOutput { log_groups: Some(groups), next_token })
}

/// Lists groups that pass every filter, by name.
///
/// No account is linked to another, so `includeLinkedAccounts` adds nothing to the caller's own groups.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListLogGroupsInput,
) -> Result<ListLogGroupsOutput, Error> {
    if input.data_sources.is_some() || input.field_index_names.is_some() {
        let what = "ListLogGroups with dataSources or fieldIndexNames";
        return Err(Fault::not_implemented("logs", what).into());
    }
    let accounts = input.account_identifiers.unwrap_or_default();
    if input.include_linked_accounts == Some(true)
        && !accounts.is_empty()
        && !accounts.iter().any(|account| account == tx.account())
    {
        return Ok(ListLogGroupsOutput { log_groups: Some(Vec::new()), next_token: None });
    }
    let pattern = input.log_group_name_pattern.as_deref().map(NamePattern::parse);
    let class = input.log_group_class.map(|class| class.as_str());
    let filters = input.log_group_tags.unwrap_or_default();
    let fits = |name: &str, group: &Group| {
        pattern.as_ref().is_none_or(|pattern| pattern.matches(name))
            && class.is_none_or(|class| group.class == class)
            && filters.iter().all(|filter| {
                let values = filter.values.as_deref().unwrap_or_default();
                rules::tag_fits(group.tags.get(&filter.key).map(String::as_str), values)
            })
    };
    let limit = input.limit.unwrap_or(PAGE);
    let (page, next_token) = page_of(tx, "", input.next_token.as_deref(), limit, fits)?;
    let summary = |(name, group): (String, Group)| LogGroupSummary {
        log_group_arn: Some(tx.arn(&format_args!("log-group:{name}"))),
        log_group_name: Some(name),
        log_group_class: LogGroupClass::from_name(&group.class),
    };
    let groups = page.into_iter().map(summary).collect();
    Ok(ListLogGroupsOutput { log_groups: Some(groups), next_token })
}

/// Groups by name, at most `limit` of them, and the token for those after them.
type Page = (Vec<(String, Group)>, Option<String>);

fn page_of(
    tx: &ReadTx<'_>,
    prefix: &str,
    token: Option<&str>,
    limit: i32,
    fits: impl Fn(&str, &Group) -> bool,
) -> Result<Page, Error> {
    let place = (tx.account().to_owned(), tx.region().to_owned());
    let range = match token {
        Some(token) => {
            let last = page::parse_text(token)
                .ok_or_else(|| Error::invalid("The specified nextToken is invalid."))?;
            GROUPS.range(&place).after(&store::group_key(tx, &last))
        }
        None => GROUPS.range(&place).from(&store::group_key(tx, prefix)),
    };
    let limit = usize::try_from(limit).unwrap_or(1);
    let mut groups: Vec<(String, Group)> = Vec::new();
    let mut more = false;
    range.visit(tx, |(_, _, name), group| {
        if !name.starts_with(prefix) {
            return ControlFlow::Break(());
        }
        if !fits(&name, &group) {
            return ControlFlow::Continue(());
        }
        if groups.len() == limit {
            more = true;
            return ControlFlow::Break(());
        }
        groups.push((name, group));
        ControlFlow::Continue(())
    })?;
    let next_token = groups.last().filter(|_| more).map(|(name, _)| page::text_token(name));
    Ok((groups, next_token))
}

fn stored_bytes(tx: &ReadTx<'_>, group: &str) -> Result<i64, Error> {
    let mut bytes = 0;
    STREAMS.scan(tx, &store::group_key(tx, group), |_, stream| {
        bytes += stream.stored_bytes;
        ControlFlow::Continue(())
    })?;
    Ok(bytes)
}

fn shown(tx: &ReadTx<'_>, name: String, group: Group) -> LogGroup {
    let arn = tx.arn(&format_args!("log-group:{name}"));
    LogGroup {
        log_group_name: Some(name),
        creation_time: Some(group.created_millis),
        retention_in_days: group.retention_days,
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        kms_key_id: group.kms_key_id,
        log_group_class: LogGroupClass::from_name(&group.class),
        deletion_protection_enabled: Some(group.deletion_protection),
        ..LogGroup::default()
    }
}

/// Sets how long events are kept.
pub(crate) fn put_retention(
    tx: &mut WriteTx<'_>,
    input: PutRetentionPolicyInput,
) -> Result<PutRetentionPolicyOutput, Error> {
    if !rules::RETENTIONS.contains(&input.retention_in_days) {
        let message = format!(
            "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: {:?}",
            input.retention_in_days,
            rules::RETENTIONS
        );
        return Err(Error::InvalidParameterException(message));
    }
    set_retention(tx, &input.log_group_name, Some(input.retention_in_days))?;
    Ok(PutRetentionPolicyOutput {})
}

/// Keeps events for ever again.
pub(crate) fn delete_retention(
    tx: &mut WriteTx<'_>,
    input: DeleteRetentionPolicyInput,
) -> Result<DeleteRetentionPolicyOutput, Error> {
    set_retention(tx, &input.log_group_name, None)?;
    Ok(DeleteRetentionPolicyOutput {})
}

fn set_retention(tx: &mut WriteTx<'_>, name: &str, days: Option<i32>) -> Result<(), Error> {
    let key = store::group_key(tx, name);
    let mut group = store::group(tx, &key)?;
    group.retention_days = days;
    Ok(GROUPS.put(tx, &key, &group)?)
}
