//! The same answers as another implementation, and nothing but answers whatever the picture or the model.

use std::time::{Duration, Instant};

use image::{GrayImage, imageops};
use proptest::prelude::*;

use super::perceptron::Layer;
use super::surf::{NUMBERS, Patch, patches};
use super::*;
use crate::detector::engine::MODEL;
use crate::detector::tests::photo;

fn grey(picture: &GrayImage) -> Grey<'_> {
    Grey::new(picture.as_raw(), picture.width() as usize)
}

fn load(name: &str) -> Option<GrayImage> {
    Some(image::load_from_memory(&photo(name)?).unwrap().into_luma8())
}

/// What the rustface crate finds; its memory safety depends on the picture, so give it photographs only.
fn reference(model: &rustface::Model, picture: &GrayImage) -> Vec<Window> {
    let mut detector = rustface::create_detector_with_model(model.clone());
    detector.set_min_face_size(40);
    detector.set_score_thresh(f64::MIN_POSITIVE);
    detector.set_pyramid_scale_factor(PYRAMID_RATIO);
    detector.set_slide_window_step(4, 4);
    detector
        .detect(&rustface::ImageData::new(picture.as_raw(), picture.width(), picture.height()))
        .iter()
        .map(|face| Window {
            left: face.bbox().x().into(),
            top: face.bbox().y().into(),
            side: face.bbox().width().into(),
            score: face.score(),
        })
        .collect()
}

/// Photographs as they are, and scaled and cropped to awkward sizes that leave the faces inside.
fn photographs() -> Vec<(String, GrayImage)> {
    let mut pictures = Vec::new();
    for name in ["astronaut.png", "grace_hopper.jpg", "rocket.jpg", "coffee.png", "chelsea.png"] {
        let Some(picture) = load(name) else { continue };
        for percent in [57, 83, 131] {
            let scaled = |side: u32| side * percent / 100;
            let (width, height) = (scaled(picture.width()), scaled(picture.height()));
            let filter = imageops::FilterType::Triangle;
            let resized = imageops::resize(&picture, width, height, filter);
            pictures.push((format!("{name} at {percent} %"), resized));
        }
        let (width, height) = picture.dimensions();
        let cropped = imageops::crop_imm(&picture, 13, 7, width - 31, height - 22).to_image();
        pictures.push((format!("{name}, cropped"), cropped));
        pictures.push((name.to_owned(), picture));
    }
    pictures
}

#[test]
fn finds_what_rustface_finds() {
    let cascade = Cascade::read(MODEL).unwrap();
    let model = rustface::read_model(MODEL).unwrap();
    for (name, picture) in photographs() {
        let ours = cascade.search(grey(&picture));
        let theirs = reference(&model, &picture);
        assert_eq!(ours.len(), theirs.len(), "{name}: {ours:?} {theirs:?}");
        for (our, their) in ours.iter().zip(&theirs) {
            assert!((our.left - their.left).abs() <= 1, "{name}: {our:?} {their:?}");
            assert!((our.top - their.top).abs() <= 1, "{name}: {our:?} {their:?}");
            assert!((our.side - their.side).abs() <= 1, "{name}: {our:?} {their:?}");
            assert!((our.score - their.score).abs() < 1e-2, "{name}: {our:?} {their:?}");
        }
    }
}

#[test]
#[ignore = "measures time"]
fn is_as_fast_as_rustface() {
    let cascade = Cascade::read(MODEL).unwrap();
    let model = rustface::read_model(MODEL).unwrap();
    let best = |run: &dyn Fn() -> usize| -> Duration {
        let measured = (0..7).map(|_| {
            let start = Instant::now();
            std::hint::black_box(run());
            start.elapsed()
        });
        measured.min().unwrap()
    };
    for (name, picture) in photographs() {
        let ours = best(&|| cascade.search(grey(&picture)).len());
        let theirs = best(&|| reference(&model, &picture).len());
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        let (width, height) = picture.dimensions();
        let windows: Vec<usize> = cascade.slide(grey(&picture)).iter().map(Vec::len).collect();
        eprintln!(
            "{name}, {width} x {height}: {ours:?} to {theirs:?}, ratio {ratio:.3}, {windows:?}"
        );
        assert!(ratio < 1.0, "{name}: {ratio}");
    }
}

