//! Amazon Rekognition: what can be seen in images.
//!
//! Nouns: images (inline bytes, or an S3 object read with the caller's own permissions) and the faces found in them by a
//! real detector (`detector`). Nothing is stored.
//!
//! Limits: JPEG and PNG; 80 to 10,000 pixels a side; 5 MB inline, 15 MB from S3.
//!
//! What is missing: every attribute that the detector cannot know (landmarks, pose, age, emotions, …) is left out of an
//! answer, also when `Attributes=ALL` asks for it: an attribute that is absent is better than one invented. All other
//! operations answer `NotImplemented`.

mod access;
pub mod detector;
mod error;
mod faces;
#[allow(missing_docs)]
pub mod model;
#[cfg(test)]
mod tests;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    task DetectFaces => faces::detect, access::everything;
};

/// Amazon Rekognition.
pub static SERVICE: Service = Service::new(&model::SERVICE, Style::DEFAULT, OPERATIONS);
