//! A small JPEG of an image, for eyes.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use super::crop::Crop;
use super::preset::Filter;
use super::{ImageError, Limits, Rgb, Source, pixels};

/// What the longer side of a thumbnail may be limited to, in pixels.
pub const THUMBNAILS: RangeInclusive<u32> = 16..=2048;

/// As most writers of small pictures have it.
const QUALITY: i32 = 80;

thread_local! {
    static ENCODER: RefCell<Option<Compressor>> = const { RefCell::new(None) };
}

/// A small JPEG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// The file.
    pub jpeg: Vec<u8>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// An image, upright and without alpha, as a JPEG whose longer side has at most `longest` pixels. It is made smaller,
/// never larger.
///
/// # Errors
/// When `longest` is not among [`THUMBNAILS`], the bytes are no image that is read, are damaged, or the image is too
/// large.
pub fn thumbnail(source: Source<'_>, longest: u32, limits: &Limits) -> Result<Thumbnail, ImageError> {
    if !THUMBNAILS.contains(&longest) {
        return Err(ImageError::Thumbnail { longest });
    }
    let fitted = |size| Ok(fit(size, longest as usize));
    let turn = super::turn(&source);
    let opened = turn.apply(super::open(source, limits, Some(&fitted))?.converted());
    let (width, height) = fit(opened.whole, longest as usize);
    let window = Crop::stretch((opened.width, opened.height), (width, height));
    let rgb = pixels::resized(opened, &window, Filter::Bilinear);
    let jpeg = ENCODER.with_borrow_mut(|encoder| encode(encoder, &rgb));
    let jpeg = jpeg.map_err(|e| ImageError::Encode(e.to_string()))?;
    Ok(Thumbnail { jpeg, width: width as u32, height: height as u32 })
}

/// The size, in proportion, whose longer side is at most `longest`; neither side vanishes.
fn fit((width, height): (usize, usize), longest: usize) -> (usize, usize) {
    let side = width.max(height);
    if side <= longest {
        return (width, height);
    }
    let scaled = |v: usize| ((v as u64 * longest as u64 + side as u64 / 2) / side as u64).max(1) as usize;
    (scaled(width), scaled(height))
}

fn encode(encoder: &mut Option<Compressor>, rgb: &Rgb) -> turbojpeg::Result<Vec<u8>> {
    let encoder = match encoder {
        Some(encoder) => encoder,
        None => encoder.insert(Compressor::new()?),
    };
    encoder.set_quality(QUALITY)?;
    encoder.set_subsamp(Subsamp::Sub2x2)?;
    let (width, height) = (rgb.width, rgb.height);
    let image = Image { pixels: &rgb.pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    encoder.compress_to_vec(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: u32, height: u32) -> Thumbnail {
        let pixels = vec![77; (width * height * 3) as usize];
        thumbnail(Source::Rgb8 { width, height, pixels: &pixels }, 64, &Limits::default()).unwrap()
    }

    #[test]
    fn a_thumbnail_is_a_jpeg_that_fits() {
        for (size, want) in [((640, 480), (64, 48)), ((3, 700), (1, 64)), ((7000, 3), (64, 1)), ((40, 20), (40, 20))] {
            let small = gray(size.0, size.1);
            assert_eq!((small.width, small.height), want);
            let opened = super::super::open(Source::Encoded(&small.jpeg), &Limits::default(), None).unwrap();
            assert_eq!((opened.width as u32, opened.height as u32), want);
            let rgb = pixels::resized(opened, &Crop::stretch((want.0 as usize, want.1 as usize), (1, 1)), Filter::Bilinear);
            assert!(rgb.pixels.iter().all(|v| v.abs_diff(77) <= 2), "{:?}", rgb.pixels);
        }
    }

    #[test]
    fn a_thumbnail_of_no_size_is_refused() {
        let source = Source::Rgb8 { width: 1, height: 1, pixels: &[0; 3] };
        for longest in [0, 15, 2049, u32::MAX] {
            assert_eq!(thumbnail(source, longest, &Limits::default()), Err(ImageError::Thumbnail { longest }));
        }
    }
}
