//! JPEG, by libjpeg-turbo without its fast (inexact) paths.

use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Image, PixelFormat};

use super::pixels::{Opened, Pixels};
use super::{Format, ImageError, Limits};

/// The second byte of the end-of-image marker.
const END: u8 = 0xd9;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Opened, ImageError> {
    let mut decompressor = Decompressor::new().map_err(|e| damaged(&e))?;
    let header = decompressor.read_header(bytes).map_err(|e| match e {
        turbojpeg::Error::BadColorspace(_) | turbojpeg::Error::BadSubsamp(_) => variant("its colour components are unusual"),
        other => damaged(&other),
    })?;
    let (width, height) = (header.width, header.height);
    limits.check(width, height)?;
    let format = match header.colorspace {
        Colorspace::Gray => PixelFormat::GRAY,
        Colorspace::RGB | Colorspace::YCbCr => PixelFormat::RGBX,
        Colorspace::CMYK | Colorspace::YCCK => PixelFormat::CMYK,
    };
    let pitch = width * format.size();
    let mut pixels = vec![0; pitch * height];
    let image = Image { pixels: &mut pixels[..], width, pitch, height, format };
    if let Err(error) = decompressor.decompress(bytes, image) {
        // Damage inside the picture is painted over, as every viewer does; a file that ends too soon is refused.
        if !is_warning(&error) || !(has_end(bytes) || has_spare(bytes, &header, format, &pixels)) {
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
    Ok(Opened { width, height, pixels })
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
fn has_spare(bytes: &[u8], header: &DecompressHeader, format: PixelFormat, pixels: &[u8]) -> bool {
    if header.is_progressive || bytes.len() < 8 {
        return false;
    }
    let shorter = [&bytes[..bytes.len() - 8], &[0xff, END]].concat();
    let mut again = vec![0; pixels.len()];
    let (width, height, pitch) = (header.width, header.height, header.width * format.size());
    let image = Image { pixels: &mut again[..], width, pitch, height, format };
    let decoded = Decompressor::new().and_then(|mut d| d.decompress(&shorter, image));
    decoded.err().is_none_or(|e| is_warning(&e)) && again == pixels
}
