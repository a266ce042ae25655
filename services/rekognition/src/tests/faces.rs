//! `DetectFaces` on images that need no photograph; real faces are found in the end-to-end test.

use fogbank_core::Service;
use fogbank_testkit::{World, expect, json};
use image::{DynamicImage, ImageFormat};

static SERVICES: &[&Service] = &[&crate::SERVICE];

fn png(side: u32) -> String {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::new_rgb8(side, side).write_to(&mut bytes, ImageFormat::Png).expect("a PNG");
    base64(bytes.get_ref())
}

/// Internal calls carry blobs in base64.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = [0_u8; 3];
        word[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place)) as usize & 63] as char;
            text.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

#[tokio::test]
async fn an_image_without_a_face_has_no_details() {
    let world = World::new(SERVICES);
    let input = json!({ "Image": { "Bytes": png(200) } });
    let expected = expect![[r#"
        {
          "FaceDetails": []
        }"#]];
    world.check("rekognition:DetectFaces", input, expected).await;
}

#[tokio::test]
async fn what_is_no_image_is_refused() {
    let world = World::new(SERVICES);
    let input = json!({ "Image": { "Bytes": base64(b"this is no image at all") } });
    let expected = expect!["InvalidImageFormatException: Request has invalid image format"];
    world.check("rekognition:DetectFaces", input, expected).await;
}

#[tokio::test]
async fn an_image_must_have_one_source() {
    let world = World::new(SERVICES);
    let expected = expect!["InvalidParameterException: Request has Invalid Parameters"];
    world.check("rekognition:DetectFaces", json!({ "Image": {} }), expected).await;
}
