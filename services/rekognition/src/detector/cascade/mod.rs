//! Evaluates the SeetaFace face cascade, in safe Rust.
//!
//! The cascade is a funnel. Its first level slides a window of 40 × 40 pixels over a pyramid of ever smaller copies of
//! the picture and asks some boosted classifiers, cheap and generous, one per view of a face ([`boosted`]). Every
//! further level takes the windows that the previous one let through, looks at each again in the full picture with
//! small neural networks, and moves and resizes it to where the network believes the face to be ([`perceptron`], fed
//! by [`surf`]). Between the stages windows that mean the same face are merged ([`suppression`]).
//!
//! A network may move a window over the picture's border or wholly past it. Pixels outside count as black, and a
//! window without a pixel inside is given up: no position is trusted, and every access to pixels is checked.

mod boosted;
mod grey;
mod perceptron;
mod read;
mod suppression;
mod surf;
#[cfg(test)]
mod tests;

pub(super) use grey::Grey;
pub(super) use read::ModelError;

use boosted::{Boosted, FeatureMap};
use perceptron::{Answer, Stage};
use suppression::suppress;

/// The side of the window that the classifiers look at, in pixels.
pub(super) const SIDE: usize = 40;

/// How far the window moves at a time, in pixels of each level of the pyramid.
const STEP: usize = 4;

/// The ratio of the sizes of two neighbouring levels of the pyramid.
const PYRAMID_RATIO: f32 = 0.8;

/// Two windows that share more than this of their union are merged before they are looked at more closely.
const SAME_WINDOW: f32 = 0.8;

/// Two windows that share more than this of their union are the same face.
const SAME_FACE: f32 = 0.3;

/// The most windows per view that the first level lets through; the best are kept.
///
/// The photographs of the tests yield some hundreds. Merging compares windows pairwise, so that a picture that is made
/// to please the first level everywhere would otherwise keep a core busy for minutes.
const MOST_WINDOWS: usize = 12_000;

/// A square of a picture with the score of what is in it; it may reach beyond the picture's border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) left: i64,
    pub(super) top: i64,
    pub(super) side: i64,
    pub(super) score: f64,
}

/// The classifiers in the order in which they are asked.
pub(super) struct Cascade {
    /// The first level, a classifier per view of a face.
    views: Vec<Boosted>,
    /// The further levels.
    levels: Vec<Vec<Branch>>,
}

/// A part of a level that takes the windows of some branches of the previous level.
struct Branch {
    sources: Vec<usize>,
    stages: Vec<Stage>,
}

impl Cascade {
    /// Reads a model in SeetaFace's binary format.
    pub(super) fn read(model: &[u8]) -> Result<Self, ModelError> {
        read::cascade(model)
    }

    /// Finds all faces in a picture, with positive scores that grow with the number of windows that agreed.
    pub(super) fn search(&self, picture: Grey<'_>) -> Vec<Window> {
        let mut found = self.slide(picture);
        for windows in &mut found {
            windows.sort_by(|a, b| b.score.total_cmp(&a.score));
            windows.truncate(MOST_WINDOWS);
            *windows = suppress(std::mem::take(windows), SAME_WINDOW);
        }
        for (index, level) in self.levels.iter().enumerate() {
            let last = index + 1 == self.levels.len();
            found = level.iter().map(|branch| branch.refine(picture, &found, last)).collect();
        }
        found.into_iter().next().unwrap_or_default()
    }

    /// Slides the window over every level of the pyramid; the answer has a list of windows per view.
    fn slide(&self, picture: Grey<'_>) -> Vec<Vec<Window>> {
        let mut found = vec![Vec::new(); self.views.len()];
        let shorter = picture.width().min(picture.height());
        let smallest_scale = SIDE as f32 / shorter as f32;
        let mut map = FeatureMap::default();
        let mut pixels = Vec::new();
        let mut scale = 1.0_f32;
        while scale >= smallest_scale {
            let width = (picture.width() as f32 * scale) as usize;
            let height = (picture.height() as f32 * scale) as usize;
            // Rounding may take a pixel too much from the last level.
            if width.min(height) < SIDE {
                break;
            }
            let scaled = picture.scaled(width, height, &mut pixels);
            map.compute(scaled);
            for (view, windows) in self.views.iter().zip(&mut found) {
                view.slide(scaled, &map, |x, y, score| {
                    windows.push(Window {
                        left: (x as f32 / scale + 0.5) as i64,
                        top: (y as f32 / scale + 0.5) as i64,
                        side: (SIDE as f32 / scale + 0.5) as i64,
                        score: f64::from(score),
                    });
                });
            }
            scale *= PYRAMID_RATIO;
        }
        found
    }
}

impl Branch {
    /// Passes the windows of the branches that this one follows through its stages.
    fn refine(&self, picture: Grey<'_>, found: &[Vec<Window>], last_level: bool) -> Vec<Window> {
        let sources = self.sources.iter().filter_map(|source| found.get(*source));
        let mut windows: Vec<Window> = sources.flatten().copied().collect();
        let mut scratch = perceptron::Scratch::default();
        for (index, stage) in self.stages.iter().enumerate() {
            windows = windows
                .iter()
                .filter_map(|window| {
                    let view = picture.window(window.left, window.top, window.side)?;
                    Some(window.moved(stage.classify(&view, &mut scratch)?))
                })
                .collect();
            if index + 1 < self.stages.len() {
                windows = suppress(windows, SAME_WINDOW);
            } else if last_level {
                windows = suppress(windows, SAME_FACE);
            }
        }
        windows
    }
}

impl Window {
    /// Puts the window where a network saw the face; the model was trained with windows that start inside the picture.
    fn moved(&self, answer: Answer) -> Self {
        let side = self.side as f32;
        let new_side = (answer.growth * side + side + 0.5).floor();
        let place = |start: i64, shift: f32| {
            (shift * side + start.max(0) as f32 + (side - new_side) * 0.5 + 0.5).floor() as i64
        };
        Self {
            left: place(self.left, answer.right),
            top: place(self.top, answer.down),
            side: new_side as i64,
            score: f64::from(answer.score),
        }
    }
}
