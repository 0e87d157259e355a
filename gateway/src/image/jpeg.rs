//! JPEG, by libjpeg-turbo. Exact means: without its fast paths.

use std::cell::RefCell;

use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Image, PixelFormat, ScalingFactor};

use super::pixels::{Opened, Pixels};
use super::{Format, Header, ImageError, Limits, scratch};

/// The second byte of the end-of-image marker.
const END: u8 = 0xd9;

/// Scans of a progressive file, at least and at most. Real ones have about ten, of four channels 18; each may cost as much as the whole picture,
/// and next to none of the sender's bytes (libjpeg-turbo, "Two Issues with the JPEG Standard").
const SCANS: (u64, u64) = (24, 100);

/// Pixels times scans: between the two, a larger picture may have fewer.
const SCANNED: u64 = 128_000_000;

/// How many times larger than needed a picture is decoded in [`super::Quality::Fast`], as a fraction: what the decoder
/// throws away it throws away without the care of our resize, which needs some to work on. On photographs, 1 is off
/// by 1.4 of 255 on average and up to 49, 3/2 by 0.5 and up to 17, 2 by 0.4 and up to 11; 3/2 lets a picture of
/// 1280 x 960 be halved for either preset.
const SPARE: (usize, usize) = (3, 2);

thread_local! {
    static DECODER: RefCell<Option<Decompressor>> = const { RefCell::new(None) };
}

/// Decodes in full, or where `need` tells how much of a picture of given width and height is needed, at the smallest
/// fraction of its size that is well above that.
pub(super) fn decode(bytes: &[u8], limits: &Limits, need: Option<Need<'_>>) -> Result<Opened, ImageError> {
    DECODER.with_borrow_mut(|decoder| {
        let decoder = match decoder {
            Some(decoder) => decoder,
            None => decoder.insert(Decompressor::new().map_err(|e| damaged(&e))?),
        };
        decode_with(decoder, bytes, limits, need)
    })
}

/// By the header, which is in `first`, and by the scans of the whole file: a progressive picture is once more the work of a
/// plain one for each eight of them.
pub(super) fn header(first: &[u8], whole: &[u8]) -> Option<Header> {
    DECODER.with_borrow_mut(|decoder| {
        let decoder = match decoder {
            Some(decoder) => decoder,
            None => decoder.insert(Decompressor::new().ok()?),
        };
        let header = decoder.read_header(first).ok()?;
        let work = if header.is_progressive { (scans(whole) / 8).max(1) } else { 1 };
        Some(Header { size: (header.width, header.height), work })
    })
}

/// In what is entropy-coded, no such marker can stand.
fn scans(file: &[u8]) -> u64 {
    const START: u8 = 0xda;
    file.iter().zip(&file[1..]).filter(|pair| *pair == (&0xff, &START)).count() as u64
}

/// From a picture's width and height to those that are needed.
pub(super) type Need<'a> = &'a dyn Fn((usize, usize)) -> Result<(usize, usize), ImageError>;

fn decode_with(decoder: &mut Decompressor, bytes: &[u8], limits: &Limits, need: Option<Need<'_>>) -> Result<Opened, ImageError> {
    let header = decoder.read_header(bytes).map_err(|e| match e {
        turbojpeg::Error::BadColorspace(_) | turbojpeg::Error::BadSubsamp(_) => variant("its colour components are unusual"),
        other => damaged(&other),
    })?;
    let whole = (header.width, header.height);
    limits.check(whole.0, whole.1)?;
    let scale = match need {
        Some(need) if !header.is_lossless => smallest(whole, need(whole)?),
        _ => ScalingFactor::ONE,
    };
    let set_up = |decoder: &mut Decompressor| {
        let scans = (SCANNED / (whole.0 as u64 * whole.1 as u64).max(1)).clamp(SCANS.0, SCANS.1);
        decoder.set_scan_limit(scans as u32)?;
        decoder.set_fast_upsample(need.is_some())?;
        decoder.set_scaling_factor(scale)
    };
    set_up(decoder).map_err(|e| damaged(&e))?;

    let header = header.scaled(scale);
    let (width, height) = (header.width, header.height);
    let format = match header.colorspace {
        Colorspace::Gray => PixelFormat::GRAY,
        Colorspace::RGB | Colorspace::YCbCr => PixelFormat::RGBX,
        Colorspace::CMYK | Colorspace::YCCK => PixelFormat::CMYK,
    };
    let mut pixels = scratch::take(width * height * format.size());
    // Where a damaged file leaves rows out, there must be nothing of another image.
    if header.is_progressive {
        pixels.fill(0);
    }
    let mut decoded = decoder.decompress(bytes, image(&mut pixels, &header, format));
    if !header.is_progressive && decoded.as_ref().is_err_and(is_warning) {
        // Only now, and again: few files are damaged, and each would pay for it.
        pixels.fill(0);
        decoded = decoder.decompress(bytes, image(&mut pixels, &header, format));
    }
    if let Err(error) = decoded {
        // Damage inside the picture is painted over, as every viewer does; a file that ends too soon is refused.
        if !is_warning(&error) || !(has_end(bytes) || has_spare(decoder, bytes, &header, format, &pixels)) {
            return Err(damaged(&error));
        }
    }
    let pixels = match format {
        PixelFormat::GRAY => Pixels::Gray(pixels),
        PixelFormat::RGBX => Pixels::Rgbx(pixels),
        _ => {
            // Adobe's convention, which everybody follows: 0 is full ink.
            pixels.iter_mut().for_each(|v| *v = 255 - *v);
            Pixels::Cmyk(pixels)
        }
    };
    Ok(Opened { width, height, whole, pixels })
}

