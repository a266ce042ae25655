//! Templates of policies: `@{name}` stands for a parameter's value, or as a whole text for each of several.

use serde_json::Value;

/// The document with the parameters in their places; the name of one that is missing otherwise.
pub(crate) fn rendered(
    template: &str,
    parameters: &[(String, Vec<String>, bool)],
) -> Result<String, String> {
    let mut document: Value = serde_json::from_str(template).map_err(|error| error.to_string())?;
    render(&mut document, parameters)?;
    Ok(document.to_string())
}

fn render(value: &mut Value, parameters: &[(String, Vec<String>, bool)]) -> Result<(), String> {
    match value {
        Value::String(text) => match whole(text) {
            Some(name) if is_list(name, parameters) => {
                let values = of(name, parameters)?.iter().cloned().map(Value::String);
                *value = Value::Array(values.collect());
            }
            _ => *text = replaced(text, parameters)?,
        },
        Value::Array(many) => {
            let mut all = Vec::new();
            for mut one in std::mem::take(many) {
                render(&mut one, parameters)?;
                match one {
                    // A list in the place of an element is its elements.
                    Value::Array(several) => all.extend(several),
                    one => all.push(one),
                }
            }
            *many = all;
        }
        Value::Object(members) => {
            members.values_mut().try_for_each(|member| render(member, parameters))?;
        }
        _ => {}
    }
    Ok(())
}

fn whole(text: &str) -> Option<&str> {
    text.strip_prefix("@{")?.strip_suffix('}').filter(|name| !name.contains(['{', '}']))
}

fn is_list(name: &str, parameters: &[(String, Vec<String>, bool)]) -> bool {
    parameters.iter().any(|(known, _, is_list)| known == name && *is_list)
}

fn of<'p>(
    name: &str,
    parameters: &'p [(String, Vec<String>, bool)],
) -> Result<&'p [String], String> {
    let found = parameters.iter().find(|(known, ..)| known == name);
    found.map(|(_, values, _)| values.as_slice()).ok_or_else(|| name.to_owned())
}

fn replaced(text: &str, parameters: &[(String, Vec<String>, bool)]) -> Result<String, String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let (name, after) = after.split_once('}').ok_or_else(|| rest.to_owned())?;
        let [value] = of(name, parameters)? else { return Err(name.to_owned()) };
        done.push_str(before);
        done.push_str(value);
        rest = after;
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_take_their_places() {
        let parameters = [
            ("bucket".to_owned(), vec!["b".to_owned()], false),
            ("actions".to_owned(), vec!["s3:Get*".to_owned(), "s3:Put*".to_owned()], true),
        ];
        let template =
            r#"{"Statement":[{"Action":["@{actions}"],"Resource":"arn:aws:s3:::@{bucket}/*"}]}"#;
        assert_eq!(
            rendered(template, &parameters).as_deref(),
            Ok(r#"{"Statement":[{"Action":["s3:Get*","s3:Put*"],"Resource":"arn:aws:s3:::b/*"}]}"#)
        );
        assert_eq!(rendered(r#"{"Resource":"@{none}"}"#, &parameters), Err("none".to_owned()));
        assert!(rendered(r#"{"Resource":"x@{actions}"}"#, &parameters).is_err());
        assert!(rendered(r#"{"Resource":"x@{bucket"}"#, &parameters).is_err());
        // What stands in a value is not looked at again.
        let odd = [("a".to_owned(), vec!["@{a}\"".to_owned()], false)];
        assert_eq!(rendered(r#"{"R":"@{a}"}"#, &odd).as_deref(), Ok(r#"{"R":"@{a}\""}"#));
    }
}
