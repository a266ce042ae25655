//! The one list of services.

use fogbank_core::{BoxFuture, Cx, HttpRequest, HttpResponse, Service};
use fogbank_gateway::{AdminRoute, AdminRun};

use crate::config::Mode;
use crate::{backups, clock, snapshots};

/// All services, in the order of their names.
pub(crate) static SERVICES: &[&Service] = &[
    &fogbank_apigatewayv2::SERVICE,
    &fogbank_dynamodb::SERVICE,
    &fogbank_iam::SERVICE,
    &fogbank_lambda::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_rekognition::SERVICE,
    &fogbank_s3::SERVICE,
    &fogbank_sns::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_sts::SERVICE,
];

/// The calls under `/_fogbank/`.
pub(crate) fn admin_routes(mode: Mode) -> Vec<AdminRoute> {
    let mut routes = Vec::new();
    routes.extend_from_slice(clock::ROUTES);
    routes.extend_from_slice(snapshots::ROUTES);
    routes.extend_from_slice(backups::ROUTES);
    // They show tests what left the cloud, and ask nobody who he is, so a server has none.
    if mode == Mode::Dev {
        routes.push(open("/_fogbank/outbox/email", fogbank_sns::email_outbox));
        routes.push(open("/_fogbank/outbox/sms", fogbank_sns::sms_outbox));
    }
    routes
}

fn open(
    path: &'static str,
    serve: fn(Cx, HttpRequest) -> BoxFuture<'static, HttpResponse>,
) -> AdminRoute {
    AdminRoute { method: "GET", path, action: "ReadOutbox", run: AdminRun::Open(serve) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_ledger_lists_exactly_what_has_a_handler() {
        for service in SERVICES {
            let name = service.model.name;
            let path =
                format!("{}/../../models/operations/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).expect("a list of operations");
            let list: toml::Table = toml::from_str(&text).expect("TOML");
            let listed = list["operations"].as_array().expect("operations");
            let listed: BTreeSet<&str> = listed.iter().filter_map(|name| name.as_str()).collect();
            let handled: BTreeSet<&str> =
                service.operations.iter().map(|op| op.model.name).collect();
            assert_eq!(listed, handled, "{name}");
        }
    }
}
