//! Iceberg tables that strangers wrote: metadata, manifests and lists of them. What is read is written and read again.
#![no_main]

use fogbank_iceberg::{
    Commit, DataFile, ManifestFile, Removal, Requirement, Table, Update, read_manifest,
    read_manifest_list,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn commit() -> Commit {
    Commit { snapshot_id: 9, uuid: "00000000-0000-4000-8000-000000000009".to_owned(), now_millis: 9 }
}

/// Changes a table for which every object that it wants is the same bytes.
fn change(table: &Table, object: &[u8], removal: Removal) {
    let file = DataFile { path: "s3://b/f".to_owned(), format: "PARQUET".to_owned(), ..DataFile::default() };
    let mut transaction = table.overwrite(commit(), removal, vec![file]);
    while transaction.wants().is_some() {
        if transaction.give(object).is_err() {
            return;
        }
    }
    let Ok(change) = transaction.finish() else { return };
    for (path, bytes) in &change.objects {
        if path.contains("/snap-") {
            read_manifest_list(bytes).expect("what was written is read");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => {
            if let Ok(table) = Table::from_json(rest, Some("s3://b/metadata/00001-x.metadata.json")) {
                let again = table.to_json();
                assert_eq!(Table::from_json(&again, None).expect("metadata").to_json(), again);
                change(&table, &[], Removal::Nothing);
                let mut expiry = table.expire_snapshots(i64::MAX, 1, i64::MAX);
                while expiry.wants().is_some() && expiry.give(&[]).is_ok() {}
            }
        }
        1 => {
            let _ = read_manifest_list(rest);
            let from = ManifestFile { sequence_number: 1, ..ManifestFile::default() };
            if let Ok(manifest) = read_manifest(rest, &from) {
                manifest.take_while(Result::is_ok).for_each(drop);
            }
        }
        _ => {
            // A request of a catalog's client: `requirements`, `updates`.
            let Ok(request) = serde_json::from_slice::<Value>(rest) else { return };
            let each = |key: &str| request[key].as_array().cloned().unwrap_or_default();
            let updates: Result<Vec<_>, _> = each("updates").into_iter().map(Update::from_json).collect();
            let Ok(updates) = updates else { return };
            let Ok(table) = Table::updated(None, updates.clone(), "u", 1) else { return };
            for requirement in each("requirements") {
                if let Ok(requirement) = Requirement::from_json(requirement) {
                    let _ = requirement.check(Some(&table));
                }
            }
            Table::from_json(&table.to_json(), None).expect("what was made is read");
            let _ = Table::updated(Some(&table), updates, "u", 2);
        }
    }
});
