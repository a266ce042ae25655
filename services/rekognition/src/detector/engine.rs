//! The cascade itself: squares with a score in a grey picture.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use image::GrayImage;
use rustface::{ImageData, Model};

use super::ImageError;

/// The model that the `rustface` package carries (SeetaFace frontal detector 1.0, BSD-2-Clause).
pub(super) static MODEL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/face_model.bin"));

/// The smallest face that is looked for, in pixels of the searched picture: the side of the cascade's window.
const SMALLEST_FACE: u32 = 40;

/// How far the window moves at a time, in pixels of each level of the pyramid.
const STEP: u32 = 4;

/// The ratio of the sizes of two neighbouring levels of the pyramid.
const PYRAMID_RATIO: f32 = 0.8;

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
    let (width, height) = picture.dimensions();
    if width.min(height) < SMALLEST_FACE {
        return Ok(Vec::new());
    }
    let model = model()?;
    // The crate asserts what it expects of a picture. We keep to it, and a slip must not take the process down.
    catch_unwind(AssertUnwindSafe(|| search(model.clone(), picture)))
        .map_err(|_| ImageError::Detector("the cascade panicked".to_owned()))
}

fn search(model: Model, picture: &GrayImage) -> Vec<Square> {
    let mut detector = rustface::create_detector_with_model(model);
    detector.set_min_face_size(SMALLEST_FACE);
    detector.set_score_thresh(LOWEST_SCORE);
    detector.set_pyramid_scale_factor(PYRAMID_RATIO);
    detector.set_slide_window_step(STEP, STEP);
    detector
        .detect(&ImageData::new(picture.as_raw(), picture.width(), picture.height()))
        .iter()
        .map(|face| Square {
            left: face.bbox().x(),
            top: face.bbox().y(),
            side: face.bbox().width(),
            score: face.score(),
        })
        .filter(|square| square.side > 0)
        .collect()
}

fn model() -> Result<&'static Model, ImageError> {
    static LOADED: OnceLock<Result<Model, String>> = OnceLock::new();
    LOADED
        .get_or_init(|| rustface::read_model(MODEL).map_err(|error| error.to_string()))
        .as_ref()
        .map_err(|error| ImageError::Detector(error.clone()))
}
