//! The address that `GetFunction` gives for a package: valid for ten minutes, without credentials, as AWS's are.

use fogbank_core::store::BlobReader;
use fogbank_core::wire::BodyError;
use fogbank_core::{
    Body, BoxFuture, Cloud, Cx, DataPlane, Fault, HttpRequest, HttpResponse, Request,
};
use futures_util::TryStreamExt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::rules::target::{Target, version_name, version_number};
use crate::store::{self, Code};

const PATH: &str = "/_lambda/code/";
const VALID_SECS: i64 = 600;

/// Serves packages.
pub(crate) const PLANE: DataPlane = DataPlane { name: "lambda.code", claims, serve };

/// The address of a version's package.
pub(crate) fn location(request: &Request, target: &Target, version: u64, code: &Code) -> String {
    let expires = request.now.secs() + VALID_SECS;
    let Target { account, region, name, .. } = target;
    let path = format!("{PATH}{account}/{region}/{name}/{}", version_name(version));
    let signature = signature(code, &path, expires);
    format!("{}{path}?expires={expires}&signature={signature}", request.endpoint.url())
}

fn signature(code: &Code, path: &str, expires: i64) -> String {
    let mut mac = mac(code);
    mac.update(path.as_bytes());
    mac.update(&expires.to_be_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn mac(code: &Code) -> Hmac<Sha256> {
    Hmac::new_from_slice(code.download_key.as_bytes()).expect("HMAC takes a key of any length")
}

fn claims(head: &http::request::Parts, _: &Cloud) -> bool {
    head.uri.path().starts_with(PATH)
}

fn serve(cx: Cx, request: HttpRequest) -> BoxFuture<'static, HttpResponse> {
    Box::pin(async move {
        match open(&cx, &request) {
            Ok(Some(reader)) => {
                let len = Some(reader.len());
                let frames = reader.map_err(BodyError::from);
                let mut response = HttpResponse::new(Body::stream(len, frames));
                let kind = http::HeaderValue::from_static("application/zip");
                response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
                response
            }
            Ok(None) => refused(403, "The address is wrong or has expired."),
            Err(_) => refused(500, "The package cannot be read."),
        }
    })
}

fn refused(status: u16, why: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(Body::from(bytes::Bytes::from_static(why.as_bytes())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// The package that the address names, if the address is valid.
fn open(cx: &Cx, request: &HttpRequest) -> Result<Option<BlobReader>, Fault> {
    let path = request.uri().path();
    let parts: Vec<&str> = path.strip_prefix(PATH).unwrap_or_default().splitn(4, '/').collect();
    let [account, region, name, version] = parts.as_slice() else { return Ok(None) };
    let query = request.uri().query().unwrap_or_default();
    let given = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name)
    };
    let expires = given("expires").and_then(|pair| pair.1.parse::<i64>().ok());
    let signature = given("signature").and_then(|pair| hex::decode(pair.1).ok());
    // `$` may come encoded.
    let version = version_number(&version.replace("%24", "$"));
    let (Some(expires), Some(signature), Some(version)) = (expires, signature, version) else {
        return Ok(None);
    };
    if cx.now().secs() >= expires {
        return Ok(None);
    }
    let target = Target {
        account: (*account).to_owned(),
        region: (*region).to_owned(),
        name: (*name).to_owned(),
        qualifier: None,
    };
    let Some(row) = cx.read(|tx| store::version(tx, &target, version))? else { return Ok(None) };
    let mut mac = mac(&row.code);
    mac.update(path.replace("%24", "$").as_bytes());
    mac.update(&expires.to_be_bytes());
    if mac.verify_slice(&signature).is_err() {
        return Ok(None);
    }
    Ok(Some(cx.blobs().read(&row.code.zip, ..)?))
}
