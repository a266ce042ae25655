//! Operations through the whole pipeline.

mod access;
mod formats;
mod labels;
mod metadata;
mod parameters;
mod policies;
mod reset;
mod sealing;
mod settings;
mod values;

use fogbank_core::Service;
use fogbank_testkit::{Value, World, json};

static SERVICES: &[&Service] = &[&crate::SERVICE, &fogbank_kms::SERVICE];

/// A day in milliseconds.
const DAY: i64 = 24 * 3_600_000;

/// Writes a parameter as text, or what else `more` says.
async fn put(world: &World, name: &str, value: &str, more: Value) -> i64 {
    let mut input = json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true});
    if let Value::Object(more) = more {
        for (member, value) in more {
            input[member] = value;
        }
    }
    let put = world.call("ssm:PutParameter", input).await.expect("written");
    put["Version"].as_i64().expect("a version")
}

/// The value of a parameter, or why there is none.
async fn value_of(world: &World, name: &str) -> String {
    let input = json!({"Name": name, "WithDecryption": true});
    match world.call("ssm:GetParameter", input).await {
        Ok(got) => got["Parameter"]["Value"].as_str().expect("a value").to_owned(),
        Err(fault) => fault.to_string(),
    }
}

/// The names in a list of an answer.
fn names(answer: &Value, list: &str) -> Vec<String> {
    let all = answer[list].as_array().expect("a list").iter();
    all.map(|it| it["Name"].as_str().expect("a name").to_owned()).collect()
}
