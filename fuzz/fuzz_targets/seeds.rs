//! Writes the inputs that fuzzing begins with: every operation's input made up from its model, and some by hand.
//!
//! It is a target, which fuzzes nothing, so that nothing has to be built twice.
#![no_main]

use std::fs;
use std::path::Path;

use fogbank_core::wire::Protocol;
use fogbank_core::{Op, Service};
use fogbank_fuzz::{PROTOCOLS, SERVICES};
use fogbank_testkit::Value;
use fogbank_testkit::plausible::Plausible;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        write_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"));
        std::process::exit(0)
    },
    |_bytes: &[u8]| {}
);

fn write_all(folder: &Path) {
    for (number, service) in SERVICES.iter().enumerate() {
        for (index, operation) in service.operations.iter().enumerate() {
            for whole in [false, true] {
                let name = format!("{}-{}-{whole}", service.model.name, operation.model.name);
                let input = Plausible { whole, needed: &|_| false, hint: &|_| None };
                let input = input.input(operation.model.input);
                write(folder, &name, (service, number), (operation, index), &input);
            }
        }
    }
    for (name, table) in fogbank_fuzz::tables::all() {
        let queries = ["SELECT * FROM S3Object", "SELECT COUNT(*) FROM S3Object s WHERE s.id > 1"];
        for (index, query) in queries.iter().enumerate() {
            let seed = [query.as_bytes(), b"\0", &table].concat();
            put(folder, "columns", &format!("{name}-{index}"), &seed);
        }
    }
    let by_hand = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for target in fs::read_dir(by_hand).expect("seeds by hand") {
        let target = target.expect("a folder");
        let into = folder.join(target.file_name());
        fs::create_dir_all(&into).expect("a folder");
        for seed in fs::read_dir(target.path()).expect("seeds") {
            let seed = seed.expect("a seed");
            fs::copy(seed.path(), into.join(seed.file_name())).expect("copied");
        }
    }
}

/// One operation's seeds: its body in the protocols that it has, and a whole request with it.
fn write(
    folder: &Path,
    name: &str,
    (service, number): (&Service, usize),
    (operation, index): (&Op, usize),
    input: &Value,
) {
    let json = input.to_string();
    let form = form(service, operation, input);
    let code = |protocol| PROTOCOLS.iter().position(|known| *known == protocol).unwrap_or(0) as u8;
    for (protocol, body) in [(Protocol::AwsJson1_0, &json), (Protocol::AwsQuery, &form)] {
        let mut seed = vec![number as u8, index as u8, code(protocol)];
        seed.extend_from_slice(body.as_bytes());
        put(folder, "bodies", &format!("{name}-{}", code(protocol)), &seed);
    }
    let model = service.model;
    let uri = operation.model.uri.replace("{Bucket}", "bucket").replace("{Key+}", "k");
    let uri = uri.replace(['{', '}', '+'], "");
    let method = operation.model.method;
    let request = match model.protocols[0] {
        Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => format!(
            "POST /\nsign: {}\nx-amz-target: {}.{}\ncontent-type: application/x-amz-json-1.0\n\n{json}",
            model.signing_name, model.target_prefix, operation.model.name,
        ),
        Protocol::RestXml | Protocol::RestJson1 => {
            let body = if model.protocols[0] == Protocol::RestJson1 { &json } else { "" };
            let seed = format!("{method} {uri}\n\n{body}");
            let mut bytes = vec![number as u8, index as u8, code(model.protocols[0])];
            bytes.extend_from_slice(seed.as_bytes());
            put(folder, "bodies", &format!("{name}-rest"), &bytes);
            format!("{method} {uri}\nsign: {}\n\n{body}", model.signing_name)
        }
        _ => format!(
            "POST /\nsign: {}\ncontent-type: application/x-www-form-urlencoded\n\n{form}",
            model.signing_name,
        ),
    };
    put(folder, "requests", name, request.as_bytes());
}

fn put(folder: &Path, target: &str, name: &str, bytes: &[u8]) {
    let folder = folder.join(target);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), bytes).expect("a seed");
}

/// The input as a form: `Tags.member.1.Key=…`.
fn form(service: &Service, operation: &Op, input: &Value) -> String {
    let (action, version) = (operation.model.name, service.model.api_version);
    let mut pairs = vec![format!("Action={action}&Version={version}")];
    fields("", input, &mut pairs);
    pairs.join("&")
}

fn fields(name: &str, value: &Value, pairs: &mut Vec<String>) {
    let dot = if name.is_empty() { "" } else { "." };
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                fields(&format!("{name}{dot}{member}"), value, pairs);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                fields(&format!("{name}.member.{}", index + 1), value, pairs);
            }
        }
        Value::String(text) => pairs.push(format!("{name}={}", text.replace(['&', '+', '%'], "_"))),
        other => pairs.push(format!("{name}={other}")),
    }
}
