//! Policy documents as texts: where their statements stand, which condition keys they name, which services they allow.

use std::collections::BTreeSet;

use serde_json::Value;

/// The place of a character, both from 1.
pub(crate) type Place = (i32, i32);

/// A statement of a document: where it begins and ends, and a document that has it alone.
#[derive(Debug)]
pub(crate) struct Part {
    /// The place of its opening brace.
    pub(crate) begin: Place,
    /// The place behind its closing brace.
    pub(crate) end: Place,
    /// The document with no other statement.
    pub(crate) document: String,
}

/// The statements of a document that is valid JSON.
pub(crate) fn parts(document: &str) -> Vec<Part> {
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return Vec::new() };
    let places = places(document);
    let statements = match whole.get("Statement") {
        Some(Value::Array(many)) => many.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    statements
        .into_iter()
        .zip(places)
        .map(|(statement, (begin, end))| {
            let mut alone = whole.clone();
            alone["Statement"] = statement;
            Part { begin, end, document: alone.to_string() }
        })
        .collect()
}

/// Where the objects that are the statements begin and end: those one object or one object and a list deep.
fn places(document: &str) -> Vec<(Place, Place)> {
    let mut places = Vec::new();
    let mut open: Vec<(char, Place)> = Vec::new();
    let (mut line, mut column) = (1, 0);
    let mut text = String::new();
    let (mut is_text, mut is_escaped, mut is_statement) = (false, false, false);
    for character in document.chars() {
        column += 1;
        if character == '\n' {
            (line, column) = (line + 1, 0);
        }
        if is_text {
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => is_text = false,
                other => text.push(other),
            }
            continue;
        }
        match character {
            '"' => {
                is_text = true;
                text.clear();
            }
            ':' if open.len() == 1 => is_statement = text == "Statement",
            '{' | '[' => open.push((character, (line, column))),
            '}' | ']' => {
                let Some((opened, begin)) = open.pop() else { return places };
                let is_member = open.len() == 1 || (open.len() == 2 && open[1].0 == '[');
                if opened == '{' && is_statement && is_member {
                    places.push((begin, (line, column + 1)));
                }
            }
            _ => {}
        }
    }
    places
}

/// The condition keys and variables that a document names, as it spells them.
pub(crate) fn keys(document: &str, keys: &mut BTreeSet<String>) {
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return };
    let statements = match whole.get("Statement") {
        Some(Value::Array(many)) => many.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for statement in statements {
        for operator in statement.get("Condition").and_then(Value::as_object).into_iter().flatten()
        {
            keys.extend(operator.1.as_object().into_iter().flatten().map(|(key, _)| key.clone()));
            variables(operator.1, keys);
        }
        for member in ["Resource", "NotResource"] {
            statement.get(member).into_iter().for_each(|value| variables(value, keys));
        }
    }
}

fn variables(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for (_, rest) in text.match_indices("${").map(|(at, _)| text.split_at(at + 2)) {
                let Some((name, _)) = rest.split_once('}') else { continue };
                let name = name.split(',').next().unwrap_or_default().trim();
                if name.contains(':') {
                    keys.insert(name.to_owned());
                }
            }
        }
        Value::Array(many) => many.iter().for_each(|value| variables(value, keys)),
        Value::Object(members) => members.values().for_each(|value| variables(value, keys)),
        _ => {}
    }
}

/// Whether a document has an `Allow` for some action of a service.
pub(crate) fn allows_service(document: &str, service: &str) -> bool {
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return false };
    let statements = match whole.get("Statement") {
        Some(Value::Array(many)) => many.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let of = |statement: &Value, member: &str| match statement.get(member) {
        Some(Value::String(one)) => vec![one.to_lowercase()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).map(str::to_lowercase).collect()
        }
        _ => Vec::new(),
    };
    statements.iter().filter(|statement| statement["Effect"] == "Allow").any(|statement| {
        let actions = of(statement, "Action");
        let excluded = of(statement, "NotAction");
        let is_whole = |action: &String| action == "*" || *action == format!("{service}:*");
        actions.iter().any(|action| {
            let prefix = action.split(':').next().unwrap_or_default();
            matches(prefix, service)
        }) || (!excluded.is_empty() && !excluded.iter().any(is_whole))
    })
}

/// Whether a document denies all actions of a service, everywhere and always.
pub(crate) fn denies_service(document: &str, service: &str) -> bool {
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return false };
    let statements = match whole.get("Statement") {
        Some(Value::Array(many)) => many.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let has = |value: &Value, wanted: &dyn Fn(&str) -> bool| match value {
        Value::String(one) => wanted(one),
        Value::Array(many) => many.iter().filter_map(Value::as_str).any(wanted),
        _ => false,
    };
    statements.iter().any(|statement| {
        statement["Effect"] == "Deny"
            && statement.get("Condition").is_none()
            && has(&statement["Resource"], &|text| text == "*")
            && has(&statement["Action"], &|text| {
                text == "*" || text.eq_ignore_ascii_case(&format!("{service}:*"))
            })
    })
}

/// Whether a pattern of `*` and `?` matches.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_at_checked(1) {
        None | Some(("", _)) => text.is_empty(),
        Some(("*", rest)) => {
            (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
        }
        Some((one, rest)) => match text.split_at_checked(1) {
            Some((first, text)) => (one == "?" || one == first) && matches(rest, text),
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\"Effect\": \"Allow\", \"Action\": \"s3:Get*\", \"Resource\": \"arn:aws:s3:::${aws:username}/*\", \"Condition\": {\"Bool\": {\"aws:SecureTransport\": \"true\"}}},\n    {\"Effect\": \"Deny\", \"NotAction\": [\"iam:*\"], \"Resource\": \"*\"}\n  ]\n}";

    #[test]
    fn statements_have_places() {
        let parts = parts(TEXT);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].begin, (4, 5));
        assert_eq!(parts[1].begin, (5, 5));
        assert_eq!(parts[1].end.0, 5);
        assert!(parts[1].document.contains("NotAction") && !parts[1].document.contains("s3:Get*"));
        let single = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        assert_eq!(super::parts(single)[0].begin, (1, 14));
    }

    #[test]
    fn keys_are_those_of_conditions_and_variables() {
        let mut found = BTreeSet::new();
        keys(TEXT, &mut found);
        let found: Vec<_> = found.into_iter().collect();
        assert_eq!(found, ["aws:SecureTransport", "aws:username"]);
    }

    #[test]
    fn services_are_allowed_by_any_action() {
        assert!(allows_service(TEXT, "s3"));
        assert!(!allows_service(TEXT, "sqs"));
        let all = r#"{"Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}"#;
        assert!(allows_service(all, "sqs") && !allows_service(all, "iam"));
        assert!(!denies_service(TEXT, "s3"));
        let denied = r#"{"Statement":{"Effect":"Deny","Action":"sqs:*","Resource":"*"}}"#;
        assert!(denies_service(denied, "sqs") && !denies_service(denied, "sns"));
        let stars = r#"{"Statement":{"Effect":"Allow","Action":"s*","Resource":"*"}}"#;
        assert!(allows_service(stars, "sqs") && !allows_service(stars, "iam"));
    }
}
