//! `GetItem`.

use fogbank_core::{Cx, ReadTx};

use crate::attributes::Attributes;
use crate::capacity::{self, Consumed, Kind, read_units};
use crate::encoding::{decode_item, row_size};
use crate::error::Result;
use crate::model::{GetItemInput, GetItemOutput};
use crate::names::TableName;
use crate::{convert, encryption, projections, store};

/// Reads the item under a key.
pub(crate) async fn get(cx: &Cx, input: GetItemInput) -> Result<GetItemOutput> {
    encryption::unlock(cx, &[&*input.table_name]).await?;
    cx.read(|tx| get_in(tx, input))
}

fn get_in(tx: &ReadTx<'_>, input: GetItemInput) -> Result<GetItemOutput> {
    TableName::of_data(&input.table_name)?;
    projections::check_parameters(
        input.projection_expression.as_deref(),
        input.attributes_to_get.as_deref(),
        input.expression_attribute_names.is_some(),
    )?;
    let key = convert::item(input.key)?;
    let projection = projections::parse(
        input.projection_expression.as_deref(),
        input.attributes_to_get.as_deref(),
        input.expression_attribute_names,
    )?;
    let table = store::table(tx, &input.table_name)?;
    let key = table.key.check_key(&key)?;
    if let Some(projection) = &projection {
        table.check_paths(projection.paths())?;
    }
    let row = store::get_row(tx, table.id(), &key)?;
    let wanted = input.return_consumed_capacity;
    let consumed = if capacity::is_wanted(wanted) {
        let bytes = row.as_ref().map_or(Ok(0), |row| row_size(row))?;
        let units = read_units(bytes, input.consistent_read.unwrap_or_default());
        Consumed::of_table(units).report(table.name(), wanted, Kind::Plain)
    } else {
        None
    };
    let item = match (row, projection) {
        (None, _) => None,
        (Some(row), None) => Some(Attributes::of_row(row)),
        (Some(row), Some(projection)) => Some(projection.apply(&decode_item(&row)?).into()),
    };
    Ok(GetItemOutput { item, consumed_capacity: consumed })
}
