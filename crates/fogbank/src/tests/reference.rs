//! What AWS's Service Authorization Reference says, from `models/authorization`.

use std::collections::BTreeMap;
use std::path::Path;

use fogbank_testkit::Value;

/// The reference's pages by the prefix of their actions.
pub(super) struct Reference(BTreeMap<String, Value>);

/// What the reference says of an action.
pub(super) struct Action<'a> {
    page: &'a Value,
    action: &'a Value,
}

impl Reference {
    pub(super) fn read() -> Reference {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/authorization");
        let mut pages = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("the folder of the reference") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a page");
            let prefix = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            pages.insert(prefix.to_owned(), text.parse().expect("JSON"));
        }
        Reference(pages)
    }

    pub(super) fn action(&self, name: &str) -> Option<Action<'_>> {
        let (prefix, name) = name.split_once(':')?;
        let page = self.0.get(prefix)?;
        let action = page["actions"].get(name)?;
        Some(Action { page, action })
    }
}

impl<'a> Action<'a> {
    fn types(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let types = self.action["resources"].as_object();
        types.into_iter().flatten().map(|(name, used)| (&**name, used))
    }

    /// Whether the action is of no resource in particular.
    pub(super) fn is_of_all(&self) -> bool {
        self.types().next().is_none()
    }

    /// Whether an ARN is of one of the action's resource types.
    pub(super) fn takes(&self, arn: &str) -> bool {
        self.types().any(|(name, _)| self.is_of(name, arn))
    }

    fn is_of(&self, name: &str, arn: &str) -> bool {
        let pattern = self.page["resources"][name]["arn"].as_str().expect("the pattern of a type");
        fits(pattern, arn)
    }

    /// The condition keys that the action has on a resource.
    pub(super) fn keys(&self, resource: &str) -> Vec<&'a str> {
        let mut lists = vec![&self.action["keys"]];
        for (name, used) in self.types().filter(|(name, _)| self.is_of(name, resource)) {
            lists.push(&used["keys"]);
            lists.push(&self.page["resources"][name]["keys"]);
        }
        let listed = lists.into_iter().filter_map(Value::as_array).flatten();
        listed.filter_map(Value::as_str).collect()
    }

    /// Actions that the caller must be allowed, too.
    pub(super) fn dependents(&self) -> impl Iterator<Item = &'a str> {
        let dependents = self.action["dependents"].as_array();
        dependents.into_iter().flatten().filter_map(Value::as_str)
    }
}

/// Whether `text` fits a pattern in which `${Name}` stands for anything; for a part of an ARN if it names one.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once("${") else {
        return pattern == text;
    };
    let Some((name, after)) = rest.split_once('}') else { return false };
    let Some(text) = text.strip_prefix(before) else { return false };
    let is_part = matches!(name, "Partition" | "Region" | "Account");
    let ends = (usize::from(!is_part)..=text.len()).filter(|end| text.is_char_boundary(*end));
    ends.take_while(|end| !is_part || !text[..*end].contains(':'))
        .any(|end| fits(after, &text[end..]))
}

/// Whether a condition key is one that the reference lists, such as `aws:RequestTag/${TagKey}`.
pub(super) fn is_key(listed: &str, key: &str) -> bool {
    match listed.find(['$', '<']) {
        Some(end) => {
            key.len() > end
                && key.is_char_boundary(end)
                && key[..end].eq_ignore_ascii_case(&listed[..end])
        }
        None => listed.eq_ignore_ascii_case(key),
    }
}

#[test]
fn patterns_of_arns() {
    let queue = "arn:${Partition}:sqs:${Region}:${Account}:${QueueName}";
    assert!(fits(queue, "arn:aws:sqs:us-east-1:000000000000:jobs"));
    assert!(!fits(queue, "arn:aws:sqs:us-east-1:000000000000:"));
    assert!(!fits(queue, "arn:aws:sns:us-east-1:000000000000:jobs"));
    assert!(!fits(queue, "*"));
    let object = "arn:${Partition}:s3:::${BucketName}/${ObjectName}";
    assert!(fits(object, "arn:aws:s3:::b/k/l"));
    assert!(!fits(object, "arn:aws:s3:::b"));
    assert!(is_key("aws:RequestTag/${TagKey}", "aws:RequestTag/team"));
    assert!(!is_key("aws:RequestTag/${TagKey}", "aws:RequestTag/"));
}
