//! Bodies of every operation in every protocol, and the routing and headers of REST.
#![no_main]

use bytes::Bytes;
use fogbank_core::wire::route::match_rest;
use fogbank_core::wire::{Body, Protocol, Request, decode, from_json, to_json};
use fogbank_fuzz::{Message, choose};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((service, mut operation, protocol, rest)) = choose(bytes) else { return };
    let none = HeaderMap::new();
    let rpc = Message { method: "POST", target: "/", headers: none, body: rest };
    let is_rest = matches!(protocol, Protocol::RestXml | Protocol::RestJson1);
    let message = match is_rest {
        true => match Message::parse(rest) {
            Some(message) => message,
            None => return,
        },
        false => rpc,
    };
    let (path, query) = (message.path(), message.query());
    let mut labels = Vec::new();
    if is_rest {
        let found = match_rest(service.model, message.method, path, query, &message.headers);
        if let Some(found) = found {
            let known = service.operations.iter().find(|op| op.model.name == found.operation);
            let Some(known) = known else { return };
            operation = known;
            labels = found.labels;
        }
    }
    let request = Request {
        method: message.method,
        raw_path: path,
        raw_query: query,
        headers: &message.headers,
        labels: &labels,
    };
    let mut input = (operation.input)();
    let body = Body::from(Bytes::copy_from_slice(message.body));
    let read = decode(
        protocol,
        service.model,
        operation.model,
        &service.style,
        &request,
        body,
        &mut *input,
    );
    match read {
        Err(rejection) => drop(rejection.to_string()),
        // What one protocol can say, calls from inside can say as well.
        Ok(()) => {
            let json = to_json(&*input);
            let mut again = (operation.input)();
            if from_json(&json, &mut *again).is_ok() {
                assert_eq!(to_json(&*again), json);
            }
        }
    }
});
