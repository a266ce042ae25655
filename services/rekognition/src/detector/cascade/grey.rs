//! Grey pictures: scaled as a whole for the pyramid, or a window at a time.

use super::SIDE;

/// A grey picture, row by row.
#[derive(Clone, Copy)]
pub(in crate::detector) struct Grey<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
}

/// The largest side of a window, in pixels: far beyond what a network can make of one, and far from any overflow.
const LARGEST_SIDE: i64 = 1 << 20;

/// A window of a picture, scaled to the size that the networks were trained with.
pub(super) type View = [[u8; SIDE]; SIDE];

impl<'a> Grey<'a> {
    /// Takes as many whole rows of `width` pixels as there are.
    pub(in crate::detector) fn new(pixels: &'a [u8], width: usize) -> Self {
        let height = pixels.len().checked_div(width).unwrap_or(0);
        Self { pixels: &pixels[..width * height], width, height }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    pub(super) fn row(&self, y: usize) -> &'a [u8] {
        &self.pixels[y * self.width..][..self.width]
    }

    /// Scales the picture, which must be at least two pixels wide and high, into a buffer.
    pub(super) fn scaled<'b>(
        &self,
        width: usize,
        height: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Grey<'b> {
        buffer.clear();
        if (width, height) == (self.width, self.height) {
            buffer.extend_from_slice(self.pixels);
            return Grey::new(buffer, width);
        }
        buffer.resize(width * height, 0);
        let columns = taps(self.width, width);
        let mut blend = Blend::new(width);
        for (tap, target) in taps(self.height, height).iter().zip(buffer.chunks_exact_mut(width)) {
            blend.row(tap, target, |y, line| mix_columns(self.row(y), &columns, line));
        }
        Grey::new(buffer, width)
    }

    /// Cuts a square out of the picture and scales it; pixels outside the picture are black.
    ///
    /// There is none where the square has no pixel inside the picture, or is too small or too large to scale.
    pub(super) fn window(&self, left: i64, top: i64, side: i64) -> Option<View> {
        let (width, height) = (i64::try_from(self.width).ok()?, i64::try_from(self.height).ok()?);
        let (right, bottom) = (left.checked_add(side)?, top.checked_add(side)?);
        let outside = right <= 0 || bottom <= 0 || left >= width || top >= height;
        if outside || !(2..=LARGEST_SIDE).contains(&side) {
            return None;
        }
        let taps = taps(usize::try_from(side).ok()?, SIDE);
        // The part of a row that lies inside, and where the window has it.
        let inside = usize::try_from(left.max(0)).ok()?..usize::try_from(right.min(width)).ok()?;
        let shift = usize::try_from((-left).max(0)).ok()?;
        let mut view = [[0; SIDE]; SIDE];
        let mut blend = Blend::new(SIDE);
        for (tap, target) in taps.iter().zip(&mut view) {
            blend.row(tap, target, |y, line| {
                let y = i64::try_from(y).ok().and_then(|y| usize::try_from(top + y).ok());
                match y.filter(|y| *y < self.height) {
                    None => line.fill(0.0),
                    Some(y) if shift == 0 && right <= width => {
                        mix_columns(&self.row(y)[inside.clone()], &taps, line);
                    }
                    Some(y) => mix_cut_columns(&self.row(y)[inside.clone()], shift, &taps, line),
                }
            });
        }
        Some(view)
    }
}

/// Where a pixel of a scaled line comes from: the pixel at `at` and its right neighbour, which has this weight.
struct Tap {
    at: usize,
    weight: f64,
}

/// Lists the taps of a line of `to` pixels that is made of one of `from` pixels, which must be at least two.
///
/// The last pixels of an enlarged line lie beyond the middle of the last source pixel; there the weight exceeds one.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let ratio = from as f64 / to as f64;
    (0..to)
        .map(|index| {
            let position = ratio * index as f64;
            let at = (position as usize).min(from.saturating_sub(2));
            Tap { at, weight: position - at as f64 }
        })
        .collect()
}

fn mix_columns(row: &[u8], taps: &[Tap], line: &mut [f64]) {
    for (value, tap) in line.iter_mut().zip(taps) {
        let (left, right) = (f64::from(row[tap.at]), f64::from(row[tap.at + 1]));
        *value = (1.0 - tap.weight) * left + tap.weight * right;
    }
}

/// As `mix_columns`, of a row that has only the pixels from `start` on and perhaps not the last ones.
fn mix_cut_columns(row: &[u8], start: usize, taps: &[Tap], line: &mut [f64]) {
    let pixel = |x: usize| {
        f64::from(x.checked_sub(start).and_then(|x| row.get(x)).copied().unwrap_or_default())
    };
    for (value, tap) in line.iter_mut().zip(taps) {
        *value = (1.0 - tap.weight) * pixel(tap.at) + tap.weight * pixel(tap.at + 1);
    }
}

/// Mixes source rows, each already scaled to the target's width; neighbouring target rows share them.
struct Blend {
    upper: Line,
    lower: Line,
}

struct Line {
    y: Option<usize>,
    values: Vec<f64>,
}

impl Blend {
    fn new(width: usize) -> Self {
        let line = || Line { y: None, values: vec![0.0; width] };
        Self { upper: line(), lower: line() }
    }

    fn row(&mut self, tap: &Tap, target: &mut [u8], mut source: impl FnMut(usize, &mut [f64])) {
        if self.lower.y == Some(tap.at) {
            std::mem::swap(&mut self.upper, &mut self.lower);
        }
        for (line, y) in [(&mut self.upper, tap.at), (&mut self.lower, tap.at + 1)] {
            if line.y != Some(y) {
                source(y, &mut line.values);
                line.y = Some(y);
            }
        }
        let lines = self.upper.values.iter().zip(&self.lower.values);
        for (pixel, (upper, lower)) in target.iter_mut().zip(lines) {
            *pixel = ((1.0 - tap.weight) * upper + tap.weight * lower) as u8;
        }
    }
}
