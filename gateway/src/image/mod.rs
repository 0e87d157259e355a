//! Images in, tensors out.
//!
//! The reference is pillow 11.0.0: a [`Preset`] says which of its calls. Every rule here is its behaviour, held to it
//! byte for byte by `tests/pillow.rs`. All of this is work for a thread of its own: nothing here waits.

mod avx2;
mod bmp;
mod crop;
mod exif;
mod format;
mod gif;
mod jpeg;
mod pixels;
mod png;
mod preset;
mod resample;
mod scratch;
mod tensor;
mod thumbnail;
mod webp;
mod weights;

use serde::Deserialize;
use tritondeploy_wire::Datatype;

use self::exif::Rotation;
use self::pixels::{Opened, Pixels};

pub use format::Format;
pub use preset::{Convert, Filter, Orientation, Preset, Resize};
pub use tensor::Layout;
pub use thumbnail::{THUMBNAILS, Thumbnail, thumbnail};
pub use tritondeploy_wire::v1::Quality;

/// Width and height of what the models of protocol v0 see.
pub const SIDE: usize = 224;

/// Where an image comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A file of any format that is read.
    Encoded(&'a [u8]),
    /// Rows from top to bottom of red, green and blue, without gaps.
    Rgb8 {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// `width * height * 3` bytes.
        pixels: &'a [u8],
    },
}

/// Decoded pixels: rows from top to bottom of red, green and blue, without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

/// What a pixel costs at most while its image is decoded: a progressive JPEG of four channels, whose two bytes of each wait
/// for the last scan beside the pixels themselves.
pub const PIXEL_BYTES: u64 = 12;

/// What an image may cost.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most pixels (width times height, as the file's header says) that are decoded.
    pub pixels: u64,
    /// Pixels of all images of over 4 megapixels that are decoded at the same time; more wait. While it is decoded, an image
    /// takes up to [`PIXEL_BYTES`] for each.
    pub pixels_at_once: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // Pillow's own warning line, about 89.5 megapixels.
        Self { pixels: 89_478_485, pixels_at_once: 89_478_485 }
    }
}

/// Why there is no tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A known format that is not read.
    #[error("the image is {0}, which is not supported; send JPEG, PNG, WebP, GIF or BMP")]
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
    /// Raw pixels that are not as many as their width and height say, or none.
    #[error("{bytes} bytes are not {width} x {height} pixels of rgb8, which take width * height * 3 and are at least one")]
    Rgb8 {
        /// In pixels, as the sender says.
        width: u32,
        /// In pixels, as the sender says.
        height: u32,
        /// What was sent.
        bytes: usize,
    },
    /// An image that the preset's resize makes too large, or smaller than what is to be cut out of it.
    #[error("the image, {width} x {height} pixels, is too narrow or too small to be resized to {to_width} x {to_height}")]
    Resized {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// In pixels.
        to_width: u64,
        /// In pixels.
        to_height: u64,
    },
    /// A model whose input has no pixels.
    #[error("an image cannot be made as small as nothing")]
    Empty,
    /// A thumbnail of a size that is not made.
    #[error("a thumbnail is {} to {} pixels long, not {longest}", THUMBNAILS.start(), THUMBNAILS.end())]
    Thumbnail {
        /// In pixels.
        longest: u32,
    },
    /// A thumbnail that could not be written.
    #[error("the thumbnail cannot be written: {0}")]
    Encode(String),
    /// A model whose input is of a type that images are not written as.
    #[error("an image cannot be written as {0:?}; FP32, FP16 and UINT8 are known")]
    Datatype(Datatype),
    /// A tensor of another size than the image.
    #[error("the image takes {wanted} bytes, {given} are given")]
    Room {
        /// In bytes.
        wanted: usize,
        /// In bytes.
        given: usize,
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

/// Decodes an image: in its own size, unless `need` says that less will do.
fn open(source: Source<'_>, limits: &Limits, need: Option<jpeg::Need<'_>>) -> Result<Opened, ImageError> {
    match source {
        Source::Encoded(bytes) => match format::sniff(bytes)? {
            Format::Jpeg => jpeg::decode(bytes, limits, need),
            Format::Png => png::decode(bytes, limits),
            Format::WebP => webp::decode(bytes, limits),
            Format::Gif => gif::decode(bytes, limits),
            Format::Bmp => bmp::decode(bytes, limits),
            other => Err(ImageError::Unsupported(other)),
        },
        Source::Rgb8 { width, height, pixels } => {
            let (wide, high) = (width as usize, height as usize);
            limits.check(wide, high)?;
            if pixels.is_empty() || pixels.len() as u64 != u64::from(width) * u64::from(height) * 3 {
                return Err(ImageError::Rgb8 { width, height, bytes: pixels.len() });
            }
            Ok(Opened::new(wide, high, Pixels::Rgbx(pixels::spaced(pixels))))
        }
    }
}

/// How much of a file [`header`] looks at: its header lies within, also behind a thumbnail and a colour profile of the usual
/// length. Some formats let anything stand before it.
const HEADER: usize = 256 << 10;

/// What an image's header says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Width and height.
    pub size: (usize, usize),
    /// How many times the work of a plain image of this size it is.
    pub work: u64,
}

