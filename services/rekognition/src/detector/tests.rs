//! Broken, hostile and plain images, and real photographs where the test run provides some.

use std::io::Cursor;
use std::path::PathBuf;

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};

use super::*;

fn noise(width: u32, height: u32) -> RgbImage {
    // A multiplicative generator: the same noise on every machine.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    RgbImage::from_fn(width, height, |_, _| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bytes = state.to_be_bytes();
        image::Rgb([bytes[0], bytes[1], bytes[2]])
    })
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// Puts an EXIF block that holds nothing but the orientation behind a JPEG's start marker.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

/// A PNG that consists of a header which promises a picture of this size.
fn promising_png(width: u32, height: u32) -> Vec<u8> {
    let mut png = encode(GrayImage::new(1, 1), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// The photographs of the test run: `scripts/test` sets the variable, and then a missing photograph is a failure.
pub(super) fn photo(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("FOGBANK_TEST_PHOTOS") else {
        eprintln!(
            "SKIPPED: FOGBANK_TEST_PHOTOS is not set, so {name} was not searched; scripts/test sets it"
        );
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Asserts that exactly one face was found and that its middle lies in this region of the photograph.
#[track_caller]
fn assert_one_face(
    detection: &Detection,
    across: std::ops::Range<f32>,
    down: std::ops::Range<f32>,
) {
    assert_eq!(detection.faces.len(), 1, "{detection:?}");
    let face = &detection.faces[0];
    let bounding_box = face.bounding_box;
    assert!(across.contains(&(bounding_box.left + bounding_box.width / 2.0)), "{face:?}");
    assert!(down.contains(&(bounding_box.top + bounding_box.height / 2.0)), "{face:?}");
    assert!((90.0..=100.0).contains(&face.confidence), "{face:?}");
    assert!((5.0..95.0).contains(&face.quality.brightness), "{face:?}");
    assert!((1.0..100.0).contains(&face.quality.sharpness), "{face:?}");
}

#[test]
fn finds_the_astronaut_in_a_png() {
    let Some(bytes) = photo("astronaut.png") else { return };
    let detection = detect(&bytes).unwrap();
    assert_eq!((detection.width, detection.height, detection.orientation), (512, 512, 1));
    assert_one_face(&detection, 0.36..0.50, 0.15..0.31);
    let bounding_box = detection.faces[0].bounding_box;
    assert!((0.10..0.35).contains(&bounding_box.width), "{bounding_box:?}");
}

#[test]
fn finds_the_admiral_in_a_jpeg() {
    let Some(bytes) = photo("grace_hopper.jpg") else { return };
    assert_one_face(&detect(&bytes).unwrap(), 0.35..0.65, 0.20..0.55);
}

#[test]
fn finds_the_same_face_whichever_way_the_camera_was_held() {
    let Some(bytes) = photo("astronaut.png") else { return };
    let upright = image::load_from_memory(&bytes).unwrap().crop_imm(0, 0, 512, 400);
    let lying = [
        (3, upright.rotate180()),
        (6, upright.rotate270()),
        (8, upright.rotate90()),
        (2, upright.fliph()),
        (5, upright.rotate270().flipv()),
    ];
    for (orientation, image) in lying {
        let jpeg = encode(DynamicImage::ImageRgb8(image.into_rgb8()), ImageFormat::Jpeg);
        let detection = detect(&with_orientation(&jpeg, orientation)).unwrap();
        assert_eq!((detection.width, detection.height), (512, 400), "orientation {orientation}");
        assert_eq!(detection.orientation, orientation);
        assert_one_face(&detection, 0.36..0.50, 0.20..0.40);
    }
}

#[test]
fn finds_the_face_in_a_photo_that_is_scaled_down_first() {
    let Some(bytes) = photo("astronaut.png") else { return };
    let large = image::load_from_memory(&bytes).unwrap().resize_exact(
        2500,
        2500,
        image::imageops::FilterType::Triangle,
    );
    let detection =
        detect(&encode(DynamicImage::ImageRgb8(large.into_rgb8()), ImageFormat::Jpeg)).unwrap();
    assert_eq!((detection.width, detection.height), (2500, 2500));
    assert_one_face(&detection, 0.36..0.50, 0.15..0.31);
}

#[test]
fn finds_no_face_where_there_is_none() {
    for name in ["rocket.jpg", "coffee.png", "chelsea.png"] {
        let Some(bytes) = photo(name) else { return };
        assert_eq!(detect(&bytes).unwrap().faces, [], "{name}");
    }
}

#[test]
fn finds_no_face_in_noise_or_in_plain_areas() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png] {
        let detection = detect(&encode(noise(320, 200), format)).unwrap();
        assert_eq!((detection.width, detection.height), (320, 200));
        assert_eq!(detection.faces, []);
    }
    let white = GrayImage::from_pixel(100, 80, image::Luma([255]));
    assert_eq!(detect(&encode(white, ImageFormat::Png)).unwrap().faces, []);
}

#[test]
fn searches_pictures_of_awkward_proportions() {
    for (width, height) in [(80, 80), (81, 80), (5000, 80), (80, 3000), (1025, 97), (1024, 1024)] {
        let detection = detect(&encode(noise(width, height), ImageFormat::Png)).unwrap();
        assert_eq!((detection.width, detection.height), (width, height));
    }
}

#[test]
fn refuses_what_is_no_jpeg_or_png() {
    for bytes in [
        b"GIF89a\x50\0\x50\0".as_slice(),
        b"<html>not a photograph</html>",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        &[0; 4096],
    ] {
        assert_eq!(detect(bytes), Err(ImageError::InvalidFormat), "{bytes:?}");
    }
}

#[test]
fn refuses_pictures_that_break_off_or_are_garbled_without_a_panic() {
    let mut garbled = encode(noise(200, 200), ImageFormat::Png);
    let middle = garbled.len() / 2;
    garbled[middle] ^= 0xff;
    assert_eq!(detect(&garbled), Err(ImageError::InvalidFormat));
    for format in [ImageFormat::Jpeg, ImageFormat::Png] {
        let whole = encode(noise(120, 90), format);
        for length in (0..whole.len()).step_by(97) {
            // A JPEG that lacks its last rows is still a picture to most decoders; it must merely do no harm.
            if let Ok(detection) = detect(&whole[..length]) {
                assert_eq!(detection.faces, []);
            }
        }
    }
}

#[test]
fn refuses_sizes_outside_the_limits() {
    let small = encode(noise(79, 300), ImageFormat::Png);
    assert_eq!(detect(&small), Err(ImageError::TooSmall));
    assert_eq!(detect(&[]), Err(ImageError::TooSmall));
    let many = vec![0xff; MAX_BYTES + 1];
    assert_eq!(detect(&many), Err(ImageError::TooManyBytes(MAX_BYTES + 1)));
}

#[test]
fn refuses_a_decompression_bomb_by_its_header() {
    for (width, height) in [(90_000, 90_000), (10_001, 100)] {
        assert_eq!(
            detect(&promising_png(width, height)),
            Err(ImageError::TooLarge { width, height })
        );
    }
    // More than any decoder would dare, and within the limits while the pixels never come.
    assert_eq!(detect(&promising_png(u32::MAX / 2, u32::MAX / 2)), Err(ImageError::InvalidFormat));
    assert_eq!(detect(&promising_png(9_000, 9_000)), Err(ImageError::InvalidFormat));
}

#[test]
fn confidence_rises_with_the_score_and_stays_a_percentage() {
    let scores = [-1.0, 0.0, 0.5, 3.0, 4.0, 6.0, 8.0, 12.0];
    let percents = scores.map(confidence);
    assert!(percents.is_sorted(), "{percents:?}");
    assert!((percents[3] - 90.0).abs() < 1e-3 && (percents[5] - 99.0).abs() < 1e-3, "{percents:?}");
    assert!(confidence(1e6) <= 100.0 && confidence(-5.0) >= 0.0);
}

#[test]
fn quality_tells_dark_from_bright_and_sharp_from_soft() {
    let square = |side| engine::Square { left: -10, top: -10, side, score: 3.0 };
    let dark = GrayImage::from_pixel(100, 100, image::Luma([20]));
    let plain = quality::measure(&dark, &square(80));
    assert!((plain.brightness - 7.84).abs() < 0.01 && plain.sharpness == 0.0, "{plain:?}");
    let checks = GrayImage::from_fn(100, 100, |x, y| image::Luma([((x + y) % 2 * 255) as u8]));
    let crisp = quality::measure(&checks, &square(500));
    assert!((crisp.brightness - 50.0).abs() < 0.1 && crisp.sharpness > 99.0, "{crisp:?}");
    let soft = image::imageops::blur(&checks, 2.0);
    assert!(quality::measure(&soft, &square(500)).sharpness < 10.0);
}
