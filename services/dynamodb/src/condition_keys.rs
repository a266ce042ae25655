//! The condition keys `dynamodb:LeadingKeys` and `dynamodb:Attributes`: which partitions and which attributes a call
//! touches.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html>
//!
//! What cannot be parsed touches nothing here: the handler refuses it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_core::wire::Struct;
use fogbank_core::{Check, Fault, ReadTx};

use crate::convert::{self, WireItem};
use crate::definition::Definition;
use crate::expressions::{
    Condition, ExpressionKind, KeyConditions, Placeholders, Projection, Update,
};
use crate::keys::KeySchema;
use crate::model;
use crate::names::TableName;
use crate::value::AttributeValue;
use crate::{access, store};

/// What a call does with items of one table.
#[derive(Default)]
struct Touch<'a> {
    /// The action of its check; empty: the operation's own.
    action: &'static str,
    table: &'a str,
    /// Keys of items, or whole items.
    keys: Vec<&'a WireItem>,
    /// The names of attributes.
    attributes: BTreeSet<String>,
    query: Option<&'a model::QueryInput>,
}

/// Names and values that stand for others in expressions.
type Stand<'a> = (&'a Option<BTreeMap<String, String>>, Option<&'a WireItem>);

/// Adds the condition keys to the checks of a call.
pub(crate) fn refine(
    tx: &ReadTx<'_>,
    input: &dyn Struct,
    checks: &mut [Check],
) -> Result<(), Fault> {
    for touch in touches(input) {
        let arn = access::table_arn(fogbank_core::Tx::request(tx), touch.table);
        let table = store::find(tx, TableName::of(touch.table))?;
        let leading = table.as_deref().map(|table| touch.leading_keys(table)).unwrap_or_default();
        let index = format!("{arn}/index/");
        let concerned = checks.iter_mut().filter(|check| {
            check.action == touch.action
                && (check.resource == arn || check.resource.starts_with(&index))
        });
        for check in concerned {
            add(check, "dynamodb:LeadingKeys", leading.iter());
            add(check, "dynamodb:Attributes", touch.attributes.iter());
        }
    }
    Ok(())
}

fn add<'v>(check: &mut Check, key: &'static str, values: impl Iterator<Item = &'v String>) {
    let values = values.cloned();
    match check.context.iter_mut().find(|(name, _)| name == key) {
        Some((_, known)) => known.extend(values),
        None => {
            let values: Vec<String> = values.collect();
            if !values.is_empty() {
                check.context.push((key.into(), values));
            }
        }
    }
}

impl<'a> Touch<'a> {
    fn of(table: &'a str, keys: Vec<&'a WireItem>) -> Touch<'a> {
        let attributes = keys.iter().flat_map(|item| item.keys().cloned()).collect();
        Touch { table, keys, attributes, ..Touch::default() }
    }

    fn by(self, action: &'static str) -> Touch<'a> {
        Touch { action, ..self }
    }

    /// Adds the attributes that expressions name.
    fn reading(
        mut self,
        stand: Stand<'_>,
        expressions: &[(ExpressionKind, Option<&String>)],
    ) -> Self {
        let Some(mut placeholders) = placeholders(stand) else { return self };
        for (kind, source) in expressions {
            if let Some(source) = source {
                self.attributes.extend(heads(*kind, source, &mut placeholders));
            }
        }
        self
    }

    fn naming<'n>(mut self, names: impl IntoIterator<Item = &'n String>) -> Self {
        self.attributes.extend(names.into_iter().cloned());
        self
    }

    /// The values of the partition key that it touches.
    fn leading_keys(&self, table: &Definition) -> Vec<String> {
        if let Some(query) = self.query {
            let index = query.index_name.as_ref().and_then(|name| table.index(name));
            let schema = index.map_or(&table.key, |index| &index.key);
            return queried(query, schema).map(|value| text(&value)).into_iter().collect();
        }
        let name = &table.key.partition.name;
        let values = self.keys.iter().filter_map(|key| key.get(name));
        values.filter_map(|wire| Some(text(&convert::value(wire.clone()).ok()?))).collect()
    }
}

