//! The one list of services.

use fogbank_core::Service;
use fogbank_gateway::AdminRoute;

use crate::config::Mode;

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

/// Paths under `/_fogbank/` that show tests what left the cloud. They ask nobody who he is, so a server has none.
pub(crate) fn admin_routes(mode: Mode) -> Vec<AdminRoute> {
    if mode == Mode::Server {
        return Vec::new();
    }
    vec![
        AdminRoute { path: "/_fogbank/outbox/email", serve: fogbank_sns::email_outbox },
        AdminRoute { path: "/_fogbank/outbox/sms", serve: fogbank_sns::sms_outbox },
    ]
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
