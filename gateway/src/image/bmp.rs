//! BMP: the depths, masks and compressions that pillow reads, and as it reads them.

use super::pixels::{Opened, Pixels, palette};
use super::{Format, ImageError, Limits};

mod header;
mod runs;

use header::{Compression, Header};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Opened, ImageError> {
    let header = Header::read(bytes)?;
    let (width, height) = (header.width as usize, header.height as usize);
    limits.check(width, height)?;
    if width == 0 || height == 0 {
        return Err(damaged("it has no pixels"));
    }
    let (colours, kind) = match header.bits {
        1 | 4 | 8 => header.colours(bytes)?,
        _ => (None, header.kind()?),
    };
    let data = bytes.get(header.data..).unwrap_or_default();
    let pixels = match header.compression {
        Compression::Runs { nibbles } => {
            if !matches!(kind, Kind::Indices(_) | Kind::Gray) {
                return Err(damaged("runs of pixels want a palette"));
            }
            let indices = runs::expand(bytes, header.data, nibbles, width, height)?;
            let upright = flipped(indices.chunks_exact(width).take(height), header.top_down);
            let kind = if kind == Kind::Gray { kind } else { Kind::Indices(8) };
            Raw { kind, colours }.pixels(upright, width)
        }
        _ => {
            let used = (width * kind.bits()).div_ceil(8);
            let line = (width as u64 * u64::from(header.bits)).div_ceil(32) as usize * 4;
            // The padding of the last row may be missing.
            if line < used || ((height - 1) as u128 * line as u128 + used as u128) > data.len() as u128 {
                return Err(damaged("it ends before its pixels do"));
            }
            let rows = data.chunks(line).take(height).map(|row| &row[..used]);
            Raw { kind, colours }.pixels(flipped(rows, header.top_down), width)
        }
    };
    Ok(Opened::new(width, height, pixels))
}

/// By the header.
pub(super) fn size(bytes: &[u8]) -> Option<(usize, usize)> {
    Header::read(bytes).ok().map(|header| (header.width as usize, header.height as usize))
}

fn damaged(why: impl Into<String>) -> ImageError {
    ImageError::Damaged { format: Format::Bmp, why: why.into() }
}

fn variant(why: impl Into<String>) -> ImageError {
    ImageError::Variant { format: Format::Bmp, why: why.into() }
}

/// Rows from top to bottom.
fn flipped<'a>(rows: impl DoubleEndedIterator<Item = &'a [u8]> + 'a, top_down: bool) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
    if top_down { Box::new(rows) } else { Box::new(rows.rev()) }
}

/// How the pixels of a row lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One bit, black and white.
    Bits,
    Gray,
    /// So many bits of an index, the first pixel in the high ones.
    Indices(usize),
    /// Bits of red, green and blue from the high end of 16.
    Short([u32; 3]),
    /// Where red, green and blue are in a pixel of so many bytes.
    Bytes {
        size: usize,
        rgb: [usize; 3],
    },
    /// And alpha.
    Alpha {
        rgba: [usize; 4],
    },
}

impl Kind {
    fn bits(self) -> usize {
        match self {
            Self::Bits => 1,
            Self::Gray => 8,
            Self::Indices(bits) => bits,
            Self::Short(_) => 16,
            Self::Bytes { size, .. } => size * 8,
            Self::Alpha { .. } => 32,
        }
    }
}

struct Raw {
    kind: Kind,
    /// Red, green and blue each.
    colours: Option<Vec<u8>>,
}

impl Raw {
    fn pixels<'a>(&self, rows: impl Iterator<Item = &'a [u8]>, width: usize) -> Pixels {
        match self.kind {
            Kind::Bits => Pixels::Index(unpacked(rows, width, 1), palette(&[0, 0, 0, 255, 255, 255])),
            Kind::Gray => Pixels::Gray(rows.flatten().copied().collect()),
            Kind::Indices(8) => Pixels::Index(rows.flatten().copied().collect(), self.palette()),
            Kind::Indices(bits) => Pixels::Index(unpacked(rows, width, bits), self.palette()),
            Kind::Short(bits) => Pixels::Rgbx(rows.flat_map(|row| shorts(row, bits)).collect()),
            Kind::Bytes { size, rgb } => {
                let pixel = |p: &[u8]| [p[rgb[0]], p[rgb[1]], p[rgb[2]], 0];
                Pixels::Rgbx(rows.flat_map(|row| row.chunks_exact(size).flat_map(pixel)).collect())
            }
            Kind::Alpha { rgba } => {
                let pixel = |p: &[u8]| rgba.map(|at| p[at]);
                Pixels::Rgba(rows.flat_map(|row| row.chunks_exact(4).flat_map(pixel)).collect())
            }
        }
    }

    fn palette(&self) -> Box<[[u8; 3]; 256]> {
        palette(self.colours.as_deref().unwrap_or_default())
    }
}

/// One byte a pixel from rows of 1 or 4 bits a pixel.
fn unpacked<'a>(rows: impl Iterator<Item = &'a [u8]>, width: usize, bits: usize) -> Vec<u8> {
    let mask = (1u8 << bits) - 1;
    let pixel = move |row: &[u8], x: usize| row[x * bits / 8] >> (8 - bits - x * bits % 8) & mask;
    rows.flat_map(|row| (0..width).map(move |x| pixel(row, x))).collect()
}

/// Fields of a 16-bit pixel, each stretched to 0..=255 and rounded down.
fn shorts(row: &[u8], [red, green, blue]: [u32; 3]) -> impl Iterator<Item = u8> {
    let pixel = move |p: &[u8; 2]| {
        let value = u32::from(u16::from_le_bytes(*p));
        let field = |shift: u32, bits: u32| {
            let top = (1 << bits) - 1;
            ((value >> shift & top) * 255 / top) as u8
        };
        [field(green + blue, red), field(blue, green), field(0, blue), 0]
    };
    row.as_chunks().0.iter().flat_map(pixel)
}