fn placeholders((names, values): Stand<'_>) -> Option<Placeholders> {
    convert::placeholders(names.clone(), values.cloned()).ok()
}

/// The attributes in which an expression's paths begin.
fn heads(kind: ExpressionKind, source: &str, placeholders: &mut Placeholders) -> Vec<String> {
    let owned = |paths: Vec<&crate::expressions::Path>| {
        paths.into_iter().map(|path| path.head().to_owned()).collect()
    };
    match kind {
        ExpressionKind::Update => Update::parse(source, placeholders)
            .map(|update| owned(update.paths()))
            .unwrap_or_default(),
        ExpressionKind::Projection => Projection::parse(source, placeholders)
            .map(|projection| owned(projection.paths().iter().collect()))
            .unwrap_or_default(),
        _ => Condition::parse(kind, source, placeholders)
            .map(|condition| owned(condition.paths()))
            .unwrap_or_default(),
    }
}

/// The partition that a query reads.
fn queried(input: &model::QueryInput, schema: &KeySchema) -> Option<AttributeValue> {
    let keys = match (&input.key_condition_expression, &input.key_conditions) {
        (Some(source), _) => {
            let values = input.expression_attribute_values.as_ref();
            let mut placeholders = placeholders((&input.expression_attribute_names, values))?;
            KeyConditions::parse(source, &mut placeholders).ok()?
        }
        (None, Some(wire)) => {
            let conditions = crate::conditions::legacy(wire.clone()).ok()?;
            crate::expressions::key_conditions(&conditions).ok()?
        }
        (None, None) => return None,
    };
    Some(keys.resolve(schema).ok()?.partition)
}

/// A key's value as policies write it.
fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => text.clone(),
        AttributeValue::N(number) => number.to_string(),
        AttributeValue::B(bytes) => BASE64.encode(bytes),
        _ => String::new(),
    }
}

fn touches(input: &dyn Struct) -> Vec<Touch<'_>> {
    if let Some(input) = input.downcast_ref::<model::TransactWriteItemsInput>() {
        return input.transact_items.iter().filter_map(of_action).collect();
    }
    if let Some(input) = input.downcast_ref::<model::TransactGetItemsInput>() {
        return input.transact_items.iter().map(|item| of_get(&item.get)).collect();
    }
    if let Some(input) = input.downcast_ref::<model::BatchGetItemInput>() {
        return input.request_items.iter().flatten().map(of_batch_get).collect();
    }
    if let Some(input) = input.downcast_ref::<model::BatchWriteItemInput>() {
        return input.request_items.iter().flatten().map(of_batch_write).collect();
    }
    of_single(input).into_iter().collect()
}

fn of_single(input: &dyn Struct) -> Option<Touch<'_>> {
    use ExpressionKind as Kind;
    if let Some(input) = input.downcast_ref::<model::GetItemInput>() {
        let projection = [(Kind::Projection, input.projection_expression.as_ref())];
        return Some(
            Touch::of(&input.table_name, vec![&input.key])
                .reading((&input.expression_attribute_names, None), &projection)
                .naming(input.attributes_to_get.iter().flatten()),
        );
    }
    if let Some(input) = input.downcast_ref::<model::QueryInput>() {
        let values = input.expression_attribute_values.as_ref();
        let expressions = [
            (Kind::KeyCondition, input.key_condition_expression.as_ref()),
            (Kind::Filter, input.filter_expression.as_ref()),
            (Kind::Projection, input.projection_expression.as_ref()),
        ];
        let touch = Touch::of(&input.table_name, Vec::new())
            .reading((&input.expression_attribute_names, values), &expressions)
            .naming(input.attributes_to_get.iter().flatten());
        return Some(Touch { query: Some(input), ..touch });
    }
    if let Some(input) = input.downcast_ref::<model::ScanInput>() {
        let values = input.expression_attribute_values.as_ref();
        let expressions = [
            (Kind::Filter, input.filter_expression.as_ref()),
            (Kind::Projection, input.projection_expression.as_ref()),
        ];
        return Some(
            Touch::of(&input.table_name, Vec::new())
                .reading((&input.expression_attribute_names, values), &expressions)
                .naming(input.attributes_to_get.iter().flatten()),
        );
    }
    of_write(input)
}