impl Header {
    /// Its own pixels.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        (self.size.0 as u64).saturating_mul(self.size.1 as u64)
    }
}

/// What an image's header says; None where it does not, or only far into the file. A decoder that takes the image finds the
/// same.
#[must_use]
pub fn header(source: &Source<'_>) -> Option<Header> {
    let plain = |size| Header { size, work: 1 };
    match source {
        Source::Encoded(bytes) => {
            let first = &bytes[..bytes.len().min(HEADER)];
            match format::sniff(first).ok()? {
                Format::Jpeg => jpeg::header(first, bytes),
                Format::Png => png::size(first).map(plain),
                Format::WebP => webp::size(first).map(plain),
                Format::Gif => gif::size(first).map(plain),
                Format::Bmp => bmp::size(first).map(plain),
                _ => None,
            }
        }
        Source::Rgb8 { width, height, .. } => Some(plain((*width as usize, *height as usize))),
    }
}

/// How the camera was held, where the source says so.
fn turn(source: &Source<'_>) -> Rotation {
    match source {
        Source::Encoded(bytes) => format::sniff(bytes).map_or(Rotation::NONE, |format| Rotation::of(format, bytes)),
        Source::Rgb8 { .. } => Rotation::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_in_the_first_part_of_a_file_however_long_it_is() {
        // The header of a BMP of 600 x 500 pixels of 24 bits, and its rows.
        let mut bmp = [&b"BM"[..], &[0; 8], &54u32.to_le_bytes(), &40u32.to_le_bytes()].concat();
        bmp.extend([600u32.to_le_bytes(), 500u32.to_le_bytes(), [1, 0, 24, 0]].concat());
        bmp.resize(54 + 600 * 500 * 3, 0);
        assert!(bmp.len() > HEADER);
        assert_eq!(header(&Source::Encoded(&bmp)), Some(Header { size: (600, 500), work: 1 }));
    }

    #[test]
    fn what_stands_before_the_header_is_not_read_to_its_end() {
        // Comments of 255 bytes, then a picture of 2 x 1.
        let gif = |comments: usize| {
            let comment = [&[0x21, 0xfe, 255][..], &[7; 255], &[0]].concat();
            let screen = [&b"GIF89a"[..], &[2, 0, 1, 0, 0, 0, 0]].concat();
            [screen, comment.repeat(comments), vec![0x2c, 0, 0, 0, 0, 2, 0, 1, 0, 0, 2, 2, 0x84, 0x51, 0, 0x3b]].concat()
        };
        assert_eq!(header(&Source::Encoded(&gif(10))).map(|header| header.size), Some((2, 1)));
        assert_eq!(header(&Source::Encoded(&gif(HEADER / 259 + 1))), None);
    }
}
