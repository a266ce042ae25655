//! The statements of a function's policy, as AddPermission writes them.

use serde_json::{Map, Value, json};

use crate::error::{Error, invalid};

/// What AddPermission allows.
pub(crate) struct Permission<'a> {
    pub(crate) statement_id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) principal: &'a str,
    pub(crate) resource: &'a str,
    /// Condition operator, key and value, in the order in which AWS writes them.
    pub(crate) conditions: Vec<(&'static str, &'static str, String)>,
}

impl Permission<'_> {
    /// The statement as JSON text, with its members in AWS's order.
    pub(crate) fn statement(&self) -> Result<String, Error> {
        let mut members = vec![
            ("Sid", json!(self.statement_id)),
            ("Effect", json!("Allow")),
            ("Principal", principal(self.principal)?),
            ("Action", json!(self.action)),
            ("Resource", json!(self.resource)),
        ];
        if !self.conditions.is_empty() {
            let mut conditions = Map::new();
            for (operator, key, value) in &self.conditions {
                let keys = conditions.entry(*operator).or_insert_with(|| json!({}));
                keys[*key] = json!(value);
            }
            members.push(("Condition", Value::Object(conditions)));
        }
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        Ok(format!("{{{}}}", members.join(",")))
    }
}

/// The `Principal` element for a service, an account or an ARN.
fn principal(text: &str) -> Result<Value, Error> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_entity = ["arn:aws:iam::", "arn:aws:sts::"].iter().any(|start| {
        text.strip_prefix(start).is_some_and(|rest| {
            rest.split_once(':').is_some_and(|(account, entity)| {
                account.len() == 12
                    && account.bytes().all(|byte| byte.is_ascii_digit())
                    && !entity.is_empty()
            })
        })
    });
    if text == "*" {
        Ok(json!("*"))
    } else if is_account {
        Ok(json!({"AWS": format!("arn:aws:iam::{text}:root")}))
    } else if is_entity {
        Ok(json!({"AWS": text}))
    } else if text.ends_with(".amazonaws.com") || text.ends_with(".amazon.com") {
        Ok(json!({"Service": text}))
    } else {
        Err(invalid(
            "The provided principal was invalid. Please check the principal and try again.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_reads_as_awss() {
        let permission = Permission {
            statement_id: "s3",
            action: "lambda:InvokeFunction",
            principal: "s3.amazonaws.com",
            resource: "arn:aws:lambda:eu-west-1:111111111111:function:f",
            conditions: vec![
                ("StringEquals", "AWS:SourceAccount", "111111111111".to_owned()),
                ("ArnLike", "AWS:SourceArn", "arn:aws:s3:::photos".to_owned()),
            ],
        };
        assert_eq!(
            permission.statement().expect("a statement"),
            r#"{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-west-1:111111111111:function:f","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::photos"},"StringEquals":{"AWS:SourceAccount":"111111111111"}}}"#
        );
    }

    #[test]
    fn principals_have_four_forms() {
        assert_eq!(principal("*").expect("all"), json!("*"));
        assert_eq!(
            principal("111122223333").expect("an account"),
            json!({"AWS": "arn:aws:iam::111122223333:root"})
        );
        let user = "arn:aws:iam::111122223333:user/ann";
        assert_eq!(principal(user).expect("a user"), json!({"AWS": user}));
        for text in ["", "ann", "arn:aws:s3:::b", "arn:aws:iam::1:root", "12345"] {
            assert!(principal(text).is_err(), "{text}");
        }
    }
}
