//! Writes structures, unions and enumerations.

use std::collections::BTreeSet;

use super::schemas;
use crate::botocore::Shape;
use crate::names;
use crate::plan::Plan;

/// The width of a line.
const WIDTH: usize = 100;

/// The Rust types of the plan.
pub(super) fn emit(plan: &Plan) -> String {
    let mut text = String::new();
    for (alias, target) in &plan.aliases {
        text.push_str(&format!("pub type {alias} = {target};\n\n"));
    }
    for (name, rust) in &plan.types {
        let shape = plan.shape(name);
        if shape.kind != "structure" {
            enumeration(&mut text, rust, &shape.values);
        } else if shape.union {
            union(&mut text, plan, name, rust, shape);
        } else {
            structure(&mut text, plan, name, rust, shape);
        }
    }
    text
}

fn structure(text: &mut String, plan: &Plan, name: &str, rust: &str, shape: &Shape) {
    let derives =
        if plan.holds_body(shape) { "Debug, Default" } else { "Clone, Debug, Default, PartialEq" };
    text.push_str(&format!("#[derive({derives})]\npub struct {rust} {{\n"));
    let fields = unique(shape.order.iter().map(|member| names::field(member)));
    for ((member, reference), field) in shape.members().zip(&fields) {
        text.push_str(&format!("pub {field}: {},\n", plan.field_type(name, member, reference)));
    }
    text.push_str("}\n\n");
    let schema = schemas::constant(plan, name);
    text.push_str(&format!("wire::structure!({rust}, schema::{schema}, {{"));
    text.push_str(&lines(
        fields.iter().enumerate().map(|(index, field)| format!("{index} => {field}")),
    ));
    text.push_str("});\n\n");
}

/// Entries of a macro, which rustfmt leaves alone: as many on a line as fit.
fn lines(entries: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    let mut width = WIDTH;
    for entry in entries {
        if width + entry.len() + 2 > WIDTH {
            text.push_str("\n   ");
            width = 3;
        }
        text.push_str(&format!(" {entry},"));
        width += entry.len() + 2;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn union(text: &mut String, plan: &Plan, name: &str, rust: &str, shape: &Shape) {
    let schema = schemas::constant(plan, name);
    text.push_str(&format!("wire::union!({rust}, schema::{schema}, {{\n"));
    let variants = unique(shape.order.iter().map(|member| names::variant(member)));
    for (index, ((member, reference), variant)) in shape.members().zip(variants).enumerate() {
        let inner = plan.variant_type(name, member, reference);
        text.push_str(&format!("    {index} => {variant}({inner}),\n"));
    }
    text.push_str("});\n\n");
}

fn enumeration(text: &mut String, rust: &str, values: &[String]) {
    text.push_str(&format!("wire::enumeration!({rust} {{\n"));
    let variants = unique(values.iter().map(|value| names::variant(value)));
    for (value, variant) in values.iter().zip(variants) {
        text.push_str(&format!("    {variant} = {value:?},\n"));
    }
    text.push_str("});\n\n");
}

/// Tells equal names apart by a number.
fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names
        .map(|name| {
            let mut candidate = name.clone();
            let mut count = 2;
            while !seen.insert(candidate.clone()) {
                candidate = format!("{name}{count}");
                count += 1;
            }
            candidate
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_numbered() {
        let names = ["a", "b", "a", "a"].map(str::to_owned);
        assert_eq!(unique(names.into_iter()), ["a", "b", "a2", "a3"]);
    }

    #[test]
    fn entries_fill_lines() {
        let text = lines((0..30).map(|index| format!("{index} => field")));
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.starts_with("\n    0 => field, 1 => field,"), "{text}");
        assert_eq!(lines(std::iter::empty()), "");
    }
}
