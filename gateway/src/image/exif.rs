//! How a camera was held, and turning its picture upright.

use super::Format;
use super::pixels::{Opened, Pixels};

/// EXIF's orientation: 1 is upright, 2 to 8 are the other ways that a picture can lie (CIPA DC-008, 4.6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rotation(u16);

impl Rotation {
    pub(super) const NONE: Self = Self(1);

    /// What the file says, where it can and does say anything.
    pub(super) fn of(format: Format, bytes: &[u8]) -> Self {
        let exif = match format {
            Format::Jpeg => in_jpeg(bytes),
            Format::Png => in_png(bytes),
            Format::WebP => in_webp(bytes),
            _ => None,
        };
        exif.and_then(orientation).filter(|o| (2..=8).contains(o)).map_or(Self::NONE, Self)
    }

    /// Whether width and height change places.
    pub(super) fn swaps(self) -> bool {
        self.0 >= 5
    }

    /// Width and height after the turn; and before it, given those after it.
    pub(super) fn size(self, (width, height): (usize, usize)) -> (usize, usize) {
        if self.swaps() { (height, width) } else { (width, height) }
    }

    /// The picture, upright.
    pub(super) fn apply(self, opened: Opened) -> Opened {
        if self == Self::NONE {
            return opened;
        }
        let size = (opened.width, opened.height);
        let pixels = match opened.pixels {
            Pixels::Gray(p) => Pixels::Gray(self.turned::<u8, 1>(&p, size)),
            Pixels::GrayAlpha(p) => Pixels::GrayAlpha(self.turned::<u8, 2>(&p, size)),
            Pixels::Rgbx(p) => Pixels::Rgbx(self.turned::<u8, 4>(&p, size)),
            Pixels::Rgba(p) => Pixels::Rgba(self.turned::<u8, 4>(&p, size)),
            Pixels::Cmyk(p) => Pixels::Cmyk(self.turned::<u8, 4>(&p, size)),
            Pixels::Gray16(p) => Pixels::Gray16(self.turned::<u16, 1>(&p, size)),
            Pixels::Index(p, palette) => Pixels::Index(self.turned::<u8, 1>(&p, size), palette),
        };
        let (width, height) = self.size(size);
        Opened { width, height, whole: self.size(opened.whole), pixels }
    }

    fn turned<T: Copy, const N: usize>(self, pixels: &[T], (width, height): (usize, usize)) -> Vec<T> {
        let (pixels, _) = pixels.as_chunks::<N>();
        let (right, bottom) = (width - 1, height - 1);
        // From where a pixel goes to where it comes from.
        let from = |x: usize, y: usize| match self.0 {
            2 => (right - x, y),
            3 => (right - x, bottom - y),
            4 => (x, bottom - y),
            5 => (y, x),
            6 => (y, bottom - x),
            7 => (right - y, bottom - x),
            8 => (right - y, x),
            _ => (x, y),
        };
        let (wide, high) = self.size((width, height));
        let pixel = |(x, y): (usize, usize)| pixels[y * width + x];
        (0..high).flat_map(|y| (0..wide).flat_map(move |x| pixel(from(x, y)))).collect()
    }
}

/// The tag in a TIFF structure.
fn orientation(tiff: &[u8]) -> Option<u16> {
    const TAG: u16 = 0x0112;
    const SHORT: u16 = 3;
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = <[u8; 2]>::try_from(tiff.get(at..at + 2)?).ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let (first, second) = (u32::from(short(at)?), u32::from(short(at + 2)?));
        Some(if little { second << 16 | first } else { first << 16 | second })
    };
    let directory = long(4)? as usize;
    let entries = usize::from(short(directory)?);
    let at = (0..entries).map(|i| directory + 2 + i * 12).find(|at| short(*at) == Some(TAG))?;
    (short(at + 2)? == SHORT && long(at + 4)? == 1).then(|| short(at + 8))?
}

/// The first Exif section before the picture.
fn in_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    const SCAN: u8 = 0xda;
    const EXIF: u8 = 0xe1;
    let mut at = 2;
    loop {
        let kind = *bytes.get(at + 1).filter(|_| bytes[at] == 0xff)?;
        // Any number of 0xff may stand before a marker.
        if kind == 0xff {
            at += 1;
            continue;
        }
        let length = usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?));
        let section = bytes.get(at + 4..at + 2 + length)?;
        match kind {
            EXIF if section.starts_with(b"Exif\0\0") => return section.get(6..),
            SCAN => return None,
            _ => at += 2 + length,
        }
    }
}

fn in_png(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
        let data = bytes.get(at + 8..at + 8 + length)?;
        match bytes.get(at + 4..at + 8)? {
            b"eXIf" => return Some(data),
            _ => at += 12 + length,
        }
    }
}

fn in_webp(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    loop {
        let length = u32::from_le_bytes(*bytes.get(at + 4..)?.first_chunk()?) as usize;
        let data = bytes.get(at + 8..at + 8 + length)?;
        match bytes.get(at..at + 4)? {
            // The section of a JPEG, as some writers put it in.
            b"EXIF" => return Some(data.strip_prefix(b"Exif\0\0").unwrap_or(data)),
            _ => at += 8 + length.next_multiple_of(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lying_lengths_are_no_orientation() {
        assert_eq!(orientation(b"II*\0\xff\xff\xff\xff"), None);
        assert_eq!(orientation(b"MM\0*\0\0\0\x08\xff\xff"), None);
        assert_eq!(Rotation::of(Format::Jpeg, b"\xff\xd8\xff\xe1\0\0"), Rotation::NONE);
        assert_eq!(Rotation::of(Format::Jpeg, b"\xff\xd8\xff\xff\xff"), Rotation::NONE);
        assert_eq!(Rotation::of(Format::Png, b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIf"), Rotation::NONE);
        assert_eq!(Rotation::of(Format::WebP, b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\xff"), Rotation::NONE);
    }
}
