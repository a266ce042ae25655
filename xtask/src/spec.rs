//! What we say of a service ourselves: `models/operations/*.toml` and `models/overlays/*.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `models/operations/<service>.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The service's folder under `services/`, from the file's name.
    #[serde(skip)]
    pub(crate) name: String,
    /// The service's name for readers, such as `Amazon SQS`.
    pub(crate) title: String,
    /// The service's folder in botocore.
    pub(crate) botocore: String,
    /// The package in npm that holds the traits that botocore drops.
    pub(crate) npm: String,
    /// The prefix of the service's IAM actions.
    pub(crate) iam_prefix: String,
    /// Prefixes of further actions that the service asks for.
    #[serde(default)]
    pub(crate) more_iam_prefixes: Vec<String>,
    /// Where the service spoke awsQuery in an older model: that botocore's version.
    pub(crate) legacy_query: Option<String>,
    /// The protocols, where they are not the model's.
    #[serde(default)]
    pub(crate) protocols: Vec<String>,
    /// The operations that have a handler.
    pub(crate) operations: Vec<String>,
    /// Enumerations of inputs that are text in Rust; `*` stands for all.
    #[serde(default)]
    pub(crate) open_enums: Vec<String>,
    /// The namespace of shape ids in errors, where the service has not followed its model.
    pub(crate) namespace: Option<String>,
    /// Shapes whose Rust type is written by hand: the shape's name and the type's path.
    #[serde(default)]
    pub(crate) overrides: BTreeMap<String, String>,
    /// The first members of a structure, in the order in which AWS writes them; the others follow.
    #[serde(default)]
    pub(crate) order: BTreeMap<String, Vec<String>>,
    /// Errors that the model lacks, or that have more members than it says.
    #[serde(default)]
    pub(crate) errors: Vec<ExtraError>,
    /// Changes to the model.
    #[serde(default)]
    pub(crate) patches: Vec<Patch>,
}

/// An error that the model lacks, or says too little of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtraError {
    /// The shape's name.
    pub(crate) name: String,
    /// The code on the wire where it is not the name.
    pub(crate) code: Option<String>,
    /// The code in the query protocol where it is another.
    pub(crate) query_code: Option<String>,
    /// The HTTP status.
    pub(crate) status: Option<u16>,
    /// Members beyond the model's; all are text.
    #[serde(default)]
    pub(crate) members: Vec<String>,
}

/// A change to the model's JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Patch {
    /// What to do.
    op: PatchOp,
    /// A JSON pointer.
    path: String,
    /// The new value.
    #[serde(default)]
    value: Option<Value>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum PatchOp {
    Add,
    Replace,
    Remove,
}

/// `models/overlays/<service>.json`: what `xtask traits` found in npm's packages.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overlay {
    /// The packages that the traits were read from.
    pub(crate) sources: Vec<String>,
    /// The namespace of shape ids.
    pub(crate) namespace: String,
    /// The Smithy service shape's name.
    pub(crate) service_shape: String,
    /// The namespace of XML documents.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) xml_namespace: String,
    /// The unions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unions: Vec<String>,
    /// The names of structures' XML elements where they are not the shapes' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) roots: BTreeMap<String, String>,
    /// Errors' codes and statuses in the query protocol.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query_errors: BTreeMap<String, QueryError>,
    /// Members' names in the query protocol, by structure, where they are not JSON's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query_members: BTreeMap<String, BTreeMap<String, QueryMember>>,
    /// Names of lists' and maps' elements in the query protocol.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query_elements: BTreeMap<String, QueryElement>,
    /// The elements that wrap operations' results in the query protocol.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) result_wrappers: BTreeMap<String, String>,
}

/// An error in the query protocol.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct QueryError {
    pub(crate) code: String,
    pub(crate) status: u16,
}

/// A member in the query protocol.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct QueryMember {
    /// Its name.
    pub(crate) name: String,
    /// Whether its elements follow each other without a wrapper.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flattened: bool,
}

/// The names of a list's or map's elements in the query protocol.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct QueryElement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