fn of_write(input: &dyn Struct) -> Option<Touch<'_>> {
    use ExpressionKind as Kind;
    if let Some(input) = input.downcast_ref::<model::PutItemInput>() {
        let values = input.expression_attribute_values.as_ref();
        let condition = [(Kind::Condition, input.condition_expression.as_ref())];
        return Some(
            Touch::of(&input.table_name, vec![&input.item])
                .reading((&input.expression_attribute_names, values), &condition),
        );
    }
    if let Some(input) = input.downcast_ref::<model::DeleteItemInput>() {
        let values = input.expression_attribute_values.as_ref();
        let condition = [(Kind::Condition, input.condition_expression.as_ref())];
        return Some(
            Touch::of(&input.table_name, vec![&input.key])
                .reading((&input.expression_attribute_names, values), &condition),
        );
    }
    let input = input.downcast_ref::<model::UpdateItemInput>()?;
    let values = input.expression_attribute_values.as_ref();
    let expressions = [
        (Kind::Update, input.update_expression.as_ref()),
        (Kind::Condition, input.condition_expression.as_ref()),
    ];
    Some(
        Touch::of(&input.table_name, vec![&input.key])
            .reading((&input.expression_attribute_names, values), &expressions)
            .naming(input.attribute_updates.iter().flat_map(|updates| updates.keys())),
    )
}

fn of_batch_get<'a>((table, request): (&'a String, &'a model::KeysAndAttributes)) -> Touch<'a> {
    let projection = [(ExpressionKind::Projection, request.projection_expression.as_ref())];
    Touch::of(table, request.keys.iter().collect())
        .reading((&request.expression_attribute_names, None), &projection)
        .naming(request.attributes_to_get.iter().flatten())
}

fn of_batch_write<'a>((table, requests): (&'a String, &'a Vec<model::WriteRequest>)) -> Touch<'a> {
    let items = requests.iter().flat_map(|request| {
        let put = request.put_request.as_ref().map(|put| &put.item);
        let delete = request.delete_request.as_ref().map(|delete| &delete.key);
        put.into_iter().chain(delete)
    });
    Touch::of(table, items.collect())
}

fn of_get(get: &model::Get) -> Touch<'_> {
    let projection = [(ExpressionKind::Projection, get.projection_expression.as_ref())];
    Touch::of(&get.table_name, vec![&get.key])
        .reading((&get.expression_attribute_names, None), &projection)
        .by("dynamodb:GetItem")
}

fn of_action(item: &model::TransactWriteItem) -> Option<Touch<'_>> {
    use ExpressionKind as Kind;
    if let Some(put) = &item.put {
        let condition = [(Kind::Condition, put.condition_expression.as_ref())];
        let stand = (&put.expression_attribute_names, put.expression_attribute_values.as_ref());
        let touch = Touch::of(&put.table_name, vec![&put.item]).reading(stand, &condition);
        return Some(touch.by("dynamodb:PutItem"));
    }
    if let Some(delete) = &item.delete {
        let condition = [(Kind::Condition, delete.condition_expression.as_ref())];
        let values = delete.expression_attribute_values.as_ref();
        let stand = (&delete.expression_attribute_names, values);
        let touch = Touch::of(&delete.table_name, vec![&delete.key]).reading(stand, &condition);
        return Some(touch.by("dynamodb:DeleteItem"));
    }
    if let Some(update) = &item.update {
        let expressions = [
            (Kind::Update, Some(&update.update_expression)),
            (Kind::Condition, update.condition_expression.as_ref()),
        ];
        let values = update.expression_attribute_values.as_ref();
        let stand = (&update.expression_attribute_names, values);
        let touch = Touch::of(&update.table_name, vec![&update.key]).reading(stand, &expressions);
        return Some(touch.by("dynamodb:UpdateItem"));
    }
    let check = item.condition_check.as_ref()?;
    let condition = [(Kind::Condition, Some(&check.condition_expression))];
    let stand = (&check.expression_attribute_names, check.expression_attribute_values.as_ref());
    let touch = Touch::of(&check.table_name, vec![&check.key]).reading(stand, &condition);
    Some(touch.by("dynamodb:ConditionCheckItem"))
}
