//! The messages that queues, topics and functions get, member for member as AWS writes them.

use fogbank_core::{Principal, PrincipalKind, Timestamp, Tx, WriteTx};
use serde::Serialize;

use super::{Change, More, SERVICE, iso, sequencer, source_ip};
use crate::access::bucket_arn;
use crate::rules;
use crate::store::Bucket;

/// A message to a destination, in the order of AWS's members.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'a str,
    event_time: String,
    event_name: String,
    user_identity: Identity,
    request_parameters: Parameters,
    response_elements: Elements<'a>,
    s3: Subject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glacier_event_data: Option<GlacierEventData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_event_data: Option<LifecycleEventData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intelligent_tiering_event_data: Option<IntelligentTieringEventData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_event_data: Option<ReplicationEventData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_retention_event_data: Option<ObjectRetentionEventData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplicationEventData<'a> {
    replication_rule_id: &'a str,
    destination_bucket: String,
    s3_operation: &'static str,
    request_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GlacierEventData<'a> {
    restore_event_data: RestoreEventData<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoreEventData<'a> {
    lifecycle_restoration_expiry_time: String,
    lifecycle_restore_storage_class: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRetentionEventData {
    mode: &'static str,
    retain_until_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LifecycleEventData {
    transition_event_data: TransitionEventData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IntelligentTieringEventData {
    destination_access_tier: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransitionEventData {
    destination_storage_class: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    principal_id: String,
}

#[derive(Serialize)]
struct Parameters {
    #[serde(rename = "sourceIPAddress")]
    source_ip: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Elements<'a> {
    x_amz_request_id: &'a str,
    #[serde(rename = "x-amz-id-2")]
    x_amz_id_2: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'static str,
    configuration_id: &'a str,
    bucket: SubjectBucket<'a>,
    object: SubjectObject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectBucket<'a> {
    name: &'a str,
    owner_identity: Identity,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectObject<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

/// The text of the message about a change.
pub(super) fn text(
    tx: &WriteTx<'_>,
    bucket: &Bucket,
    name: &str,
    change: &Change<'_>,
    configuration_id: &str,
) -> String {
    let request = tx.request();
    let record = Record {
        event_version: change.event_version(),
        event_source: "aws:s3",
        aws_region: &bucket.region,
        event_time: iso(tx.now()),
        event_name: change.full_name(),
        user_identity: Identity { principal_id: caller(&request.principal, bucket, change) },
        request_parameters: Parameters { source_ip: source_ip(tx, change) },
        response_elements: Elements { x_amz_request_id: &request.id, x_amz_id_2: &request.id },
        s3: Subject {
            schema_version: "1.0",
            configuration_id,
            bucket: SubjectBucket {
                name,
                owner_identity: Identity { principal_id: rules::customer_id(&bucket.account) },
                arn: bucket_arn(name),
            },
            object: SubjectObject {
                key: rules::url_encode(change.key),
                size: change.size,
                e_tag: change.e_tag.map(|e_tag| e_tag.bare()),
                version_id: change.version_id.as_deref(),
                sequencer: change.version.map(sequencer),
            },
        },
        glacier_event_data: glacier(change),
        lifecycle_event_data: lifecycle(change),
        intelligent_tiering_event_data: tiering(change),
        replication_event_data: replication(change),
        object_retention_event_data: retention(change),
    };
    // Texts and numbers always have a JSON.
    serde_json::to_string(&Message { records: [record] }).unwrap_or_default()
}

/// Who made a change.
fn caller(principal: &Principal, bucket: &Bucket, change: &Change<'_>) -> String {
    if change.is_by_s3() {
        return match change.name {
            // As AWS was seen to name the owner here.
            "Completed" => format!("AmazonCustomer:{}", rules::customer_id(&bucket.account)),
            _ => SERVICE.to_owned(),
        };
    }
    match &principal.kind {
        PrincipalKind::Anonymous => "Anonymous".to_owned(),
        PrincipalKind::Service { name } => name.clone(),
        PrincipalKind::Root => rules::customer_id(&principal.account),
        _ => format!("AWS:{}", principal.id),
    }
}

/// Stands only in events of copies that are there.
fn glacier<'a>(change: &'a Change<'_>) -> Option<GlacierEventData<'a>> {
    let More::Restored(class, until_millis) = &change.more else { return None };
    let restore_event_data = RestoreEventData {
        lifecycle_restoration_expiry_time: iso(Timestamp::from_millis(*until_millis)),
        lifecycle_restore_storage_class: class,
    };
    (change.name == "Completed").then_some(GlacierEventData { restore_event_data })
}

fn lifecycle(change: &Change<'_>) -> Option<LifecycleEventData> {
    let More::Moved(destination_storage_class) = change.more else { return None };
    let transition_event_data = TransitionEventData { destination_storage_class };
    Some(LifecycleEventData { transition_event_data })
}

fn tiering(change: &Change<'_>) -> Option<IntelligentTieringEventData> {
    let More::Tiered(destination_access_tier) = change.more else { return None };
    Some(IntelligentTieringEventData { destination_access_tier })
}

fn replication<'a>(change: &'a Change<'_>) -> Option<ReplicationEventData<'a>> {
    let More::Replicated(replicated) = &change.more else { return None };
    Some(ReplicationEventData {
        replication_rule_id: &replicated.rule_id,
        destination_bucket: bucket_arn(&replicated.destination),
        s3_operation: "OBJECT_PUT",
        request_time: iso(Timestamp::from_millis(replicated.asked_millis)),
        failure_reason: replicated.failure_reason,
    })
}

fn retention(change: &Change<'_>) -> Option<ObjectRetentionEventData> {
    let More::Retained(Some(retention)) = change.more else { return None };
    Some(ObjectRetentionEventData {
        mode: retention.mode_name(),
        retain_until_date: iso(Timestamp::from_millis(retention.until_millis)),
    })
}
