//! The one list of services.

use fogbank_core::Service;
use fogbank_gateway::AdminRoute;

/// All services, in the order of their names.
pub(crate) static SERVICES: &[&Service] = &[
    &fogbank_apigatewayv2::SERVICE,
    // &fogbank_dynamodb::SERVICE,
    &fogbank_iam::SERVICE,
    // &fogbank_lambda::SERVICE,
    &fogbank_logs::SERVICE,
    &fogbank_rekognition::SERVICE,
    // &fogbank_s3::SERVICE,
    // &fogbank_sns::SERVICE,
    &fogbank_sqs::SERVICE,
    &fogbank_sts::SERVICE,
];

/// Paths under `/_fogbank/` that services offer to tests and the console.
pub(crate) fn admin_routes() -> Vec<AdminRoute> {
    vec![]
}
