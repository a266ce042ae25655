//! Uploads to S3 by HTML forms: `POST` of `multipart/form-data` to a bucket, signed by a policy in the form.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fogbank_core::wire::{Body, BodyError};
use fogbank_core::{Cx, Fault, HttpResponse, Principal, RequestSignature, Timestamp};
use fogbank_sigv4::post::{self, Allowed, FormSignature, PostError};
use fogbank_sigv4::{AmzDate, Error as SignatureError, Style};
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use multer::{Field, Multipart};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::authenticate::{self, Refusal, Token};
use crate::catalogue::Entry;
use crate::failures::{self, Form};
use crate::hosts;
use crate::pipeline::{self, Exchange};
use crate::watched::Watched;

/// The most bytes of all fields before the file.
const FIELDS_LIMIT: usize = 20 * 1024;
/// Tells PutObject that the length of a form's file is known only at its end.
const UNKNOWN_LENGTH: i64 = -1;

/// Fields that are members of PutObject's input.
const MEMBERS: [(&str, &str); 33] = [
    ("acl", "ACL"),
    ("cache-control", "CacheControl"),
    ("content-disposition", "ContentDisposition"),
    ("content-encoding", "ContentEncoding"),
    ("content-language", "ContentLanguage"),
    ("content-md5", "ContentMD5"),
    ("content-type", "ContentType"),
    ("expires", "Expires"),
    ("x-amz-storage-class", "StorageClass"),
    ("x-amz-website-redirect-location", "WebsiteRedirectLocation"),
    ("x-amz-server-side-encryption", "ServerSideEncryption"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"),
    ("x-amz-server-side-encryption-context", "SSEKMSEncryptionContext"),
    ("x-amz-server-side-encryption-customer-algorithm", "SSECustomerAlgorithm"),
    ("x-amz-server-side-encryption-customer-key", "SSECustomerKey"),
    ("x-amz-server-side-encryption-customer-key-md5", "SSECustomerKeyMD5"),
    ("x-amz-object-lock-mode", "ObjectLockMode"),
    ("x-amz-object-lock-legal-hold", "ObjectLockLegalHoldStatus"),
    ("x-amz-object-lock-retain-until-date", "ObjectLockRetainUntilDate"),
    ("x-amz-sdk-checksum-algorithm", "ChecksumAlgorithm"),
    ("x-amz-checksum-crc32", "ChecksumCRC32"),
    ("x-amz-checksum-crc32c", "ChecksumCRC32C"),
    ("x-amz-checksum-crc64nvme", "ChecksumCRC64NVME"),
    ("x-amz-checksum-md5", "ChecksumMD5"),
    ("x-amz-checksum-sha1", "ChecksumSHA1"),
    ("x-amz-checksum-sha256", "ChecksumSHA256"),
    ("x-amz-checksum-sha512", "ChecksumSHA512"),
    ("x-amz-checksum-xxhash128", "ChecksumXXHASH128"),
    ("x-amz-checksum-xxhash3", "ChecksumXXHASH3"),
    ("x-amz-checksum-xxhash64", "ChecksumXXHASH64"),
    ("x-amz-request-payer", "RequestPayer"),
    ("x-amz-tagging", "Tagging"),
    ("x-amz-expected-bucket-owner", "ExpectedBucketOwner"),
];

/// The field of the one member that is no text.
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// Whether a request uploads a form to a bucket, and which.
pub(crate) fn bucket<'a>(parts: &'a Parts, host: &'a str) -> Option<&'a str> {
    let content_type = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let is_form = parts.method == Method::POST
        && content_type.to_ascii_lowercase().starts_with("multipart/form-data")
        && parts.uri.query().is_none_or(str::is_empty)
        && !parts.headers.contains_key(http::header::AUTHORIZATION);
    let path = parts.uri.path().trim_matches('/');
    let bucket = hosts::bucket(host).filter(|_| path.is_empty()).unwrap_or(path);
    (is_form && !bucket.is_empty() && !bucket.contains('/')).then_some(bucket)
}

/// The fields before the file, and the file.
struct Read {
    fields: Vec<(String, String)>,
    file: Field<'static>,
}

/// Serves an upload.
pub(crate) async fn serve(
    exchange: &Exchange<'_>,
    bucket: &str,
    parts: &Parts,
    body: Body,
) -> HttpResponse {
    let Some(entry) = exchange.gateway.catalogue.by_name("s3") else {
        return crate::admin::response(404, "text/plain", Bytes::new().into());
    };
    let bucket = percent_decode_str(bucket).decode_utf8_lossy().into_owned();
    let begun = Instant::now();
    let mut watched = Watched::of_form(exchange, entry, &bucket);
    let response = match upload(exchange, entry, &bucket, parts, body, &mut watched).await {
        Ok(response) => response,
        Err(fault) => {
            exchange.log("s3", parts, &fault);
            if let Some(watched) = &mut watched {
                watched.error_code = Some(fault.name().to_owned());
            }
            let protocol = entry.first_protocol();
            let form = Form { entry, protocol, query_mode: false, request_id: &exchange.id };
            pipeline::into_http(failures::render(&fault, &form))
        }
    };
    if let Some(watched) = watched {
        let (head, mut body) = response.into_parts();
        let answer = (head.status.as_u16(), &head.headers, &mut body);
        watched.tell(exchange, ("s3", "PutObject"), parts, answer, begun);
        return HttpResponse::from_parts(head, body);
    }
    response
}

async fn upload(
    exchange: &Exchange<'_>,
    entry: &Entry,
    bucket: &str,
    parts: &Parts,
    body: Body,
    watched: &mut Option<Watched>,
) -> Result<HttpResponse, Fault> {
    let mut read = read(parts, body).await?;
    let file_name = read.file.file_name().unwrap_or_default().to_owned();
    let field = read.fields.iter_mut().find(|(name, _)| name == "key");
    let (_, field) = field.ok_or_else(|| missing("key"))?;
    *field = field.replace("${filename}", &file_name);
    let key = field.clone();
    let (principal, signature, allowed) = caller(exchange, bucket, &read.fields)?;
    if let Some(watched) = watched {
        watched.found(&key, &principal);
    }
    let known =
        entry.operation("PutObject").ok_or_else(|| Fault::not_implemented("s3", "PutObject"))?;
    let mut input = (known.op.input)();
    // A field without a value stands for nothing.
    let given = input_of(bucket, &key, &read.fields)?;
    fogbank_core::wire::from_json(&given, &mut *input)
        .map_err(|rejection| pipeline::rejected(&rejection, entry.first_protocol(), entry))?;
    let settings = exchange.cloud.settings();
    let account = match principal.account.as_str() {
        "" => settings.account.clone(),
        account => account.to_owned(),
    };
    let region = settings.region.clone();
    let headers = &parts.headers;
    let mut request = exchange.request("s3", "PutObject", principal, account, region, headers);
    request.signature = signature;
    let cx = Cx::new(exchange.cloud.clone(), request);
    let fields = std::mem::take(&mut read.fields);
    fogbank_core::wire::put_body(&mut *input, limited(read.file, allowed));
    let mut output = pipeline::perform(exchange.gateway, known, cx, input).await?;
    // The headers are those of PutObject; the status and the body are the form's own.
    let (service, protocol) = (entry.service, entry.first_protocol());
    let encoded = fogbank_core::wire::encode(
        protocol,
        service.model,
        known.op.model,
        &service.style,
        &mut *output,
        &exchange.id,
    );
    Ok(answer(exchange, bucket, &key, &fields, encoded.headers))
}

fn missing(name: &str) -> Fault {
    let message = format!(
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    );
    Fault::new("InvalidArgument", message).with("ArgumentName", name).with("ArgumentValue", "")
}

fn broken(error: &multer::Error) -> Fault {
    let message = "The body of your POST request is not well-formed multipart/form-data.";
    Fault::new("MalformedPOSTRequest", message).because(error)
}

/// Reads the fields up to the file.
async fn read(parts: &Parts, body: Body) -> Result<Read, Fault> {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary =
        multer::parse_boundary(content_type.unwrap_or_default()).map_err(|error| broken(&error))?;
    let frames =
        futures_util::stream::unfold(
            body,
            |mut body| async move { Some((body.next().await?, body)) },
        );
    let mut form = Multipart::new(Box::pin(frames), boundary);
    let (mut fields, mut size) = (Vec::new(), 0);
    while let Some(mut field) = form.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_ascii_lowercase();
        if name == "file" {
            return Ok(Read { fields, file: field });
        }
        let mut value = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
            size += chunk.len();
            if size > FIELDS_LIMIT {
                let message = "Your POST request fields preceding the upload file were too large.";
                let fault = Fault::new("MaxPostPreDataLengthExceeded", message).with_status(400);
                return Err(fault);
            }
            value.extend_from_slice(&chunk);
        }
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    let message = "POST requires exactly one file upload per request.";
    let fault = Fault::new("IncorrectNumberOfFilesInPostRequest", message).with_status(400);
    Err(fault.with("ArgumentName", "file").with("ArgumentValue", "0"))
}

