//! QR codes as PNG pictures.

use png::{BitDepth, ColorType, Encoder};
use qrcodegen::{QrCode, QrCodeEcc};

/// How many pixels wide a module is.
const SCALE: usize = 5;
/// How many modules of white are around the code, as the standard wants.
const BORDER: i32 = 4;

/// The code of a text.
pub(crate) fn png(text: &str) -> Result<Vec<u8>, String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|error| error.to_string())?;
    let modules = code.size() + 2 * BORDER;
    let mut pixels = Vec::new();
    for y in 0..modules {
        let line: Vec<u8> = (0..modules)
            .flat_map(|x| {
                let is_dark = code.get_module(x - BORDER, y - BORDER);
                std::iter::repeat_n(if is_dark { 0 } else { 255 }, SCALE)
            })
            .collect();
        (0..SCALE).for_each(|_| pixels.extend_from_slice(&line));
    }
    let width = modules.unsigned_abs() * SCALE as u32;
    let mut picture = Vec::new();
    let mut encoder = Encoder::new(&mut picture, width, width);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer.write_image_data(&pixels).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(picture)
}
