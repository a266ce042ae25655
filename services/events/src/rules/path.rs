//! The paths of JSON that `InputPath` and `InputPathsMap` know: members, places in lists, and `*`.

use super::json::Json;

/// A path, such as `$.detail.items[0]['a b']`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    Place(usize),
    All,
}

impl Path {
    /// `None` for what is no path.
    pub(crate) fn parse(text: &str) -> Option<Path> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(bracket) = rest.strip_prefix('[') {
                let (step, after) = bracketed(bracket)?;
                steps.push(step);
                rest = after;
            } else {
                let dotted = rest.strip_prefix('.')?;
                let length = dotted.find(['.', '[']).unwrap_or(dotted.len());
                let (name, after) = dotted.split_at(length);
                steps.push(match name {
                    "" => return None,
                    "*" => Step::All,
                    name => Step::Member(name.to_owned()),
                });
                rest = after;
            }
        }
        Some(Path(steps))
    }

    /// What the path leads to; a list of all where it has `*`.
    pub(crate) fn find(&self, whole: &Json) -> Option<Json> {
        let mut found = vec![whole];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.from(value)).collect();
        }
        match self.0.contains(&Step::All) {
            true => Some(Json::Array(found.into_iter().cloned().collect())),
            false => found.first().map(|value| (*value).clone()),
        }
    }
}

fn bracketed(text: &str) -> Option<(Step, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'));
    if let Some(quote) = quote {
        let (name, after) = text[1..].split_once(quote)?;
        return Some((Step::Member(name.to_owned()), after.strip_prefix(']')?));
    }
    let (inside, after) = text.split_once(']')?;
    let step = if inside == "*" { Step::All } else { Step::Place(inside.parse().ok()?) };
    Some((step, after))
}

impl Step {
    fn from<'a>(&self, value: &'a Json) -> Vec<&'a Json> {
        match (self, value) {
            (Step::Member(name), value) => value.get(name).into_iter().collect(),
            (Step::Place(place), Json::Array(values)) => values.get(*place).into_iter().collect(),
            (Step::All, Json::Array(values)) => values.iter().collect(),
            (Step::All, Json::Object(members)) => members.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<String> {
        let whole = r#"{"detail":{"a":[{"b":1},{"b":2}],"c d":"x","*":0}}"#;
        let whole = Json::parse(whole).expect("JSON");
        Path::parse(path).expect("a path").find(&whole).map(|found| found.to_string())
    }

    #[test]
    fn paths_lead_to_values() {
        assert_eq!(found("$.detail.a[1].b").as_deref(), Some("2"));
        assert_eq!(found("$.detail['c d']").as_deref(), Some(r#""x""#));
        assert_eq!(found("$['detail'].a[*].b").as_deref(), Some("[1,2]"));
        assert_eq!(found("$.detail.a.*.b").as_deref(), Some("[1,2]"));
        assert_eq!(found("$.detail.a[2]"), None);
        assert_eq!(found("$.detail.a.b"), None);
        assert!(found("$").is_some_and(|whole| whole.starts_with("{\"detail\"")));
    }

    #[test]
    fn what_is_no_path() {
        for text in ["", "detail", "$detail", "$.", "$..a", "$.a[", "$.a[x]", "$.a['b'", "$.a['b'x"]
        {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_harms(text in r#"\$[.\[\]'"a*0é]{0,20}"#) {
            if let Some(path) = Path::parse(&text) {
                path.find(&Json::Null);
            }
        }
    }
}
