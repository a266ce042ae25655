//! Metadata and manifests that strangers wrote, or a disk has damaged.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn other_versions_and_broken_metadata_are_refused() {
    let good: serde_json::Value = serde_json::from_slice(&table(&[]).to_json()).expect("JSON");
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = good.clone();
        change(&mut json);
        Table::from_json(json.to_string().as_bytes(), None).expect_err("refused")
    };
    assert!(matches!(refused(&|json| json["format-version"] = json!(4)), Error::Unsupported(_)));
    assert!(matches!(refused(&|json| json["current-schema-id"] = json!(7)), Error::Invalid(_)));
    assert!(matches!(refused(&|json| json["current-snapshot-id"] = json!(7)), Error::Invalid(_)));
    assert!(matches!(refused(&|json| json["location"] = json!(null)), Error::Invalid(_)));
    assert!(matches!(refused(&|json| json["schemas"] = json!([])), Error::Invalid(_)));
    assert!(matches!(Table::from_json(b"{", None), Err(Error::Invalid(_))));
    assert!(matches!(Table::from_json(&[0x1f, 0x8b, 0], None), Err(Error::Invalid(_))));
}

/// An uncompressed file of Avro.
fn avro(schema: serde_json::Value, rows: i64, block: &[u8]) -> Vec<u8> {
    let mut file = b"Obj\x01".to_vec();
    avro::put_long(&mut file, 1);
    avro::put_bytes(&mut file, b"avro.schema");
    avro::put_bytes(&mut file, schema.to_string().as_bytes());
    avro::put_long(&mut file, 0);
    file.extend_from_slice(&[7; 16]);
    avro::put_long(&mut file, rows);
    avro::put_bytes(&mut file, block);
    file.extend_from_slice(&[7; 16]);
    file
}

#[test]
fn files_that_promise_too_much_are_refused() {
    let record =
        |kind| json!({"type": "record", "name": "r", "fields": [{"name": "f", "type": kind}]});
    // A list of two thousand million nulls takes five bytes.
    let mut many = Vec::new();
    avro::put_long(&mut many, 2_000_000_000);
    let nulls = avro(record(json!({"type": "array", "items": "null"})), 1, &many);
    assert!(matches!(read_manifest_list(&nulls), Err(Error::Unsupported(_))));
    let nothing = avro(record(json!("null")), i64::MAX, &[]);
    assert!(matches!(read_manifest_list(&nothing), Err(Error::Invalid(_))));
    // Each record is twice the one before.
    let mut fields =
        vec![json!({"name": "f0", "type": {"type": "record", "name": "r0", "fields": [
        {"name": "a", "type": "int"}]}})];
    for number in 1..50 {
        let before = format!("r{}", number - 1);
        fields.push(json!({"name": format!("f{number}"), "type": {"type": "record",
            "name": format!("r{number}"), "fields": [
                {"name": "a", "type": before}, {"name": "b", "type": before}]}}));
    }
    let doubled = json!({"type": "record", "name": "r", "fields": fields});
    assert!(read_manifest_list(&avro(doubled, 1, &vec![0; 1 << 21])).is_err());
    let within = json!({"type": "record", "name": "r", "fields": [{"name": "f", "type": "r"}]});
    assert!(matches!(read_manifest_list(&avro(within, 1, &[])), Err(Error::Invalid(_))));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_manifest_list(&bytes);
        let _ = Table::from_json(&bytes, None);
        let from = ManifestFile::default();
        if let Ok(manifest) = read_manifest(&bytes, &from) {
            manifest.take_while(Result::is_ok).for_each(drop);
        }
    }

    #[test]
    fn damaged_manifests_do_no_harm(places in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let mut bucket = Bucket::default();
        let base = bucket.take(table(&[]).write(&uuid(1)));
        bucket.commit(base.append(commit(2), vec![file("a"), file("b")])).expect("a table");
        for (path, bytes) in &bucket.0 {
            let mut bytes = bytes.to_vec();
            for (place, byte) in &places {
                let length = bytes.len();
                bytes[place % length] = *byte;
            }
            if path.ends_with(".json") {
                let _ = Table::from_json(&bytes, None);
            }
            let _ = read_manifest_list(&bytes);
            let from = ManifestFile { sequence_number: 1, ..ManifestFile::default() };
            if let Ok(manifest) = read_manifest(&bytes, &from) {
                manifest.take_while(Result::is_ok).for_each(drop);
            }
        }
    }
}
