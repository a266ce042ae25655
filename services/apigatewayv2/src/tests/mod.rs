//! Operations and requests through the whole pipeline.

mod apis;
mod formats;
mod plane;
mod reset;

use fogbank_core::Service;

static SERVICES: &[&Service] = &[&crate::SERVICE];
