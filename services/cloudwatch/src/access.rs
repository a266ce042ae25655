//! For every operation: the ARN of the alarm or dashboard, and the condition keys.

use fogbank_core::wire::Struct;
use fogbank_core::{Access, Fault, Request};

use crate::model::PutMetricDataInput;

/// Operations that AWS authorises on no resource in particular.
pub(crate) fn all(_: &Request, _: &dyn Struct) -> Result<Access, Fault> {
    Ok(Access::on_all())
}

/// Publishing, which may be limited to namespaces.
pub(crate) fn namespace(_: &Request, input: &dyn Struct) -> Result<Access, Fault> {
    let namespace = input.downcast_ref::<PutMetricDataInput>().map(|input| input.namespace.clone());
    Ok(Access::on_all().with("cloudwatch:namespace", namespace))
}
