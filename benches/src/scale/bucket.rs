//! The requests for objects: small ones in two halves, in folders of a thousand each.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::replay::Bytes;
use crate::workload::s3_with;

/// The bucket with a thousand objects, each in a folder of its own.
pub(super) const SMALL: &str = "scale-small";
/// The bucket with all objects.
pub(super) const LARGE: &str = "scale-large";
/// The bucket with many versions of a thousand objects.
pub(super) const VERSIONED: &str = "scale-versioned";

/// How many entries a page has.
pub(super) const PAGE: u64 = 1000;
/// The half of the objects that stays, and that which a lifecycle expires.
pub(super) const STAYING: &str = "staying/";
pub(super) const EXPIRING: &str = "expiring/";

/// The key of an object of the large bucket; the first half of the numbers expires.
pub(super) fn key(n: u64, objects: u64) -> String {
    let half = if n < objects / 2 { EXPIRING } else { STAYING };
    format!("{half}folder-{:05}/object-{n:08}", n / PAGE)
}

/// The key of an object of the small bucket.
pub(super) fn small_key(n: u64) -> String {
    format!("{STAYING}folder-{n:05}/object-{n:08}")
}

/// Makes a bucket.
pub(super) fn create(host: &str, bucket: &str) -> Bytes {
    s3_with(host, ("PUT", &format!("/{bucket}")), &[], &[])
}

/// Deletes a bucket.
pub(super) fn delete(host: &str, bucket: &str) -> Bytes {
    s3_with(host, ("DELETE", &format!("/{bucket}")), &[], &[])
}

/// Writes a small object.
pub(super) fn put(host: &str, bucket: &str, key: &str) -> Bytes {
    s3_with(host, ("PUT", &format!("/{bucket}/{key}")), &[], key.as_bytes())
}

/// Reads an object.
pub(super) fn get(host: &str, bucket: &str, key: &str) -> Bytes {
    s3_with(host, ("GET", &format!("/{bucket}/{key}")), &[], &[])
}

/// Lists a page of a bucket; `query` is the rest of the query, encoded.
pub(super) fn list(host: &str, bucket: &str, query: &str) -> Bytes {
    s3_with(host, ("GET", &format!("/{bucket}?list-type=2&{query}")), &[], &[])
}

/// Lists a page of a bucket's versions.
pub(super) fn list_versions(host: &str, bucket: &str, query: &str) -> Bytes {
    s3_with(host, ("GET", &format!("/{bucket}?versions&{query}")), &[], &[])
}

/// A request whose body is a document.
fn document(host: &str, method: &str, path: &str, body: &str) -> Bytes {
    let sha256 = STANDARD.encode(Sha256::digest(body.as_bytes()));
    s3_with(host, (method, path), &[("x-amz-checksum-sha256", sha256)], body.as_bytes())
}

/// Removes the objects with these keys.
pub(super) fn delete_objects(host: &str, bucket: &str, keys: &[String]) -> Bytes {
    let mut body = String::from("<Delete><Quiet>true</Quiet>");
    for key in keys {
        body.push_str(&format!("<Object><Key>{key}</Key></Object>"));
    }
    body.push_str("</Delete>");
    document(host, "POST", &format!("/{bucket}?delete"), &body)
}

/// Has a bucket keep versions.
pub(super) fn keep_versions(host: &str, bucket: &str) -> Bytes {
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    document(host, "PUT", &format!("/{bucket}?versioning"), body)
}

/// Has the objects under a prefix expire a day after they were written.
pub(super) fn expire(host: &str, bucket: &str, prefix: &str) -> Bytes {
    let body = format!(
        "<LifecycleConfiguration><Rule><ID>scale</ID><Filter><Prefix>{prefix}</Prefix></Filter>\
         <Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>\
         </LifecycleConfiguration>"
    );
    document(host, "PUT", &format!("/{bucket}?lifecycle"), &body)
}

/// The texts of all elements of a name within an answer whose texts need no unescaping.
pub(super) fn texts(answer: &[u8], name: &str) -> Vec<String> {
    let answer = String::from_utf8_lossy(answer);
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let pieces = answer.split(&*begin).skip(1);
    pieces.filter_map(|piece| Some(piece.split_once(&*end)?.0.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_in_order_and_texts_are_found() {
        let keys: Vec<String> = (0..4000).map(|n| key(n, 4000)).collect();
        assert!(keys.is_sorted());
        assert_eq!(keys[1999], "expiring/folder-00001/object-00001999");
        assert_eq!(keys[2000], "staying/folder-00002/object-00002000");
        let answer = b"<R><C><Key>a</Key></C><C><Key>b/c</Key></C></R>";
        assert_eq!(texts(answer, "Key"), ["a", "b/c"]);
    }
}