/// Who signed the form, and what its policy allows of the file.
fn caller(
    exchange: &Exchange<'_>,
    bucket: &str,
    fields: &post::Fields,
) -> Result<(Arc<Principal>, Option<RequestSignature>, Allowed), Fault> {
    let signature = FormSignature::read(fields).map_err(refusal)?;
    let (Some(signature), Some(policy)) = (signature, post::field(fields, "policy")) else {
        return Ok((Principal::anonymous().into(), None, Allowed::default()));
    };
    let gateway = exchange.gateway;
    let now = gateway.cloud.clock().now();
    let token = Token::Security(post::field(fields, "x-amz-security-token"));
    let credential = authenticate::credential(gateway, signature.access_key_id(), token, now)
        .map_err(|refused| match refused {
            Refusal::Ours(fault) => fault,
            Refusal::Signature(error) => authenticate::fault(&error, Style::S3Xml),
        })?;
    if let Some(secret) = &credential.secret {
        signature.verify(policy, secret).map_err(refusal)?;
    }
    let allowed = post::check(policy, fields, bucket, now.secs()).map_err(refusal)?;
    let signed = RequestSignature {
        version: match signature {
            FormSignature::V4 { .. } => "AWS4-HMAC-SHA256",
            FormSignature::V2 { .. } => "AWS",
        },
        auth_type: "POST",
        signed_at: post::field(fields, "x-amz-date").and_then(|date| {
            let date = AmzDate::parse(date.as_bytes())?;
            Some(gateway.cloud.clock().at(Timestamp::from_secs(date.unix_secs())))
        }),
        content_sha256: None,
    };
    Ok((credential.principal.clone(), Some(signed), allowed))
}

