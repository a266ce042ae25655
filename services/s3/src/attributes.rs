//! GetObjectAttributes.

use fogbank_core::{Cx, ReadTx};

use crate::checksums::{Algorithm, Checksums};
use crate::ciphers::{self, CustomerKey};
use crate::directory;
use crate::encryption;
use crate::error::Error;
use crate::listing;
use crate::model::{
    Checksum as ShownChecksum, GetObjectAttributesInput, GetObjectAttributesOutput,
    GetObjectAttributesParts, ObjectPart,
};
use crate::payment;
use crate::store::{self, Encryption, Object, PARTS};
use crate::versions;

/// Tells what is asked for of an object, and nothing else.
pub(crate) async fn get(
    cx: &Cx,
    input: GetObjectAttributesInput,
) -> Result<GetObjectAttributesOutput, Error> {
    let (output, encryption) = cx.read(|tx| read(tx, &input))?;
    // AWS documents it for checksums. That parts, which tell theirs, are the same is a guess.
    if output.checksum.is_some() || output.object_parts.is_some() {
        let at = (&*input.bucket, &*input.key);
        encryption::check_may_open(cx, at, encryption.as_ref()).await?;
    }
    Ok(output)
}

fn read(
    tx: &ReadTx<'_>,
    input: &GetObjectAttributesInput,
) -> Result<(GetObjectAttributesOutput, Option<Encryption>), Error> {
    const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
    if let Some(unknown) =
        input.object_attributes.iter().find(|attribute| !KNOWN.contains(&attribute.as_str()))
    {
        let message = "Invalid attribute name specified.";
        return Err(Error::argument("x-amz-object-attributes", unknown, message));
    }
    if input.expected_bucket_owner.is_some() {
        store::expected_bucket(tx, &input.bucket, input.expected_bucket_owner.as_deref())?;
    }
    let at = (&*input.bucket, &*input.key);
    let object = versions::read(tx, at, input.version_id.as_deref())?;
    let key = CustomerKey::read(ciphers::Headers {
        algorithm: input.sse_customer_algorithm.as_deref(),
        key: input.sse_customer_key.as_deref(),
        md5: input.sse_customer_key_md5.as_deref(),
    })?;
    ciphers::check(&object, key.as_ref())?;
    let wants = |name: &str| input.object_attributes.iter().any(|attribute| attribute == name);
    let listed = &object.listed;
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(listed.modified()),
        version_id: object.version_id(),
        request_charged: payment::charged_by_name(tx, at.0, input.request_payer.as_deref())?,
        ..GetObjectAttributesOutput::default()
    };
    if wants("ETag") {
        // Here alone the ETag stands without quotes.
        output.e_tag = Some(listed.e_tag.bare());
    }
    if wants("ObjectSize") {
        output.object_size = i64::try_from(listed.size).ok();
    }
    if wants("StorageClass") {
        output.storage_class = Some(listed.class().to_owned());
    }
    if wants("Checksum")
        && let Some(checksum) = &listed.checksum
    {
        let mut shown = ShownChecksum {
            checksum_type: Some(checksum.type_name().to_owned()),
            ..ShownChecksum::default()
        };
        let bare = crate::checksums::Checksum::full(checksum.algorithm, checksum.value.clone());
        shown.set_checksum(checksum.algorithm, bare.text(0));
        output.checksum = Some(shown);
    }
    if wants("ObjectParts") {
        output.object_parts = parts(tx, input, &object)?;
    }
    Ok((output, object.encryption().cloned()))
}

/// The parts of an object that was uploaded in parts. S3 lists them only beside a composite checksum, but in a directory bucket
/// always.
fn parts(
    tx: &ReadTx<'_>,
    input: &GetObjectAttributesInput,
    object: &Object,
) -> Result<Option<GetObjectAttributesParts>, Error> {
    let Some(of_object) = &object.parts else { return Ok(None) };
    let upload = of_object.number;
    let total_parts_count = Some(i32::from(of_object.count()));
    let composite = object.listed.checksum.as_ref().filter(|checksum| checksum.is_composite);
    let algorithm = composite.map(|checksum| checksum.algorithm);
    if algorithm.is_none() && !directory::is_name(&input.bucket) {
        let parts = GetObjectAttributesParts { total_parts_count, ..Default::default() };
        return Ok(Some(parts));
    }
    let (max_parts, limit) = listing::limit("x-amz-max-parts", input.max_parts)?;
    let marker = input.part_number_marker.unwrap_or_default();
    let after = (upload, crate::parts::marker("x-amz-part-number-marker", marker)?);
    let (rows, is_truncated) = match limit {
        0 => (Vec::new(), false),
        limit => PARTS.page(tx, &(upload,), Some(&after), limit)?,
    };
    let next = rows.last().map_or(0, |((_, number), _)| i32::from(*number));
    let parts = rows.iter().map(|((_, number), part)| shown_part(*number, part, algorithm));
    Ok(Some(GetObjectAttributesParts {
        total_parts_count,
        part_number_marker: Some(marker),
        next_part_number_marker: Some(next),
        max_parts: Some(max_parts),
        is_truncated: Some(is_truncated),
        parts: Some(parts.collect()),
    }))
}

fn shown_part(number: u16, part: &store::Part, algorithm: Option<Algorithm>) -> ObjectPart {
    let mut shown = ObjectPart {
        part_number: Some(i32::from(number)),
        size: i64::try_from(part.size).ok(),
        ..ObjectPart::default()
    };
    if algorithm == Some(part.checksum.algorithm) {
        shown.set_checksum(part.checksum.algorithm, part.checksum.text(0));
    }
    shown
}
