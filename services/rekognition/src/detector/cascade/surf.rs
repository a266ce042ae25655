//! What the networks see of a window: SURF descriptors of patches in it.
//!
//! A patch is divided into two by two cells. Of every cell it is summed how much the brightness changes across and
//! down, apart for either sign of the other direction, with and without sign: eight sums, four cells, 32 numbers.

use super::SIDE;
use super::grey::View;

/// How many numbers describe a patch.
pub(super) const NUMBERS: usize = 4 * CHANNELS;

const CHANNELS: usize = 8;

/// The least side of a patch, and the distance of neighbouring patches of one size.
const PATCH_STEP: usize = 16;

/// The proportions that patches have, across and down.
const PROPORTIONS: [(usize, usize); 5] = [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2)];

/// A part of the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Patch {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Lists all patches; a model names them by their place in the list, counted from 1.
pub(super) fn patches() -> Vec<Patch> {
    let mut patches = Vec::new();
    let fits = |side: usize| side.is_multiple_of(2) && (PATCH_STEP..=SIDE).contains(&side);
    for (across, down) in PROPORTIONS {
        for height in (PATCH_STEP..=SIDE).filter(|height| height.is_multiple_of(down)) {
            let width = height / down * across;
            if !fits(width) || !fits(height) {
                continue;
            }
            for y in (0..=SIDE - height).step_by(PATCH_STEP) {
                for x in (0..=SIDE - width).step_by(PATCH_STEP) {
                    patches.push(Patch { x, y, width, height });
                }
            }
        }
    }
    patches
}

/// The eight sums over everything above and left of each corner of a pixel.
///
/// A change of brightness is at most 510, so that a sum over a window is below a million and cannot wrap.
pub(super) struct Gradients {
    sums: Vec<[[i32; CHANNELS]; SIDE + 1]>,
}

impl Default for Gradients {
    fn default() -> Self {
        Self { sums: vec![[[0; CHANNELS]; SIDE + 1]; SIDE + 1] }
    }
}

impl Gradients {
    /// Takes the changes of brightness of another window.
    pub(super) fn compute(&mut self, view: &View) {
        let mut above = [[0; CHANNELS]; SIDE + 1];
        for (y, sums) in self.sums.iter_mut().skip(1).enumerate() {
            let across = changes_across(&view[y]);
            let down = changes_down(view, y);
            let mut row = [0; CHANNELS];
            for x in 0..SIDE {
                add(&mut row, &channels(across[x], down[x]));
                sums[x + 1] = row;
                add(&mut sums[x + 1], &above[x + 1]);
            }
            above = *sums;
        }
    }

    /// Writes the [`NUMBERS`] that describe a patch; their squares add up to one, save for a plain patch.
    pub(super) fn describe(&self, patch: &Patch, numbers: &mut [f32]) {
        let (width, height) = (patch.width / 2, patch.height / 2);
        let mut cells = [[0; CHANNELS]; 4];
        for (index, cell) in cells.iter_mut().enumerate() {
            let (left, top) = (patch.x + index % 2 * width, patch.y + index / 2 * height);
            let (upper, lower) = (&self.sums[top], &self.sums[top + height]);
            for (channel, sum) in cell.iter_mut().enumerate() {
                let of = |row: &[[i32; CHANNELS]]| row[left + width][channel] - row[left][channel];
                *sum = of(lower) - of(upper);
            }
        }
        let sums = cells.as_flattened();
        let squares: i64 = sums.iter().map(|sum| i64::from(*sum).pow(2)).sum();
        let length = if squares > 0 { (squares as f64).sqrt() as f32 } else { 1.0 };
        for (number, sum) in numbers.iter_mut().zip(sums) {
            *number = *sum as f32 / length;
        }
    }
}

fn add(to: &mut [i32; CHANNELS], from: &[i32; CHANNELS]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = to.wrapping_add(*from);
    }
}

/// Sorts a pixel's changes into the channels: across by the sign of down, then down by the sign of across.
fn channels(across: i32, down: i32) -> [i32; CHANNELS] {
    // All ones where the other direction falls.
    let (upward, leftward) = (down >> 31, across >> 31);
    let (width, height) = (across.abs(), down.abs());
    [
        across & !upward,
        width & !upward,
        across & upward,
        width & upward,
        down & !leftward,
        height & !leftward,
        down & leftward,
        height & leftward,
    ]
}

/// The difference of each pixel's neighbours; at the ends, twice the difference to the only one.
fn changes_across(row: &[u8; SIDE]) -> [i32; SIDE] {
    let row = row.map(i32::from);
    let mut changes = [0; SIDE];
    changes[0] = 2 * (row[1] - row[0]);
    changes[SIDE - 1] = 2 * (row[SIDE - 1] - row[SIDE - 2]);
    for (change, (before, after)) in changes[1..SIDE - 1].iter_mut().zip(row.iter().zip(&row[2..]))
    {
        *change = after.wrapping_sub(*before);
    }
    changes
}

fn changes_down(view: &View, y: usize) -> [i32; SIDE] {
    let (before, after) = (y.saturating_sub(1), (y + 1).min(SIDE - 1));
    let factor = if after - before == 1 { 2 } else { 1 };
    let mut changes = [0; SIDE];
    for (change, (before, after)) in changes.iter_mut().zip(view[before].iter().zip(&view[after])) {
        *change = i32::from(*after).wrapping_sub(i32::from(*before)).wrapping_mul(factor);
    }
    changes
}
