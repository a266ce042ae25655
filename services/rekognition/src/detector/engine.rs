//! Squares with a score in a grey picture: our settings of the cascade.

use std::sync::OnceLock;

use image::GrayImage;

use super::ImageError;
use super::cascade::{Cascade, Grey, ModelError, Window};

/// The SeetaFace frontal detector 1.0 (BSD-2-Clause), which the `rustface` package carries.
pub(super) static MODEL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/face_model.bin"));

/// The lowest score of a face.
///
/// On photographs at several scales and crops nearly all faces scored above 5, and textures that passed for one stayed
/// below 3, save for the heads on old coins.
const LOWEST_SCORE: f64 = 3.0;

/// A found face in pixels of the searched picture; it may reach beyond the picture's border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Square {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) side: u32,
    pub(super) score: f64,
}

/// Finds all faces in a picture.
pub(super) fn find(picture: &GrayImage) -> Result<Vec<Square>, ImageError> {
    let cascade = cascade()?;
    let found = cascade.search(Grey::new(picture.as_raw(), picture.width() as usize));
    Ok(found.iter().filter(|window| window.score >= LOWEST_SCORE).filter_map(square).collect())
}

/// There is none for a window without pixels.
fn square(window: &Window) -> Option<Square> {
    Some(Square {
        left: i32::try_from(window.left).ok()?,
        top: i32::try_from(window.top).ok()?,
        side: u32::try_from(window.side).ok().filter(|side| *side > 0)?,
        score: window.score,
    })
}

fn cascade() -> Result<&'static Cascade, ImageError> {
    static LOADED: OnceLock<Result<Cascade, ModelError>> = OnceLock::new();
    LOADED
        .get_or_init(|| Cascade::read(MODEL))
        .as_ref()
        .map_err(|error| ImageError::Detector(error.to_string()))
}
