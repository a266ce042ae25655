//! How management policies of several levels become one: the inheritance operators of tag policies, without rows.
//!
//! A document is a tree whose leaves say what becomes of a value: `@@assign` sets it, `@@append` adds to it, `@@remove`
//! takes from it. `@@operators_allowed_for_child_policies` says which of these the levels below may use on a node and
//! what lies under it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

const ASSIGN: &str = "@@assign";
const APPEND: &str = "@@append";
const REMOVE: &str = "@@remove";
const ALLOWED: &str = "@@operators_allowed_for_child_policies";
/// How deep documents are looked into.
const DEPTH: usize = 16;

/// What the levels so far have made of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    value: Option<Value>,
    /// Which operators the levels below may use; none if nothing was said here.
    allowed: Option<Vec<String>>,
    /// The same, said on the level that is being applied: it binds those below alone.
    said: Option<Vec<String>>,
    children: BTreeMap<String, Node>,
}

impl Node {
    /// Applies the policies of one level, in their order.
    pub(crate) fn apply_level<'d>(&mut self, documents: impl IntoIterator<Item = &'d Value>) {
        for document in documents {
            self.apply(document, None, DEPTH);
        }
        self.settle();
    }

    fn apply(&mut self, document: &Value, above: Option<&[String]>, depth: usize) {
        let (Some(members), Some(depth)) = (document.as_object(), depth.checked_sub(1)) else {
            return;
        };
        let allowed: Option<Vec<String>> =
            self.allowed.clone().or_else(|| above.map(<[String]>::to_vec));
        let may = |operator: &str| {
            allowed.as_ref().is_none_or(|allowed| {
                allowed.iter().any(|known| known == "@@all" || known == operator)
            })
        };
        for (name, value) in members {
            match &**name {
                ASSIGN if may(ASSIGN) => self.value = Some(value.clone()),
                APPEND if may(APPEND) => self.append(value),
                REMOVE if may(REMOVE) => self.remove(value),
                ALLOWED if allowed.is_none() => self.said = Some(texts(value)),
                name if name.starts_with("@@") => {}
                _ => {
                    let child = self.children.entry(name.clone()).or_default();
                    child.apply(value, allowed.as_deref(), depth);
                }
            }
        }
    }

    fn append(&mut self, value: &Value) {
        let mut all = self.value.take().map(list).unwrap_or_default();
        for new in list(value.clone()) {
            if !all.contains(&new) {
                all.push(new);
            }
        }
        self.value = Some(Value::Array(all));
    }

    fn remove(&mut self, value: &Value) {
        let gone = list(value.clone());
        if let Some(Value::Array(all)) = &mut self.value {
            all.retain(|known| !gone.contains(known));
        }
    }

    fn settle(&mut self) {
        if let Some(said) = self.said.take() {
            self.allowed = Some(said);
        }
        self.children.values_mut().for_each(Node::settle);
    }

    /// The document without operators; none if nothing is left.
    pub(crate) fn effective(&self) -> Option<Value> {
        if let Some(value) = &self.value {
            return Some(value.clone());
        }
        let children: Map<String, Value> = self
            .children
            .iter()
            .filter_map(|(name, child)| Some((name.clone(), child.effective()?)))
            .collect();
        (!children.is_empty()).then_some(Value::Object(children))
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all,
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    list(value.clone()).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(levels: &[Value]) -> Option<Value> {
        let mut node = Node::default();
        levels.iter().for_each(|level| node.apply_level([level]));
        node.effective()
    }

    fn centers(operators: Value) -> Value {
        json!({ "tags": { "costcenter": { "tag_value": operators } } })
    }

    #[test]
    fn levels_below_set_add_and_take_away() {
        let root = json!({ "tags": { "costcenter": {
            "tag_key": { "@@assign": "CostCenter" }, "tag_value": { "@@assign": ["100", "200"] },
        } } });
        let whole = merged(&[root.clone(), centers(json!({ "@@append": ["300", "100"] }))]);
        assert_eq!(
            whole,
            Some(json!({ "tags": { "costcenter": {
                "tag_key": "CostCenter", "tag_value": ["100", "200", "300"],
            } } }))
        );
        let less = merged(&[root.clone(), centers(json!({ "@@remove": ["200"] }))]);
        assert_eq!(less.expect("a policy")["tags"]["costcenter"]["tag_value"], json!(["100"]));
        let other = merged(&[root, centers(json!({ "@@assign": ["9"] }))]);
        assert_eq!(other.expect("a policy")["tags"]["costcenter"]["tag_value"], json!(["9"]));
        assert_eq!(merged(&[]), None);
        assert_eq!(merged(&[json!({ "tags": {} })]), None);
    }

    #[test]
    fn levels_above_say_what_those_below_may_do() {
        let root = centers(json!({
            "@@assign": ["100"], "@@operators_allowed_for_child_policies": ["@@append"],
        }));
        let below = centers(json!({ "@@assign": ["9"], "@@append": ["300"] }));
        let found = merged(&[root, below.clone()]).expect("a policy");
        assert_eq!(found["tags"]["costcenter"]["tag_value"], json!(["100", "300"]));
        let closed = json!({ "tags": {
            "@@operators_allowed_for_child_policies": ["@@none"],
            "costcenter": { "tag_value": { "@@assign": ["100"] } },
        } });
        let found = merged(&[closed.clone(), below.clone()]).expect("a policy");
        assert_eq!(found["tags"]["costcenter"]["tag_value"], json!(["100"]));
        // What is closed cannot be opened again.
        let open = json!({ "tags": { "@@operators_allowed_for_child_policies": ["@@all"] } });
        let found = merged(&[closed, open, below]).expect("a policy");
        assert_eq!(found["tags"]["costcenter"]["tag_value"], json!(["100"]));
    }
}