fn image<'a>(pixels: &'a mut [u8], header: &DecompressHeader, format: PixelFormat) -> Image<&'a mut [u8]> {
    let (width, height) = (header.width, header.height);
    Image { pixels, width, pitch: width * format.size(), height, format }
}

/// The smallest of the fractions that libjpeg-turbo has quick code for.
fn smallest((width, height): (usize, usize), (wide, high): (usize, usize)) -> ScalingFactor {
    let fractions = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];
    let enough = |f: &ScalingFactor| SPARE.1 * f.scale(width) >= SPARE.0 * wide && SPARE.1 * f.scale(height) >= SPARE.0 * high;
    fractions.into_iter().find(enough).unwrap_or(ScalingFactor::ONE)
}

fn damaged(error: &turbojpeg::Error) -> ImageError {
    let why = match error {
        turbojpeg::Error::TurboJpegError(message) => message.clone(),
        other => other.to_string(),
    };
    ImageError::Damaged { format: Format::Jpeg, why }
}

fn variant(why: &str) -> ImageError {
    ImageError::Variant { format: Format::Jpeg, why: why.to_owned() }
}

/// Whether the decoder went on to the last row all the same. libjpeg's warnings are the `JWRN_` messages of its
/// jerror.h; the TurboJPEG layer reports them as it does errors.
fn is_warning(error: &turbojpeg::Error) -> bool {
    const WARNINGS: [&str; 6] = [
        "Corrupt JPEG data",
        "Premature end of JPEG file",
        "Inconsistent progression sequence",
        "Invalid SOS parameters",
        "Unknown Adobe color transform",
        "Warning: unknown JFIF revision",
    ];
    matches!(error, turbojpeg::Error::TurboJpegError(m) if WARNINGS.iter().any(|w| m.contains(w)))
}

/// Whether the markers lead to an end-of-image marker.
fn has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[mark, kind]) = bytes.get(at..at + 2).and_then(|b| <&[u8; 2]>::try_from(b).ok()) {
        match (mark, kind) {
            (0xff, END) => return true,
            // Sections with a length; what follows the last of them is entropy-coded.
            (0xff, 0xc0..=0xcf | 0xda..=0xdf | 0xe0..=0xfe) => match bytes.get(at + 2..at + 4) {
                Some(length) => at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2),
                None => return false,
            },
            _ => at += 1,
        }
    }
    false
}

/// Whether a file without an end-of-image marker has bytes to spare after its last row: then the picture is whole,
/// and nothing but the marker is missing. (Eight bytes, for so far does the decoder read ahead.) Only a plain JPEG
/// can be: a progressive one shows nothing before its last scan has ended.
fn has_spare(decoder: &mut Decompressor, bytes: &[u8], header: &DecompressHeader, format: PixelFormat, pixels: &[u8]) -> bool {
    if header.is_progressive || bytes.len() < 8 {
        return false;
    }
    let shorter = [&bytes[..bytes.len() - 8], &[0xff, END]].concat();
    let mut again = vec![0; pixels.len()];
    let decoded = decoder.decompress(&shorter, image(&mut again, header, format));
    decoded.err().is_none_or(|e| is_warning(&e)) && again == pixels
}
