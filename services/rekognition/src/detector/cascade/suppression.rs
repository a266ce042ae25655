//! Merges windows that mean the same thing (non-maximum suppression).

use super::Window;

/// Keeps the best window of each group that shares more than `overlap` of its union with it.
///
/// The window that is kept gets the scores of those that are dropped for it.
pub(super) fn suppress(mut windows: Vec<Window>, overlap: f32) -> Vec<Window> {
    windows.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept = Vec::new();
    while let Some((best, others)) = windows.split_first() {
        let mut best = *best;
        let mut left = Vec::with_capacity(others.len());
        let mut merged = best.score;
        for other in others {
            if shared(&best, other) > overlap {
                merged += other.score;
            } else {
                left.push(*other);
            }
        }
        best.score = merged;
        kept.push(best);
        windows = left;
    }
    kept
}

/// The area that two windows share, as a ratio of the area that they cover together.
fn shared(a: &Window, b: &Window) -> f32 {
    let width = (a.left + a.side).min(b.left + b.side) - a.left.max(b.left);
    let height = (a.top + a.side).min(b.top + b.side) - a.top.max(b.top);
    if width <= 0 || height <= 0 {
        return 0.0;
    }
    let common = (width * height) as f32;
    common / ((a.side * a.side) as f32 + (b.side * b.side) as f32 - common)
}
