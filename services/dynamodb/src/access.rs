//! What each operation must be allowed to do.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request, arn};

use crate::condition_keys;
use crate::model;
use crate::names::{self, TableName};

type Answer = Result<Access, Fault>;

/// The ARN of a table that a request names, plainly or by ARN.
pub(crate) fn table_arn(request: &Request, name: &str) -> String {
    let table = TableName::of(name);
    let region = table.region.unwrap_or(&request.region);
    let account = table.account.unwrap_or(&request.account);
    arn::arn("dynamodb", region, account, names::table_resource(table.name))
}

/// Operations that concern no particular table.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Answer {
    Ok(Access::on_all())
}

/// Operations on the table in `TableName`.
pub(crate) fn table(request: &Request, input: &dyn Struct) -> Answer {
    Ok(Access::on(table_arn(request, input.text("TableName").unwrap_or_default())))
}

/// `CreateTable`, and `TagResource` if it comes with tags.
pub(crate) fn create(request: &Request, input: &dyn Struct) -> Answer {
    let access = table(request, input)?;
    let tags =
        input.downcast_ref::<model::CreateTableInput>().and_then(|input| input.tags.as_ref());
    Ok(match tags {
        Some(tags) if !tags.is_empty() => access
            .and(
                "dynamodb:TagResource",
                table_arn(request, input.text("TableName").unwrap_or_default()),
            )
            .with_tags(tags.iter().map(|tag| (&tag.key, &tag.value))),
        _ => access,
    })
}

/// Operations on the table in `ResourceArn`, and the tags that it gets or loses.
pub(crate) fn resource(_: &Request, input: &dyn Struct) -> Answer {
    let access = match input.text("ResourceArn") {
        Some(arn) if !arn.is_empty() => Access::on(arn),
        _ => Access::on_all(),
    };
    if let Some(input) = input.downcast_ref::<model::TagResourceInput>() {
        return Ok(access.with_tags(input.tags.iter().map(|tag| (&tag.key, &tag.value))));
    }
    Ok(match input.downcast_ref::<model::UntagResourceInput>() {
        Some(input) => access.with_tag_keys(&input.tag_keys),
        None => access,
    })
}

/// Adds what the caller wants to be told of consumed capacity.
fn with_capacity(access: Access, input: &dyn Struct) -> Access {
    match input.text("ReturnConsumedCapacity") {
        Some(wanted) => access.with("dynamodb:ReturnConsumedCapacity", [wanted.to_owned()]),
        None => access,
    }
}

/// `GetItem`.
pub(crate) fn get(request: &Request, input: &dyn Struct) -> Answer {
    let access = Access::on(table_arn(request, input.text("TableName").unwrap_or_default()));
    Ok(with_capacity(access, input).refined(condition_keys::refine))
}

/// Writes of one item, which may be restricted by what they return.
pub(crate) fn write(request: &Request, input: &dyn Struct) -> Answer {
    let access = Access::on(table_arn(request, input.text("TableName").unwrap_or_default()))
        .refined(condition_keys::refine);
    let access = with_capacity(access, input);
    Ok(match input.text("ReturnValues") {
        Some(wanted) => access.with("dynamodb:ReturnValues", [wanted.to_owned()]),
        None => access,
    })
}

/// `Query` and `Scan`, of a table or of an index.
pub(crate) fn read(request: &Request, input: &dyn Struct) -> Answer {
    let table = table_arn(request, input.text("TableName").unwrap_or_default());
    let access = match input.text("IndexName") {
        Some(index) => Access::on(format!("{table}/index/{index}")),
        None => Access::on(table),
    };
    let access = with_capacity(access, input).refined(condition_keys::refine);
    Ok(match input.text("Select") {
        Some(select) => access.with("dynamodb:Select", [select.to_owned()]),
        None => access,
    })
}

/// The same action on several tables.
fn tables<'n>(request: &Request, names: impl Iterator<Item = &'n String>) -> Access {
    let mut names = names.map(|name| table_arn(request, name));
    // A request without tables is refused by its handler.
    let Some(first) = names.next() else { return Access::on_all() };
    names
        .fold(Access::on(first), |access, table| access.and("", table))
        .refined(condition_keys::refine)
}

/// `BatchGetItem`.
pub(crate) fn batch_get(request: &Request, input: &dyn Struct) -> Answer {
    let Some(batch) = input.downcast_ref::<model::BatchGetItemInput>() else {
        return Err(Fault::internal("the input is of another operation"));
    };
    let names = batch.request_items.iter().flat_map(|items| items.keys());
    Ok(with_capacity(tables(request, names), input))
}

/// `BatchWriteItem`.
pub(crate) fn batch_write(request: &Request, input: &dyn Struct) -> Answer {
    let Some(batch) = input.downcast_ref::<model::BatchWriteItemInput>() else {
        return Err(Fault::internal("the input is of another operation"));
    };
    let names = batch.request_items.iter().flat_map(|items| items.keys());
    Ok(with_capacity(tables(request, names), input))
}

/// `TransactGetItems`: each element is a `GetItem`.
pub(crate) fn transact_get(request: &Request, input: &dyn Struct) -> Answer {
    let Some(transaction) = input.downcast_ref::<model::TransactGetItemsInput>() else {
        return Err(Fault::internal("the input is of another operation"));
    };
    let gets = transaction.transact_items.iter().map(|item| &item.get.table_name);
    let access = distinct(request, gets.map(|table| ("dynamodb:GetItem", table.as_str())));
    Ok(with_capacity(access, input))
}

/// `TransactWriteItems`: each element is an action of its own.
pub(crate) fn transact_write(request: &Request, input: &dyn Struct) -> Answer {
    let Some(transaction) = input.downcast_ref::<model::TransactWriteItemsInput>() else {
        return Err(Fault::internal("the input is of another operation"));
    };
    let actions = transaction.transact_items.iter().flat_map(|item| {
        let check = item.condition_check.as_ref().map(|check| &check.table_name);
        let put = item.put.as_ref().map(|put| &put.table_name);
        let delete = item.delete.as_ref().map(|delete| &delete.table_name);
        let update = item.update.as_ref().map(|update| &update.table_name);
        [
            ("dynamodb:ConditionCheckItem", check),
            ("dynamodb:PutItem", put),
            ("dynamodb:DeleteItem", delete),
            ("dynamodb:UpdateItem", update),
        ]
    });
    let named = actions.filter_map(|(action, table)| Some((action, table?.as_str())));
    Ok(with_capacity(distinct(request, named), input))
}

/// Each action on each table once.
fn distinct<'n>(
    request: &Request,
    actions: impl Iterator<Item = (&'static str, &'n str)>,
) -> Access {
    let mut seen = std::collections::BTreeSet::new();
    actions
        .filter(|action| seen.insert(*action))
        .fold(Access::default(), |access, (action, table)| {
            let access = access.and(action, table_arn(request, table));
            // AWS does not define the key for checks, which nothing else can ask for.
            if action == "dynamodb:ConditionCheckItem" {
                return access;
            }
            access.last_with("dynamodb:EnclosingOperation", [request.operation.to_owned()])
        })
        .refined(condition_keys::refine)
}
