//! The first level: boosted classifiers on locally assembled binary (LAB) features.

use super::grey::Grey;
use super::{SIDE, STEP};

/// The side of the boxes whose brightness a feature compares, in pixels; a feature is three boxes wide and high.
const BOX: usize = 3;

/// The side of a feature in pixels.
const FEATURE: usize = 3 * BOX;

/// The largest offset of a feature in the window.
pub(super) const LARGEST_OFFSET: usize = SIDE - FEATURE;

/// How many features are read before it is decided whether to go on.
pub(super) const GROUP: usize = 10;

/// The least standard deviation of the brightness of a window that can be a face.
const LEAST_CONTRAST: u64 = 10;

/// A boosted classifier: every feature votes, and a window is dropped as soon as too few are in favour.
pub(super) struct Boosted {
    pub(super) groups: Vec<Group>,
}

/// Some features and the least sum of the votes so far that lets a window through.
pub(super) struct Group {
    pub(super) features: Vec<Feature>,
    pub(super) threshold: f32,
}

/// A place in the window, and the vote for each value that the feature map can have there.
pub(super) struct Feature {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) votes: Box<[f32; 256]>,
}

/// For every pixel the LAB feature whose upper left corner it is.
#[derive(Default)]
pub(super) struct FeatureMap {
    width: usize,
    values: Vec<u8>,
    sums: Vec<u16>,
    columns: Vec<u16>,
}

impl FeatureMap {
    /// Computes the features of a picture that is at least as large as one of them.
    pub(super) fn compute(&mut self, picture: Grey<'_>) {
        self.sum_boxes(picture);
        let width = picture.width();
        self.width = width;
        self.values.clear();
        self.values.resize(width * picture.height(), 0);
        let columns = width + 1 - FEATURE;
        for y in 0..=picture.height() - FEATURE {
            let boxes = |row: usize, column: usize| {
                &self.sums[(y + row * BOX) * width + column * BOX..][..columns]
            };
            let target = &mut self.values[y * width..][..columns];
            compare(target, boxes(1, 1), [boxes(0, 0), boxes(0, 1), boxes(0, 2), boxes(1, 0)]);
            compare(target, boxes(1, 1), [boxes(1, 2), boxes(2, 0), boxes(2, 1), boxes(2, 2)]);
        }
    }

    /// Sums the pixels of the box whose upper left corner each pixel is.
    ///
    /// Nine pixels have at most 2,295 together, so that 16 bits hold every sum and nothing can wrap.
    fn sum_boxes(&mut self, picture: Grey<'_>) {
        let width = picture.width();
        self.sums.clear();
        self.sums.resize(width * picture.height(), 0);
        self.columns.resize(width, 0);
        for y in 0..=picture.height() - BOX {
            let (first, second, third) = (picture.row(y), picture.row(y + 1), picture.row(y + 2));
            let columns = &mut self.columns[..width];
            for (sum, ((a, b), c)) in columns.iter_mut().zip(first.iter().zip(second).zip(third)) {
                *sum = u16::from(*a).wrapping_add(u16::from(*b)).wrapping_add(u16::from(*c));
            }
            let sums = self.sums[y * width..][..width].iter_mut();
            for (sum, ((a, b), c)) in sums.zip(columns.iter().zip(&columns[1..]).zip(&columns[2..]))
            {
                *sum = a.wrapping_add(*b).wrapping_add(*c);
            }
        }
    }
}

/// Shifts four bits into every target: whether the middle box is at least as bright as each of the others.
fn compare(target: &mut [u8], middle: &[u16], others: [&[u16]; 4]) {
    let length = target.len();
    let [a, b, c, d] = others.map(|other| &other[..length]);
    let middle = &middle[..length];
    for x in 0..length {
        let brighter = |other: &[u16]| u8::from(middle[x] >= other[x]);
        let bits = brighter(a) << 3 | brighter(b) << 2 | brighter(c) << 1 | brighter(d);
        target[x] = target[x] << 4 | bits;
    }
}

impl Boosted {
    /// Reports every window of a picture that may be a face: its place and its votes.
    pub(super) fn slide(
        &self,
        picture: Grey<'_>,
        map: &FeatureMap,
        mut report: impl FnMut(usize, usize, f32),
    ) {
        let offsets: Vec<Vec<usize>> = self
            .groups
            .iter()
            .map(|group| group.features.iter().map(|at| at.y * map.width + at.x).collect())
            .collect();
        let span = LARGEST_OFFSET * map.width + LARGEST_OFFSET + 1;
        for y in (0..=picture.height() - SIDE).step_by(STEP) {
            for x in (0..=picture.width() - SIDE).step_by(STEP) {
                let features = &map.values[y * map.width + x..][..span];
                let votes = self.votes(features, &offsets);
                if let Some(votes) = votes.filter(|_| has_contrast(picture, x, y)) {
                    report(x, y, votes);
                }
            }
        }
    }

    fn votes(&self, features: &[u8], offsets: &[Vec<usize>]) -> Option<f32> {
        let mut sum = 0.0;
        for (group, offsets) in self.groups.iter().zip(offsets) {
            for (feature, offset) in group.features.iter().zip(offsets) {
                sum += feature.votes[usize::from(features[*offset])];
            }
            if sum < group.threshold {
                return None;
            }
        }
        Some(sum)
    }
}

/// Whether the pixels of a window differ enough, in whole numbers: `n · Σp² − (Σp)² > (n · least)²`.
fn has_contrast(picture: Grey<'_>, left: usize, top: usize) -> bool {
    let (mut sum, mut squares) = (0_u64, 0_u64);
    for y in top..top + SIDE {
        for pixel in &picture.row(y)[left..left + SIDE] {
            let pixel = u64::from(*pixel);
            sum += pixel;
            squares += pixel * pixel;
        }
    }
    let count = (SIDE * SIDE) as u64;
    count * squares - sum * sum > (count * LEAST_CONTRAST).pow(2)
}