fn refusal(error: PostError) -> Fault {
    match error {
        PostError::MissingField(name) => missing(name),
        PostError::Malformed(what) => {
            Fault::new("InvalidPolicyDocument", format!("Invalid Policy: {what}")).with_status(400)
        }
        PostError::Refused(what) => {
            Fault::access_denied(format!("Invalid according to Policy: {what}"))
        }
        PostError::WrongSignature(mismatch) => {
            authenticate::fault(&SignatureError::SignatureDoesNotMatch(mismatch), Style::S3Xml)
        }
    }
}

/// The form as the input of PutObject.
fn input_of(bucket: &str, key: &str, fields: &post::Fields) -> Result<Value, Fault> {
    let mut input = Map::new();
    input.insert("Bucket".to_owned(), bucket.into());
    input.insert("Key".to_owned(), key.into());
    input.insert("ContentLength".to_owned(), UNKNOWN_LENGTH.into());
    let mut metadata = Map::new();
    for (name, value) in fields {
        if let Some(name) = name.strip_prefix("x-amz-meta-") {
            metadata.insert(name.to_owned(), value.as_str().into());
        } else if name == "tagging" {
            input.insert("Tagging".to_owned(), tags(value)?.into());
        } else if name == BUCKET_KEY {
            input.insert("BucketKeyEnabled".to_owned(), value.eq_ignore_ascii_case("true").into());
        } else if let Some((_, member)) = MEMBERS.iter().find(|(field, _)| field == name)
            && !value.is_empty()
        {
            input.insert((*member).to_owned(), value.as_str().into());
        }
    }
    input.insert("Metadata".to_owned(), Value::Object(metadata));
    Ok(Value::Object(input))
}

