//! Images in, tensors out: exactly what clients of protocol v0 have always got.
//!
//! The reference is pillow 11.0.0: `Image.open(f).resize((224, 224)).convert("RGB")`, divided by 255, channels first.
//! Every rule here is its behaviour, held to it byte for byte by `tests/pillow.rs`.

mod format;
mod jpeg;
mod pixels;
mod png;
mod resample;
mod taps;
mod wide;

use serde::Deserialize;

pub use format::Format;

/// Width and height of what the models see.
pub const SIDE: usize = 224;

/// What an image may cost.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most pixels (width times height, as the file's header says) that are decoded.
    pub pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // Pillow's own warning line, about 89.5 megapixels.
        Self { pixels: 89_478_485 }
    }
}

/// Why there is no tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A known format that is not read.
    #[error("the image is {0}, which is not supported; send JPEG or PNG")]
    Unsupported(Format),
    /// A variant of a format that is not read.
    #[error("the {format} image cannot be read: {why}")]
    Variant {
        /// The format.
        format: Format,
        /// What is special about it.
        why: String,
    },
    /// The bytes begin like no image that we know.
    #[error("this is no image: it begins with {0}")]
    Unknown(String),
    /// The header says that the image is larger than the cap.
    #[error("the image has {width} x {height} pixels; the limit is {limit} pixels")]
    TooLarge {
        /// In pixels.
        width: u64,
        /// In pixels.
        height: u64,
        /// In pixels.
        limit: u64,
    },
    /// The file is broken or cut off.
    #[error("the {format} image is damaged: {why}")]
    Damaged {
        /// The format.
        format: Format,
        /// What the decoder says.
        why: String,
    },
}

impl Limits {
    /// Holds a header's word against the cap, before anything is allocated.
    fn check(&self, width: usize, height: usize) -> Result<(), ImageError> {
        let (width, height) = (width as u64, height as u64);
        if width.saturating_mul(height) > self.pixels {
            return Err(ImageError::TooLarge { width, height, limit: self.pixels });
        }
        Ok(())
    }
}

/// Decodes, resizes and scales an image by the preset `unit`: f32 in 0..=1, [3, 224, 224], row-major.
///
/// # Errors
/// When the bytes are no image that is read, are damaged, or the image is too large.
pub fn unit(bytes: &[u8], limits: &Limits) -> Result<Vec<f32>, ImageError> {
    let rgb = rgb(bytes, limits)?;
    let scale: [f32; 256] = std::array::from_fn(|v| v as f32 / 255.0);
    let mut planes = vec![0.0; 3 * SIDE * SIDE];
    let (red, rest) = planes.split_at_mut(SIDE * SIDE);
    let (green, blue) = rest.split_at_mut(SIDE * SIDE);
    for (i, pixel) in rgb.chunks_exact(3).enumerate() {
        red[i] = scale[usize::from(pixel[0])];
        green[i] = scale[usize::from(pixel[1])];
        blue[i] = scale[usize::from(pixel[2])];
    }
    Ok(planes)
}

/// Decodes and resizes an image to 224 x 224 RGB, rows of interleaved bytes.
///
/// # Errors
/// As [`unit`].
pub fn rgb(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, ImageError> {
    let opened = match format::sniff(bytes)? {
        Format::Jpeg => jpeg::decode(bytes, limits)?,
        Format::Png => png::decode(bytes, limits)?,
        other => return Err(ImageError::Unsupported(other)),
    };
    Ok(opened.resized())
}
