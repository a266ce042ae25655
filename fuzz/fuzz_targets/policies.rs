//! Policy documents of every kind, checked, compiled and evaluated.
#![no_main]

use fogbank_policy::{
    Attached, Call, Caller, ContextMap, Document, Kind, Policies, ResourceSide, evaluate,
};
use libfuzzer_sys::fuzz_target;

const KINDS: [Kind; 7] = [
    Kind::Identity,
    Kind::Boundary,
    Kind::Session,
    Kind::ServiceControl,
    Kind::ResourceControl,
    Kind::Resource,
    Kind::Trust,
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let caller = Caller::user("111122223333", "arn:aws:iam::111122223333:user/u", "AIDAEXAMPLE");
    let mut context = ContextMap::new();
    context
        .set("aws:sourceip", "203.0.113.7")
        .set("aws:currenttime", "2026-11-20T21:05:09Z")
        .set("aws:username", "u")
        .set("aws:securetransport", "true")
        .set("s3:prefix", "a/b")
        .set_many("aws:tagkeys", ["a", "b"]);
    for kind in KINDS {
        let Ok(document) = Document::parse(text, kind) else { continue };
        let attached = [Attached { source: "p", document: &document }];
        let call = Call {
            action: "s3:GetObject",
            resource: "arn:aws:s3:::bucket/a/b",
            principal: &caller,
            context: &context,
        };
        let resource =
            ResourceSide { owner: "111122223333", policy: Some(attached[0]), grants: &[] };
        let policies = match kind {
            Kind::Resource | Kind::Trust => {
                Policies { resource: Some(resource), ..Policies::default() }
            }
            Kind::Boundary => Policies { boundary: Some(attached[0]), ..Policies::default() },
            Kind::Session => Policies { session: &attached, ..Policies::default() },
            _ => Policies { identity: &attached, ..Policies::default() },
        };
        let first = evaluate(&call, &policies).is_allowed();
        assert_eq!(first, evaluate(&call, &policies).is_allowed());
    }
});
