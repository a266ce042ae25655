//! Deployment packages: zip files that come in, lie as blobs and are unpacked when they run.

mod archive;
mod download;
mod files;
mod unpacked;
mod upload;

pub(crate) use archive::{MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES};
pub(crate) use download::{Owner, PLANE, location};
pub(crate) use unpacked::Unpacked;
pub(crate) use upload::{Package, Source, receive};
