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
