//! From bytes to an upright grey picture of a size that the detector likes, within limits.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, error::LimitErrorKind,
};
use thiserror::Error;

/// The most bytes that an image may have: AWS's limit for an image in S3 (15 MB; bytes in the request: 5 MB).
pub const MAX_BYTES: usize = 15 * 1024 * 1024;

/// The fewest pixels that an image may have on each side.
pub const MIN_SIDE: u32 = 80;

/// The most pixels that an image may have on each side.
pub const MAX_SIDE: u32 = 10_000;

/// The most bytes that an image's pixels may take once decoded, which bounds the memory of one detection.
///
/// It is enough for 64 megapixels of colour, or for 48 with an alpha channel.
pub const MAX_DECODED_BYTES: u64 = 192_000_000;

/// The longest side of the picture that is searched; larger images are scaled down to it.
///
/// It is a matter of time: the cascade looks at every part of a picture at some twenty sizes.
const SEARCHED_SIDE: u32 = 1024;

/// Memory that a decoder may take beside the picture itself.
const DECODER_BYTES: u64 = 64 * 1024 * 1024;

/// Why an image cannot be searched. The texts are AWS's where AWS's are known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImageError {
    /// The bytes are no JPEG or PNG, or a broken one.
    #[error("Request has invalid image format")]
    InvalidFormat,
    /// There are more bytes than [`MAX_BYTES`].
    #[error("Image size is too large: {0} bytes exceed the maximum of {MAX_BYTES} bytes")]
    TooManyBytes(usize),
    /// The image is too wide, too high, or has too many pixels in all.
    #[error("Image dimensions: {width} x {height} pixels exceed the maximum limit.")]
    TooLarge {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// A side has fewer pixels than [`MIN_SIDE`], or there are no bytes.
    #[error("Request has invalid parameters")]
    TooSmall,
    /// The detector itself failed, which is our fault and not the image's.
    #[error("the detector failed: {0}")]
    Detector(String),
}

/// An image, upright and grey.
pub(super) struct Picture {
    /// The upright image's width in pixels.
    pub(super) width: u32,
    /// The upright image's height in pixels.
    pub(super) height: u32,
    /// The EXIF orientation that was applied.
    pub(super) orientation: u8,
    /// What is searched: at most [`SEARCHED_SIDE`] pixels long, of the same proportions.
    pub(super) luma: GrayImage,
}

impl Picture {
    /// Decodes a JPEG or a PNG; nothing is allocated for its pixels before its header passed the limits.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.is_empty() {
            return Err(ImageError::TooSmall);
        }
        if bytes.len() > MAX_BYTES {
            return Err(ImageError::TooManyBytes(bytes.len()));
        }
        let format = image::guess_format(bytes).map_err(|_| ImageError::InvalidFormat)?;
        if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) {
            return Err(ImageError::InvalidFormat);
        }
        let reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut decoder = reader.into_decoder().map_err(|_| ImageError::InvalidFormat)?;
        let (width, height) = decoder.dimensions();
        check_dimensions(width, height, decoder.total_bytes())?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_DECODED_BYTES + DECODER_BYTES);
        decoder.set_limits(limits).map_err(|error| refused(&error, width, height))?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let image =
            DynamicImage::from_decoder(decoder).map_err(|error| refused(&error, width, height))?;
        Ok(Self::new(shrink(image), width, height, orientation))
    }

    fn new(mut image: DynamicImage, width: u32, height: u32, orientation: Orientation) -> Self {
        image.apply_orientation(orientation);
        let exif = orientation.to_exif();
        // From 5 up the picture lies on its side, so that its sides change places.
        let (width, height) = if exif >= 5 { (height, width) } else { (width, height) };
        Self { width, height, orientation: exif, luma: image.into_luma8() }
    }
}

fn check_dimensions(width: u32, height: u32, decoded_bytes: u64) -> Result<(), ImageError> {
    if width > MAX_SIDE || height > MAX_SIDE || decoded_bytes > MAX_DECODED_BYTES {
        return Err(ImageError::TooLarge { width, height });
    }
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(ImageError::TooSmall);
    }
    Ok(())
}

/// Makes an image grey, and small enough to search; it never becomes larger.
fn shrink(image: DynamicImage) -> DynamicImage {
    let image = DynamicImage::ImageLuma8(image.into_luma8());
    let (width, height) = (image.width(), image.height());
    let longest = width.max(height);
    if longest <= SEARCHED_SIDE {
        return image;
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(SEARCHED_SIDE) / u64::from(longest);
        u32::try_from(side).unwrap_or(SEARCHED_SIDE).max(1)
    };
    image.thumbnail_exact(scaled(width), scaled(height))
}

fn refused(error: &image::ImageError, width: u32, height: u32) -> ImageError {
    match error {
        image::ImageError::Limits(limit)
            if !matches!(limit.kind(), LimitErrorKind::Unsupported { .. }) =>
        {
            ImageError::TooLarge { width, height }
        }
        _ => ImageError::InvalidFormat,
    }
}
