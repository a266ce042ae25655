//! Measures decoding with validation, and encoding, of a DynamoDB item.

#![allow(clippy::print_stdout, reason = "the figures and findings are the output")]

#[path = "../tests/item/mod.rs"]
mod item;

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use fogbank_wire::{Protocol, Style};

const ROUNDS: u32 = 25;
const CALLS: u32 = 4_000;

/// The best of several rounds, in nanoseconds a call.
fn measure(name: &str, bytes: usize, mut call: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed() / CALLS
        })
        .min()
        .unwrap_or_default();
    println!("{name:32} {bytes:6} bytes {:8} ns", best.as_nanos());
}

/// A `PutItem` request of about 775 bytes.
fn request() -> String {
    let mut text = String::from(r#"{"TableName":"Orders","Item":{"#);
    let _ = write!(text, r#""pk":{{"S":"customer#1234567890"}},"sk":{{"S":"order#2026-11-20"}}"#);
    for index in 0..11 {
        let _ = write!(text, r#","attribute{index}":{{"S":"a value of middling length {index}"}}"#);
    }
    let _ = write!(text, r#","total":{{"N":"129.95"}},"paid":{{"BOOL":true}}"#);
    let _ = write!(text, r#","lines":{{"L":[{{"M":{{"sku":{{"S":"A-1"}},"n":{{"N":"2"}}}}}}]}}"#);
    text.push_str(r#"},"ReturnValues":"ALL_OLD"}"#);
    text
}

fn main() {
    let text = request();
    let body = Bytes::from(text.clone());
    let protocol = Protocol::AwsJson1_0;
    let style = Style::DEFAULT;
    let decode = || item::decode(protocol, &style, body.clone());
    measure("PutItem decode and validate", body.len(), || {
        black_box(decode().is_ok());
    });
    measure("PutItem as serde_json::Value", body.len(), || {
        black_box(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
    });
    let Ok(mut output) = decode() else { return println!("the request was rejected") };
    for protocol in [Protocol::AwsJson1_0, Protocol::AwsQuery, Protocol::RpcV2Cbor] {
        let mut encode = || {
            fogbank_wire::encode(
                protocol,
                &item::DYNAMODB,
                &item::PUT_ITEM,
                &style,
                &mut output,
                "6f1d0d9c-8f7c-4f0e-9f43-000000000000",
            )
        };
        let len = encode().body.len().unwrap_or_default() as usize;
        measure(&format!("encode {protocol:?}"), len, || {
            black_box(encode().status);
        });
    }
}
