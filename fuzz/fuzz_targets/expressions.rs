//! DynamoDB's expressions: parsed, and applied to an item.
#![no_main]

use std::collections::BTreeMap;

use fogbank_dynamodb::expressions::{
    Condition, ExpressionKind, KeyConditions, Placeholders, Projection, Update,
};
use fogbank_dynamodb::json::item_from_json;
use fogbank_testkit::json;
use libfuzzer_sys::fuzz_target;

fn placeholders() -> Placeholders {
    let names = [("#a", "a"), ("#l", "l"), ("#k", "k")];
    let names = names.map(|(key, name)| (key.to_owned(), name.to_owned()));
    let values = item_from_json(&json!({
        ":n": {"N": "1"}, ":s": {"S": "x"}, ":b": {"B": "AA=="}, ":l": {"L": [{"N": "2"}]},
        ":ns": {"NS": ["1", "2"]}, ":ss": {"SS": ["x"]}, ":m": {"M": {"a": {"BOOL": true}}},
    }));
    let values: BTreeMap<_, _> = values.expect("values").into_iter().collect();
    Placeholders::new(Some(BTreeMap::from(names)), Some(values)).expect("placeholders")
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, source)) = bytes.split_first() else { return };
    let Ok(source) = std::str::from_utf8(source) else { return };
    let item = json!({
        "k": {"S": "k"}, "a": {"N": "5"}, "l": {"L": [{"S": "x"}, {"M": {"b": {"N": "1"}}}]},
        "s": {"SS": ["x", "y"]}, "m": {"M": {"l": {"L": []}}},
    });
    let item = item_from_json(&item).expect("an item");
    let mut placeholders = placeholders();
    match kind % 5 {
        0 => {
            let condition = Condition::parse(ExpressionKind::Condition, source, &mut placeholders);
            let _ = condition.map(|condition| (condition.holds(&item), condition.paths().len()));
        }
        1 => {
            let condition = Condition::parse(ExpressionKind::Filter, source, &mut placeholders);
            let _ = condition.map(|condition| condition.holds(&item));
        }
        2 => {
            let _ = KeyConditions::parse(source, &mut placeholders);
        }
        3 => {
            let key = item.iter().filter(|(name, _)| *name == "k");
            let key = key.map(|(name, value)| (name.clone(), value.clone())).collect();
            if let Ok(update) = Update::parse(source, &mut placeholders) {
                let _ = (update.paths(), update.only_removes(), update.projection());
                let _ = update.apply(Some(&item), &key);
                let _ = update.apply(None, &key);
            }
        }
        _ => {
            let projection = Projection::parse(source, &mut placeholders);
            let _ = projection.map(|projection| projection.apply(&item));
        }
    }
    let _ = placeholders.check_all_used();
});
