//! Finds faces in a JPEG or PNG image: bytes in, boxes out.
//!
//! Pure: no clock, no network, no state but the model, which is loaded once. The detector is a cascade for upright,
//! roughly frontal faces (SeetaFace); it misses strong profiles and faces turned on their side. It knows where a face
//! is and how sure it is. Brightness and sharpness are measured from pixels. Landmarks, pose, age, emotions and the
//! like are not known and therefore not part of [`Face`]: an attribute that is absent is better than one invented.

mod cascade;
mod engine;
mod picture;
mod quality;
#[cfg(test)]
mod tests;

pub use picture::{ImageError, MAX_BYTES, MAX_DECODED_BYTES, MAX_SIDE, MIN_SIDE};
pub use quality::Quality;

use picture::Picture;

/// What was found in one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The image's width in pixels, after its EXIF orientation was applied.
    pub width: u32,
    /// The image's height in pixels, after its EXIF orientation was applied.
    pub height: u32,
    /// The EXIF orientation (1 to 8) that was applied; 1 means that the image was upright or said nothing.
    pub orientation: u8,
    /// The faces, the largest first.
    pub faces: Vec<Face>,
}

/// One face.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Where it is.
    pub bounding_box: BoundingBox,
    /// How sure the detector is, in percent; see [`confidence`].
    pub confidence: f32,
    /// How well it can be seen.
    pub quality: Quality,
}

/// A rectangle in ratios of the upright image's width and height.
///
/// Values may be below 0, and edges may lie beyond 1, where a face is cut off by the image's border. AWS does the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// The left edge as a ratio of the image's width.
    pub left: f32,
    /// The top edge as a ratio of the image's height.
    pub top: f32,
    /// The width as a ratio of the image's width.
    pub width: f32,
    /// The height as a ratio of the image's height.
    pub height: f32,
}

/// Finds the faces in an image of at most [`MAX_BYTES`] bytes.
///
/// It takes some 10 to 100 ms of one core for a photograph, so call it where blocking is allowed.
pub fn detect(image_bytes: &[u8]) -> Result<Detection, ImageError> {
    let picture = Picture::decode(image_bytes)?;
    let mut found = engine::find(&picture.luma)?;
    found.sort_by_key(|square| std::cmp::Reverse(square.side));
    let faces = found
        .iter()
        .map(|square| Face {
            bounding_box: ratios(square, &picture),
            confidence: confidence(square.score),
            quality: quality::measure(&picture.luma, square),
        })
        .collect();
    Ok(Detection {
        width: picture.width,
        height: picture.height,
        orientation: picture.orientation,
        faces,
    })
}

/// Turns the cascade's unbounded score into a percentage: `100 · (1 − 10^(−score/3))`.
///
/// The score sums the votes of all windows that agreed on one face. Faces are reported from a score of 3 up, so the
/// scale starts at 90; every further 3 adds a nine (6 → 99, 9 → 99.9). It rises with the score and is no measured
/// probability.
pub fn confidence(score: f64) -> f32 {
    (100.0 * (1.0 - 10f64.powf(-score.max(0.0) / 3.0))) as f32
}

fn ratios(square: &engine::Square, picture: &Picture) -> BoundingBox {
    let (width, height) = (picture.luma.width() as f32, picture.luma.height() as f32);
    BoundingBox {
        left: square.left as f32 / width,
        top: square.top as f32 / height,
        width: square.side as f32 / width,
        height: square.side as f32 / height,
    }
}