impl Spec {
    /// Every service's file in the workspace at `root`, in the order of their names.
    pub(crate) fn read_all(root: &Path) -> Result<Vec<Spec>> {
        let folder = root.join("models/operations");
        let mut paths: Vec<_> = fs::read_dir(&folder)
            .with_context(|| format!("{}", folder.display()))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        paths.iter().map(|path| Spec::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Spec> {
        let text = fs::read_to_string(path)?;
        let mut spec: Spec =
            toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        stem.context("the file's name is the service's")?.clone_into(&mut spec.name);
        Ok(spec)
    }

    /// Whether the server leaves this enumeration of the model open.
    pub(crate) fn is_open(&self, shape: &str) -> bool {
        self.open_enums.iter().any(|open| open == "*" || open == shape)
    }

    /// The changes to the model.
    pub(crate) fn patch(&self, model: &mut Value) -> Result<()> {
        for patch in &self.patches {
            patch.apply(model).with_context(|| format!("patch of {}", patch.path))?;
        }
        Ok(())
    }

    /// The operations in alphabetic order.
    pub(crate) fn sorted_operations(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.operations.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Patch {
    fn apply(&self, model: &mut Value) -> Result<()> {
        let (parent, key) = self.path.rsplit_once('/').context("it has no parent")?;
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent = model.pointer_mut(parent).context("its parent does not exist")?;
        if let Value::Array(items) = parent {
            return self.apply_to_array(items, &key);
        }
        let object = parent.as_object_mut().context("its parent is no object")?;
        if self.op != PatchOp::Add && !object.contains_key(&key) {
            bail!("it does not exist");
        }
        match &self.value {
            Some(value) if self.op != PatchOp::Remove => {
                object.insert(key, value.clone());
            }
            None if self.op == PatchOp::Remove => {
                object.remove(&key);
            }
            _ => bail!("add and replace have a value, remove has none"),
        }
        Ok(())
    }

    fn apply_to_array(&self, items: &mut Vec<Value>, key: &str) -> Result<()> {
        match (self.op, &self.value) {
            (PatchOp::Add, Some(value)) if key == "-" => items.push(value.clone()),
            (PatchOp::Remove, None) => {
                let before = items.len();
                items.retain(|item| item.as_str() != Some(key));
                if items.len() == before {
                    bail!("the array has no such text");
                }
            }
            _ => bail!("an array takes `-` to add, and a text to remove"),
        }
        Ok(())
    }
}

impl Overlay {
    /// Reads a service's overlay.
    pub(crate) fn read(root: &Path, service: &str) -> Result<Overlay> {
        let path = root.join(format!("models/overlays/{service}.json"));
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{} (written by `cargo xtask traits {service}`)", path.display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("{}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(op: PatchOp, path: &str, value: Option<Value>) -> Result<Value> {
        let mut model = json!({"a": {"required": ["X", "Y"], "m": {"Z": 1}}});
        Patch { op, path: path.to_owned(), value }.apply(&mut model)?;
        Ok(model)
    }

    #[test]
    fn patches_change_objects_and_arrays() {
        let changed = patch(PatchOp::Add, "/a/m/N", Some(json!(2))).unwrap();
        assert_eq!(changed["a"]["m"], json!({"N": 2, "Z": 1}));
        let changed = patch(PatchOp::Remove, "/a/required/X", None).unwrap();
        assert_eq!(changed["a"]["required"], json!(["Y"]));
        let changed = patch(PatchOp::Add, "/a/required/-", Some(json!("W"))).unwrap();
        assert_eq!(changed["a"]["required"], json!(["X", "Y", "W"]));
    }

    #[test]
    fn patches_that_hit_nothing_fail() {
        assert!(patch(PatchOp::Remove, "/a/m/Q", None).is_err());
        assert!(patch(PatchOp::Replace, "/a/m/Q", Some(json!(1))).is_err());
        assert!(patch(PatchOp::Add, "/b/c", Some(json!(1))).is_err());
        assert!(patch(PatchOp::Remove, "/a/required/Q", None).is_err());
    }
}
