//! Presigned requests of Signature Version 2, which S3 still takes.
//!
//! AWS has retired this version elsewhere, but boto3 and version 1 of the AWS CLI presign with it in the regions that
//! once knew it, `us-east-1` first among them, unless they are told otherwise. The rules are those of "Signing and
//! authenticating REST requests (AWS Signature Version 2)" in the S3 API Reference.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::canonical::decode;
use crate::error::{Error, Mismatch};
use crate::parse::RequestView;

/// The query parameters that name a part of a resource or change its answer, and so are signed.
const SIGNED_PARAMETERS: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// A presigned request of Signature Version 2: well-formed, not yet verified.
#[derive(Clone, Debug)]
pub struct PresignedV2<'a> {
    /// The access key id.
    pub access_key_id: Cow<'a, str>,
    /// The session token of temporary credentials.
    pub session_token: Option<Cow<'a, str>>,
    /// When the request ends to be valid, in Unix seconds.
    pub expires_at: i64,
    signature: Cow<'a, str>,
}

impl<'a> PresignedV2<'a> {
    /// Reads the signature of a request whose query has one; `None` if it is incomplete.
    pub fn parse(request: &RequestView<'a>) -> Option<Self> {
        let find = |wanted: &str| {
            let mut pairs = request.raw_query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == wanted).and_then(|(_, value)| decode(value))
        };
        Some(PresignedV2 {
            access_key_id: find("AWSAccessKeyId").filter(|id| !id.is_empty())?,
            session_token: find("x-amz-security-token"),
            expires_at: find("Expires")?.parse().ok()?,
            signature: find("Signature")?,
        })
    }

    /// Verifies the signature with the secret of its owner. `bucket` is the bucket that the host named, and `now` the
    /// server's time in Unix seconds.
    pub fn verify(
        &self,
        request: &RequestView<'_>,
        bucket: Option<&str>,
        secret: &str,
        now: i64,
    ) -> Result<(), Error> {
        if now >= self.expires_at {
            return Err(Error::Ended { expires_at: self.expires_at, now });
        }
        let text = self.string_to_sign(request, bucket);
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(text.as_bytes());
        let right = STANDARD.encode(mac.finalize().into_bytes());
        if right.as_bytes().ct_eq(self.signature.as_bytes()).into() {
            return Ok(());
        }
        Err(Error::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone().into_owned(),
            signature_provided: self.signature.clone().into_owned(),
            string_to_sign: text,
            canonical_request: String::new(),
        })))
    }

    fn string_to_sign(&self, request: &RequestView<'_>, bucket: Option<&str>) -> String {
        let standard = |name: &str| {
            header(request.headers, name).or_else(|| parameter(request.raw_query, name))
        };
        let mut text = format!(
            "{}\n{}\n{}\n{}\n",
            request.method,
            standard("content-md5").unwrap_or_default(),
            standard("content-type").unwrap_or_default(),
            self.expires_at
        );
        for (name, value) in amz_headers(request) {
            text.extend([&name, ":", &value, "\n"]);
        }
        if let Some(bucket) = bucket {
            text.extend(["/", bucket]);
        }
        text.push_str(request.raw_path);
        text.push_str(&signed_query(request.raw_query));
        text
    }
}

/// The `x-amz-` headers in the order of their names; presigning moves them into the query.
fn amz_headers(request: &RequestView<'_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, _) in request.raw_query.split('&').filter_map(|pair| pair.split_once('=')) {
        let folded = name.to_ascii_lowercase();
        if folded.starts_with("x-amz-") {
            let value = parameter(request.raw_query, name).unwrap_or_default();
            found.insert(folded, value);
        }
    }
    for name in request.headers.keys().map(http::HeaderName::as_str) {
        if name.starts_with("x-amz-") {
            found.insert(name.to_owned(), header(request.headers, name).unwrap_or_default());
        }
    }
    found
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes().trim_ascii()).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    decode(value).map(|value| value.trim().to_owned())
}

/// The signed parameters in the order of their names, decoded, behind a question mark if there are any.
fn signed_query(query: &str) -> String {
    let mut signed: Vec<(&str, Option<Cow<'_, str>>)> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (name, Some(decode(value).unwrap_or(value.into()))),
            None => (pair, None),
        })
        .filter(|(name, _)| SIGNED_PARAMETERS.contains(name))
        .collect();
    signed.sort_by_key(|(name, _)| *name);
    let mut text = String::new();
    for (name, value) in signed {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        if let Some(value) = value {
            text.extend(["=", &value]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's page.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn view<'a>(
        method: &'a str,
        path: &'a str,
        query: &'a str,
        headers: &'a HeaderMap,
    ) -> RequestView<'a> {
        RequestView { method, raw_path: path, raw_query: query, host: "127.0.0.1", headers }
    }

    #[test]
    fn the_published_example_verifies_until_it_ends() {
        let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&\
                     Expires=1175139620";
        let headers = HeaderMap::new();
        let request = view("GET", "/photos/puppy.jpg", query, &headers);
        let presented = PresignedV2::parse(&request).expect("a signature");
        assert_eq!(presented.access_key_id, "AKIAIOSFODNN7EXAMPLE");
        let bucket = Some("johnsmith");
        assert_eq!(presented.verify(&request, bucket, SECRET, 1_175_139_619), Ok(()));
        assert_eq!(
            presented.verify(&request, bucket, SECRET, 1_175_139_620),
            Err(Error::Ended { expires_at: 1_175_139_620, now: 1_175_139_620 })
        );
        for (method, path, secret) in [
            ("PUT", "/photos/puppy.jpg", SECRET),
            ("GET", "/photos/other.jpg", SECRET),
            ("GET", "/photos/puppy.jpg", "guess"),
        ] {
            let request = view(method, path, query, &headers);
            let verdict = presented.verify(&request, bucket, secret, 0);
            assert!(matches!(verdict, Err(Error::SignatureDoesNotMatch(_))), "{verdict:?}");
        }
    }

    #[test]
    fn headers_and_subresources_are_signed() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static("text/plain"));
        headers.insert("x-amz-meta-b", http::HeaderValue::from_static(" two "));
        let query = "x-amz-meta-a=o%20ne&versionId=3&foo=1&acl&response-expires=a%2Fb&AWSAccessKeyId=k&\
                     Signature=s&Expires=7";
        let request = view("PUT", "/bucket/a%20b", query, &headers);
        let presented = PresignedV2::parse(&request).expect("a signature");
        assert_eq!(
            presented.string_to_sign(&request, None),
            "PUT\n\ntext/plain\n7\nx-amz-meta-a:o ne\nx-amz-meta-b:two\n\
             /bucket/a%20b?acl&response-expires=a/b&versionId=3"
        );
    }

    #[test]
    fn what_is_incomplete_is_no_signature() {
        let headers = HeaderMap::new();
        for query in
            ["", "AWSAccessKeyId=k&Signature=s", "AWSAccessKeyId=k&Signature=s&Expires=soon"]
        {
            assert!(PresignedV2::parse(&view("GET", "/", query, &headers)).is_none(), "{query}");
        }
    }
}
