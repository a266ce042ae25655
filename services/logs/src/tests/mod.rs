//! Operations through the whole pipeline.

mod encryption;
mod events;
mod formats;
mod groups;
mod reset;

use fogbank_core::Service;

static SERVICES: &[&Service] = &[&crate::SERVICE];

/// 2026-01-01T00:00:00Z, where a world's clock stands.
const NOW: i64 = 1_767_225_600_000;