/// The tags of a form, an XML document, as the header that PutObject has.
fn tags(document: &str) -> Result<String, Fault> {
    let malformed = || {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Fault::new("MalformedXML", message)
    };
    let mut pairs = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find("<Tag>") {
        let end = rest[start..].find("</Tag>").ok_or_else(malformed)? + start;
        let tag = &rest[start..end];
        let text = |name: &str| -> Option<String> {
            let (_, after) = tag.split_once(&format!("<{name}>"))?;
            let (text, _) = after.split_once(&format!("</{name}>"))?;
            let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            Some(plain.replace("&apos;", "'").replace("&amp;", "&"))
        };
        let (Some(key), Some(value)) = (text("Key"), text("Value")) else {
            return Err(malformed());
        };
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        pairs.push(format!("{}={}", encode(&key), encode(&value)));
        rest = &rest[end..];
    }
    if !document.contains("</Tagging>") {
        return Err(malformed());
    }
    Ok(pairs.join("&"))
}

/// The file as a body that ends with an error where the policy does not allow its length.
fn limited(file: Field<'static>, allowed: Allowed) -> Body {
    let frames = futures_util::stream::unfold((Some(file), 0u64), move |(file, size)| async move {
        let mut file = file?;
        let (least, most) = allowed.length.unwrap_or((0, u64::MAX));
        let (frame, size) = match file.chunk().await {
            Ok(Some(chunk)) => {
                let size = size + chunk.len() as u64;
                if size <= most {
                    return Some((Ok(chunk), (Some(file), size)));
                }
                (Err(wrong_size("EntityTooLarge", "exceeds the maximum", size, most)), size)
            }
            Ok(None) if size < least => {
                let name = "EntityTooSmall";
                (Err(wrong_size(name, "is smaller than the minimum", size, least)), size)
            }
            Ok(None) => return None,
            Err(error) => (Err(broken(&error).into()), size),
        };
        Some((frame, (None, size)))
    });
    Body::stream(None, frames)
}

fn wrong_size(name: &'static str, how: &str, size: u64, limit: u64) -> BodyError {
    let message = format!("Your proposed upload {how} allowed size");
    let limit_name = if name == "EntityTooLarge" { "MaxSizeAllowed" } else { "MinSizeAllowed" };
    let fault = Fault::new(name, message).with("ProposedSize", size.to_string());
    fault.with(limit_name, limit.to_string()).into()
}

/// What is encoded of names in a form's answers, slashes too.
const TOLD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What the client is told: a redirection, a document, or a status.
fn answer(
    exchange: &Exchange<'_>,
    bucket: &str,
    key: &str,
    fields: &post::Fields,
    mut headers: HeaderMap,
) -> HttpResponse {
    let e_tag = headers.get(ETAG).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let e_tag = e_tag.to_owned();
    let encode = |text: &str| utf8_percent_encode(text, TOLD).to_string();
    let location = format!("{}/{bucket}/{}", exchange.endpoint.url(), encode(key));
    let mut set = |name: http::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let redirect = post::field(fields, "success_action_redirect")
        .or_else(|| post::field(fields, "redirect"))
        .filter(|url| url.starts_with("http://") || url.starts_with("https://"));
    let wanted = post::field(fields, "success_action_status");
    let (status, body) = match (redirect, wanted) {
        (Some(url), _) => {
            let separator = if url.contains('?') { '&' } else { '?' };
            let (bucket, key, tag) = (encode(bucket), encode(key), encode(&e_tag));
            set(LOCATION, &format!("{url}{separator}bucket={bucket}&key={key}&etag={tag}"));
            (StatusCode::SEE_OTHER, String::new())
        }
        (None, Some("201")) => {
            set(LOCATION, &location);
            set(CONTENT_TYPE, "application/xml");
            let text =
                |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket><Key>{}</Key><ETag>{}</ETag></PostResponse>",
                text(&location),
                text(bucket),
                text(key),
                text(&e_tag)
            );
            (StatusCode::CREATED, body)
        }
        (None, Some("200")) => (StatusCode::OK, String::new()),
        (None, _) => {
            set(LOCATION, &location);
            (StatusCode::NO_CONTENT, String::new())
        }
    };
    let mut response = HttpResponse::new(Bytes::from(body).into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
