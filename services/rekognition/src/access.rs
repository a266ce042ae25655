//! What a call must be allowed to do.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request};

/// Actions without a resource: AWS authorises them on `*`.
pub(crate) fn everything(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}
