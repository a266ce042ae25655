//! How well a face can be seen, measured from its pixels.

use image::GrayImage;

use super::engine::Square;

/// Brightness and sharpness of a face, each from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// The mean luma of the face's pixels: 0 is black, 100 is white.
    pub brightness: f32,
    /// How much fine detail there is: 0 is a plain area, values near 100 need crisp edges.
    pub sharpness: f32,
}

/// The variance of the Laplacian at which sharpness is 50; softer than most photographs, sharper than a blurred one.
const HALF_SHARP: f64 = 150.0;

/// Measures the part of a face that lies inside the picture.
///
/// Sharpness is the variance `v` of the Laplacian, a usual measure of focus, on a scale that saturates:
/// `100 · v / (v + 150)`. Both are measured in the searched picture, that is after scaling down.
pub(super) fn measure(picture: &GrayImage, face: &Square) -> Quality {
    let columns = clip(face.left, face.side, picture.width());
    let rows = clip(face.top, face.side, picture.height());
    let luma = |x: u32, y: u32| f64::from(picture.get_pixel(x, y).0[0]);
    let mut brightness = Mean::default();
    let mut edges = Mean::default();
    for y in rows.clone() {
        for x in columns.clone() {
            brightness.add(luma(x, y));
            if x > columns.start && x + 1 < columns.end && y > rows.start && y + 1 < rows.end {
                let around = luma(x - 1, y) + luma(x + 1, y) + luma(x, y - 1) + luma(x, y + 1);
                edges.add(around - 4.0 * luma(x, y));
            }
        }
    }
    let variance = edges.variance();
    Quality {
        brightness: (brightness.mean() / 255.0 * 100.0) as f32,
        sharpness: (100.0 * variance / (variance + HALF_SHARP)) as f32,
    }
}

/// The pixels of `start .. start + length` that exist.
fn clip(start: i32, length: u32, size: u32) -> std::ops::Range<u32> {
    let end = i64::from(start) + i64::from(length);
    let inside = |position: i64| u32::try_from(position.clamp(0, i64::from(size))).unwrap_or(size);
    inside(i64::from(start))..inside(end)
}

/// A running mean and variance.
#[derive(Default)]
struct Mean {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }

    fn variance(&self) -> f64 {
        if self.count > 0.0 {
            (self.squares / self.count - self.mean().powi(2)).max(0.0)
        } else {
            0.0
        }
    }
}
