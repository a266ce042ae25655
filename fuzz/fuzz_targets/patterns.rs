//! EventBridge's patterns with the events that they look at, templates of inputs, and schedules.
#![no_main]

use std::collections::BTreeMap;

use fogbank_events::rules::json::Json;
use fogbank_events::rules::pattern::Pattern;
use fogbank_events::rules::schedule::Schedule;
use fogbank_events::rules::template::{Facts, Template};
use libfuzzer_sys::fuzz_target;

const EVENT: &str = r#"{"source":"shop","a":{"b":[1,"x",null,{"c":"10.0.0.1"}]},"list":[{"x":1},{"y":[2]}]}"#;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (text, given) = text.split_once('\0').unwrap_or((text, EVENT));
    let event = Json::parse(given);
    // What is read must read the same again.
    if let Some(event) = &event {
        assert_eq!(Json::parse(&event.to_string()).as_ref(), Some(event));
    }
    let event = event.unwrap_or(Json::Null);
    if let Ok(pattern) = Pattern::parse(text) {
        let taken = pattern.matches(&event);
        assert_eq!(taken, pattern.matches(&event));
    }
    let paths = BTreeMap::from([("a".to_owned(), "$.a.b[1]".to_owned())]);
    if let Ok(template) = Template::parse(text, &paths) {
        let facts = Facts { rule_arn: "arn", rule_name: "r", ingestion_time: "t", event: &event };
        template.fill(&paths, facts);
    }
    if let Some(schedule) = Schedule::parse(text) {
        let now = 1_767_225_600_000;
        if let Some(next) = schedule.next(0, now) {
            assert!(next > now);
        }
    }
});
