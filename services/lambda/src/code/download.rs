//! The address that `GetFunction` gives for a package: valid for ten minutes, without credentials, as AWS's are.

use fogbank_core::store::{BlobReader, Read};
use fogbank_core::wire::BodyError;
use fogbank_core::{
    Body, BoxFuture, Cloud, Cx, DataPlane, Fault, HttpRequest, HttpResponse, Request,
};
use futures_util::TryStreamExt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::layers::{self, LayerId};
use crate::rules::target::{Target, version_name, version_number};
use crate::store::{self, Code};

const PATH: &str = "/_lambda/code/";
const VALID_SECS: i64 = 600;

/// Serves packages.
pub(crate) const PLANE: DataPlane = DataPlane { name: "lambda.code", claims, serve };

/// What a package belongs to.
pub(crate) enum Owner {
    /// A version of a function.
    Function(Target, u64),
    /// A version of a layer.
    Layer(LayerId, u64),
}

impl Owner {
    /// Reads back what stands in an address.
    fn parse(path: &str) -> Option<Owner> {
        let parts: Vec<&str> = path.strip_prefix(PATH)?.splitn(5, '/').collect();
        let [kind, account, region, name, version] = parts.as_slice() else { return None };
        let (account, region, name) =
            ((*account).to_owned(), (*region).to_owned(), (*name).to_owned());
        // `$` may come encoded.
        let number = version_number(&version.replace("%24", "$"))?;
        match *kind {
            "function" => {
                Some(Owner::Function(Target { account, region, name, qualifier: None }, number))
            }
            "layer" => Some(Owner::Layer(LayerId { account, region, name, version: None }, number)),
            _ => None,
        }
    }

    fn path(&self) -> String {
        match self {
            Owner::Function(Target { account, region, name, .. }, number) => {
                format!("{PATH}function/{account}/{region}/{name}/{}", version_name(*number))
            }
            Owner::Layer(LayerId { account, region, name, .. }, number) => {
                format!("{PATH}layer/{account}/{region}/{name}/{number}")
            }
        }
    }

    fn code(&self, tx: &impl Read) -> Result<Option<Code>, fogbank_core::store::Error> {
        match self {
            Owner::Function(target, number) => {
                Ok(store::version(tx, target, *number)?.map(|version| version.code))
            }
            Owner::Layer(id, number) => layers::package(tx, id, *number),
        }
    }
}

/// The address of a package.
pub(crate) fn location(request: &Request, owner: &Owner, code: &Code) -> String {
    let expires = request.now.secs() + VALID_SECS;
    let path = owner.path();
    let signature = hex::encode(mac(code, &path, expires).finalize().into_bytes());
    format!("{}{path}?expires={expires}&signature={signature}", request.endpoint.url())
}

fn mac(code: &Code, path: &str, expires: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(code.download_key.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(path.as_bytes());
    mac.update(&expires.to_be_bytes());
    mac
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
    let query = request.uri().query().unwrap_or_default();
    let given = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name)
    };
    let expires = given("expires").and_then(|pair| pair.1.parse::<i64>().ok());
    let signature = given("signature").and_then(|pair| hex::decode(pair.1).ok());
    let owner = Owner::parse(request.uri().path());
    let (Some(expires), Some(signature), Some(owner)) = (expires, signature, owner) else {
        return Ok(None);
    };
    if cx.now().secs() >= expires {
        return Ok(None);
    }
    let Some(code) = cx.read(|tx| owner.code(tx))? else { return Ok(None) };
    if mac(&code, &owner.path(), expires).verify_slice(&signature).is_err() {
        return Ok(None);
    }
    Ok(Some(cx.blobs().read(&code.zip, ..)?))
}