/// A cascade whose first level lets every window through, and whose networks all give the same answers.
fn careless(stages: &[[f32; 4]]) -> Cascade {
    let stage = |answers: &[f32; 4]| Stage {
        patches: vec![Patch { x: 0, y: 0, width: 40, height: 40 }],
        threshold: 0.5,
        hidden: Vec::new(),
        output: Layer {
            inputs: NUMBERS,
            weights: vec![0.0; 4 * NUMBERS],
            biases: answers.to_vec(),
        },
    };
    Cascade {
        views: vec![Boosted { groups: Vec::new() }],
        levels: vec![vec![Branch { sources: vec![0], stages: stages.iter().map(stage).collect() }]],
    }
}

/// The same noise on every machine.
fn noise(width: u32, height: u32, mut state: u64) -> GrayImage {
    GrayImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        image::Luma([(state >> 56) as u8])
    })
}

#[test]
fn gives_up_windows_that_leave_the_picture() {
    let picture = noise(120, 90, 1);
    let far = 30.0;
    for [right, down] in [[far, 0.0], [0.0, far], [-far, 0.0], [0.0, -far], [far, far]] {
        let step = [far, right, down, 0.0];
        let twice = careless(&[step; 2]).search(grey(&picture));
        let left_it = |window: &Window| {
            window.left >= 120
                || window.top >= 90
                || window.left + window.side <= 0
                || window.top + window.side <= 0
        };
        assert!(twice.iter().any(left_it), "{right} {down}: {twice:?}");
        // What lies outside is not looked at once more, and sooner or later everything does.
        assert_eq!(careless(&[step; 12]).search(grey(&picture)), [], "{right} {down}");
    }
}

#[test]
fn windows_may_shrink_to_nothing_and_grow_beyond_everything() {
    let picture = noise(97, 113, 2);
    assert_eq!(careless(&[[30.0, 0.0, 0.0, -30.0]; 2]).search(grey(&picture)), []);
    let grown = |times| careless(&vec![[30.0, 0.0, 0.0, 30.0]; times]).search(grey(&picture));
    assert!(grown(10).iter().all(|window| window.side >= 40 << 10) && !grown(10).is_empty());
    assert_eq!(grown(70), []);
}

#[test]
fn a_picture_that_pleases_the_first_level_everywhere_is_searched_in_seconds() {
    let cascade = Cascade::read(MODEL).unwrap();
    let levels = cascade.levels;
    let cascade =
        Cascade { views: (0..3).map(|_| Boosted { groups: Vec::new() }).collect(), levels };
    let picture = noise(1024, 1024, 3);
    assert!(cascade.slide(grey(&picture))[0].len() > 4 * MOST_WINDOWS);
    let start = Instant::now();
    cascade.search(grey(&picture));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn finds_a_face_that_the_border_cuts_off_or_nothing() {
    let cascade = Cascade::read(MODEL).unwrap();
    let Some(picture) = load("astronaut.png") else { return };
    let whole = cascade.search(grey(&picture))[0];
    let (left, top) = (u32::try_from(whole.left).unwrap(), u32::try_from(whole.top).unwrap());
    let side = u32::try_from(whole.side).unwrap();
    let mut found_cut_off = 0;
    for hidden in (0..=side).step_by(5) {
        // The picture ends before, or begins after, this part of the face.
        let (right, bottom) = (left + side - hidden, top + side - hidden);
        for (x, y, width, height) in [
            (0, 0, right, 300),
            (0, 0, 400, bottom),
            (0, 0, right, bottom),
            (left + hidden, 0, 300, 300),
            (0, top + hidden, 400, 300),
        ] {
            let cut = imageops::crop_imm(&picture, x, y, width, height).to_image();
            for found in cascade.search(grey(&cut)).iter().filter(|found| found.score >= 3.0) {
                let (x, y) = (found.left + i64::from(x), found.top + i64::from(y));
                let apart = (x - whole.left).abs().max((y - whole.top).abs());
                assert!(apart < whole.side / 2, "{hidden}: {found:?}, {whole:?}");
                let outside = found.left + found.side > cut.width().into()
                    || found.top + found.side > cut.height().into()
                    || found.left < 0
                    || found.top < 0;
                found_cut_off += usize::from(outside);
            }
        }
    }
    assert!(found_cut_off > 5, "{found_cut_off}");
}

#[test]
fn a_window_outside_sees_black() {
    let picture = GrayImage::from_pixel(60, 50, image::Luma([200]));
    let view = grey(&picture).window(40, 30, 40).unwrap();
    for (y, row) in view.iter().enumerate() {
        for (x, pixel) in row.iter().enumerate() {
            assert_eq!(*pixel, if x < 20 && y < 20 { 200 } else { 0 }, "{x} {y}");
        }
    }
    for (left, top) in [(60, 0), (0, 50), (-40, 0), (0, -40), (i64::MAX, 0), (0, i64::MIN)] {
        assert_eq!(grey(&picture).window(left, top, 40), None, "{left} {top}");
    }
    for side in [1, 0, -7, i64::MIN] {
        assert_eq!(grey(&picture).window(3, 3, side), None);
    }
}

#[test]
fn descriptors_of_the_steepest_picture_do_not_overflow() {
    let mut gradients = surf::Gradients::default();
    for stripes in 1..6 {
        let mut view = [[0; SIDE]; SIDE];
        for (y, row) in view.iter_mut().enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = if (x / stripes + y / stripes).is_multiple_of(2) { 255 } else { 0 };
            }
        }
        gradients.compute(&view);
        for patch in patches() {
            let mut numbers = [0.0; NUMBERS];
            gradients.describe(&patch, &mut numbers);
            let length: f32 = numbers.iter().map(|number| number * number).sum();
            assert!((length - 1.0).abs() < 1e-3 || length == 0.0, "{patch:?}: {numbers:?}");
        }
    }
}

