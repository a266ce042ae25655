//! S3 Select: a query over one object, answered as a stream of events.
//!
//! The engine is [`fogbank_select`]; here stand what a request may ask for and how it is answered. What is wrong with the
//! query, or with the beginning of the object, is an error like any other; what comes up later is an event of the stream.

mod requested;
mod room;
mod stream;
mod whole;

use fogbank_core::{Access, Cx, Fault, Request, Tx, wire::Struct};
use fogbank_select::Engine;

use crate::access;
use crate::ciphers::{self, CustomerKey, Headers};
use crate::encryption;
use crate::error::Error;
use crate::model::{SelectObjectContentInput, SelectObjectContentOutput};
use crate::store;
use crate::tiering;
use crate::versions;
use whole::Whole;

/// `s3:GetObject`, which nobody has without a name.
pub(crate) fn access(request: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    if request.principal.is_anonymous() {
        return Err(Error::AccessDenied.into());
    }
    access::get_object(request, input)
}

impl From<fogbank_select::Error> for Error {
    fn from(error: fogbank_select::Error) -> Error {
        Error::Fault(Fault::new(error.code, error.message))
    }
}

/// Begins a query.
pub(crate) async fn select(
    cx: &Cx,
    input: SelectObjectContentInput,
) -> Result<SelectObjectContentOutput, Error> {
    let key = CustomerKey::read(Headers {
        algorithm: input.sse_customer_algorithm.as_deref(),
        key: input.sse_customer_key.as_deref(),
        md5: input.sse_customer_key_md5.as_deref(),
    })?;
    let at = (&*input.bucket, &*input.key);
    let object = cx.read(|tx| {
        if input.expected_bucket_owner.is_some() {
            store::expected_bucket(tx, at.0, input.expected_bucket_owner.as_deref())?;
        }
        let object = versions::read(tx, at, None)?;
        ciphers::check(&object, key.as_ref())?;
        let tiered = tiering::of(tx, at, &object)?;
        let message = "The operation is not valid for the object's access tier";
        tiering::check_readable(tiered.as_ref(), tx.now(), message)?;
        tiering::accessed(cx, at, object.version, tiered.as_ref());
        Ok::<_, Error>(object)
    })?;
    check_class(object.listed.class())?;
    let size = object.listed.size;
    let now_millis = cx.request().now.millis();
    let engine = Engine::new(requested::request(&input, size, now_millis)?)?;
    let body_key = match object.encryption() {
        None => None,
        of => encryption::open(cx, at, of, key.as_ref()).await?,
    };
    let whole = Whole::find(cx, at, &object, body_key)?;
    let wants_progress = input.request_progress.and_then(|wanted| wanted.enabled) == Some(true);
    let events = stream::Events::new(engine, whole, wants_progress)?;
    Ok(SelectObjectContentOutput { payload: events.begin().await? })
}

/// Refuses objects that AWS does not query where they lie.
fn check_class(class: &str) -> Result<(), Error> {
    if !matches!(class, "GLACIER" | "DEEP_ARCHIVE" | "REDUCED_REDUNDANCY") {
        return Ok(());
    }
    let message = "We encountered a storage class that is not supported. Only STANDARD, STANDARD_IA, and ONEZONE_IA storage classes are supported.";
    Err(Error::Fault(Fault::new("UnsupportedStorageClass", message)))
}
