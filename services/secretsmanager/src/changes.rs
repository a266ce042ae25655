//! What EventBridge hears of secrets: what CloudTrail records of the service itself, which is rotations and deletions.

use fogbank_core::outbox::ServiceEvent;
use fogbank_core::{Effect, Tx, WriteTx};
use serde_json::{Value, json};

use crate::error::Error;
use crate::store::{Secret, SecretKey};

/// The service's name, which stands where an address does in what others do.
const SERVICE: &str = "secretsmanager.amazonaws.com";

/// Tells of something that happened to a secret, such as `RotationSucceeded`.
pub(crate) fn tell(
    tx: &mut WriteTx<'_>,
    key: &SecretKey,
    secret: &Secret,
    name: &str,
) -> Result<(), Error> {
    let arn = secret.arn(key);
    let time = jiff::Timestamp::from_second(tx.now().secs()).unwrap_or_default();
    let detail = json!({
        "eventVersion": "1.08",
        "userIdentity": { "accountId": key.0, "invokedBy": SERVICE },
        "eventTime": time.to_string(),
        "eventSource": SERVICE,
        "eventName": name,
        "awsRegion": key.1,
        "sourceIPAddress": SERVICE,
        "userAgent": SERVICE,
        "requestParameters": Value::Null,
        "responseElements": Value::Null,
        "additionalEventData": { "SecretId": arn },
        "eventID": tx.ids().uuid(),
        "readOnly": false,
        "eventType": "AwsServiceEvent",
        "managementEvent": true,
        "recipientAccountId": key.0,
        "eventCategory": "Management",
    });
    let event = ServiceEvent {
        sender: SERVICE,
        source: "aws.secretsmanager",
        detail_type: "AWS Service Event via CloudTrail",
        resource: &arn,
        detail,
    };
    Ok(tx.emit(Effect::event(&event, (&key.0, &key.1), tx.now()))?)
}