#[test]
fn refuses_broken_models() {
    let error = |model: &[u8]| Cascade::read(model).err();
    assert_eq!(error(&[]), Some(ModelError::Truncated));
    assert_eq!(error(&[0; 4]), Some(ModelError::Unexpected("a number of levels")));
    assert_eq!(error(&[0xff; 4096]), Some(ModelError::Unexpected("a negative number")));
    assert_eq!(error(&[MODEL, &[0]].concat()), Some(ModelError::TooLong));
    for length in (0..MODEL.len()).step_by(9973) {
        assert_eq!(error(&MODEL[..length]), Some(ModelError::Truncated), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_window_is_what_a_larger_canvas_shows(
        (width, height) in (2..90_u32, 2..90_u32),
        (left, top, side) in (-120..120_i64, -120..120_i64, 2..110_i64),
        seed: u64,
    ) {
        const MARGIN: u32 = 240;
        let picture = noise(width, height, seed);
        let mut canvas = GrayImage::new(width + 2 * MARGIN, height + 2 * MARGIN);
        imageops::replace(&mut canvas, &picture, MARGIN.into(), MARGIN.into());
        let margin = i64::from(MARGIN);
        let shown = grey(&canvas).window(left + margin, top + margin, side).unwrap();
        match grey(&picture).window(left, top, side) {
            Some(view) => prop_assert_eq!(view, shown),
            None => prop_assert_eq!(shown, [[0; SIDE]; SIDE]),
        }
    }

    #[test]
    fn no_window_panics(left: i64, top: i64, side in -2..1_i64 << 40, width in 0..50_usize) {
        let picture = vec![7; 2000];
        let _ = Grey::new(&picture, width).window(left, top, side);
        let _ = Grey::new(&picture, width).window(left % 100, top % 100, side);
    }

    #[test]
    fn whatever_the_networks_say_nothing_breaks(
        (width, height) in (1..130_u32, 1..130_u32),
        stages in prop::collection::vec(prop::array::uniform4(-9.0..9.0_f32), 1..6),
        seed: u64,
    ) {
        let stages: Vec<_> = stages.iter().map(|[_, x, y, side]| [9.0, *x, *y, *side]).collect();
        careless(&stages).search(grey(&noise(width, height, seed)));
    }

    #[test]
    fn pictures_of_any_size_can_be_searched(
        (width, height) in (0..200_u32, 0..200_u32),
        coarseness in 1..9_u32,
        seed: u64,
    ) {
        let blocks = noise(width.div_ceil(coarseness), height.div_ceil(coarseness), seed);
        let picture = GrayImage::from_fn(width, height, |x, y| {
            *blocks.get_pixel(x / coarseness, y / coarseness)
        });
        Cascade::read(MODEL).unwrap().search(grey(&picture));
    }

    #[test]
    fn models_of_any_bytes_are_refused_or_searched_with(
        changes in prop::collection::vec((0..MODEL.len(), any::<u8>()), 1..20),
        start in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut model = MODEL.to_vec();
        for (at, byte) in changes {
            model[at] = byte;
        }
        if let Ok(cascade) = Cascade::read(&model) {
            cascade.search(grey(&noise(60, 50, 1)));
        }
        model[..start.len()].copy_from_slice(&start);
        let _ = Cascade::read(&model);
    }
}
