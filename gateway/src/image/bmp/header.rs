//! What stands before the pixels of a BMP.

use super::super::ImageError;
use super::{Kind, damaged, variant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// Runs of 8-bit pixels, or of two of 4 bits.
    Runs {
        nibbles: bool,
    },
    /// Masks of red, green, blue and alpha.
    Masks([u32; 4]),
}

pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) top_down: bool,
    pub(super) bits: u16,
    pub(super) compression: Compression,
    /// Where the pixels begin.
    pub(super) data: usize,
    /// Where the palette begins, the bytes of each of its colours, and their number.
    palette: (usize, usize, u32),
}

/// The file's own header, before that of the bitmap.
const FILE: usize = 14;

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let short = || damaged("it ends within its header");
        let long = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let word = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let data = long(10).ok_or_else(short)? as usize;
        let size = long(FILE).ok_or_else(short)?;
        let end = FILE + size as usize;
        if bytes.len() < end {
            return Err(short());
        }
        match size {
            12 => {
                let fields = || Some((word(18)?, word(20)?, word(24)?));
                let (width, height, bits) = fields().ok_or_else(short)?;
                let colours = 1u32.checked_shl(bits.into()).unwrap_or(0);
                let (width, height) = (width.into(), height.into());
                let compression = Compression::None;
                Ok(Self { width, height, top_down: false, bits, compression, data, palette: (end, 3, colours) }.placed())
            }
            // The versions of Windows, and OS/2's second.
            40 | 52 | 56 | 64 | 108 | 124 => {
                let fields = || Some((long(18)?, long(22)?, word(28)?, long(30)?, long(46)?));
                let (width, height, bits, compression, colours) = fields().ok_or_else(short)?;
                let top_down = bytes[25] == 0xff;
                let height = if top_down { height.wrapping_neg() } else { height };
                let mut end = end;
                let compression = match compression {
                    0 => Compression::None,
                    1 => Compression::Runs { nibbles: false },
                    2 => Compression::Runs { nibbles: true },
                    3 => {
                        if size == 40 {
                            end += 12;
                        }
                        let mask = |at| long(at).ok_or_else(short);
                        let alpha = if size >= 56 { mask(66)? } else { 0 };
                        Compression::Masks([mask(54)?, mask(58)?, mask(62)?, alpha])
                    }
                    other => return Err(variant(format!("its compression has the number {other}"))),
                };
                let colours = if colours == 0 { 1u32.checked_shl(bits.into()).unwrap_or(0) } else { colours };
                Ok(Self { width, height, top_down, bits, compression, data, palette: (end, 4, colours) }.placed())
            }
            other => Err(variant(format!("its header has {other} bytes"))),
        }
    }

    /// With the place of the pixels where the file's header leaves it to be worked out.
    fn placed(mut self) -> Self {
        let (palette, size, colours) = self.palette;
        let few = self.bits <= 8;
        // Some writers name the end of the header, and mean that of the palette.
        if self.data == FILE + self.header_size() && few {
            self.data += 4 * colours as usize;
        } else if self.data == 0 {
            self.data = palette + if few { size * colours as usize } else { 0 };
        }
        self
    }

    /// Bytes of the bitmap's header, without masks that follow it.
    fn header_size(&self) -> usize {
        let (end, ..) = self.palette;
        end - FILE
    }

    /// How pixels of more than 8 bits lie.
    pub(super) fn kind(&self) -> Result<Kind, ImageError> {
        const BGR: [usize; 3] = [2, 1, 0];
        let bytes = |size, rgb| Ok(Kind::Bytes { size, rgb });
        match (self.bits, self.compression) {
            (16, Compression::None) => Ok(Kind::Short([5, 5, 5])),
            (24, Compression::None) => bytes(3, BGR),
            (32, Compression::None) => bytes(4, BGR),
            (16, Compression::Masks([0xf800, 0x07e0, 0x1f, _])) => Ok(Kind::Short([5, 6, 5])),
            (16, Compression::Masks([0x7c00, 0x03e0, 0x1f, _])) => Ok(Kind::Short([5, 5, 5])),
            (24, Compression::Masks([0xff_0000, 0xff00, 0xff, _])) => bytes(3, BGR),
            (32, Compression::Masks(masks)) => match masks {
                [0xff_0000, 0xff00, 0xff, 0] => bytes(4, BGR),
                [0xff00_0000, 0xff_0000, 0xff00, 0] => bytes(4, [3, 2, 1]),
                [0xff00_0000, 0xff00, 0xff, 0] => bytes(4, [3, 1, 0]),
                [0xff00_0000, 0xff_0000, 0xff00, 0xff] => Ok(Kind::Alpha { rgba: [3, 2, 1, 0] }),
                [0xff, 0xff00, 0xff_0000, 0xff00_0000] => Ok(Kind::Alpha { rgba: [0, 1, 2, 3] }),
                [0xff_0000, 0xff00, 0xff, 0xff00_0000] | [0, 0, 0, 0] => Ok(Kind::Alpha { rgba: [2, 1, 0, 3] }),
                [0xff00_0000, 0xff00, 0xff, 0xff_0000] => Ok(Kind::Alpha { rgba: [3, 1, 0, 2] }),
                _ => Err(variant("its masks are unusual")),
            },
            (16 | 24, Compression::Masks(_)) => Err(variant("its masks are unusual")),
            (16 | 24 | 32, Compression::Runs { .. }) => Err(damaged("runs of pixels want a palette")),
            (bits, _) => Err(variant(format!("its pixels have {bits} bits"))),
        }
    }

    /// The palette of pixels of up to 8 bits, as red, green and blue each, and how those lie. There is none where it
    /// only says that an index is a gray value; how many colours it names then matters more than the pixels' bits.
    pub(super) fn colours(&self, bytes: &[u8]) -> Result<(Option<Vec<u8>>, Kind), ImageError> {
        let (at, size, count) = self.palette;
        if matches!(self.compression, Compression::Masks(_)) {
            return Err(variant("its masks are unusual"));
        }
        if !(1..=65536).contains(&count) {
            return Err(variant(format!("its palette has {count} colours")));
        }
        let end = (at + size * count as usize).min(bytes.len());
        let table = bytes.get(at..end).unwrap_or_default();
        let gray = |i: u32| if count == 2 { (i * 255) as u8 } else { i as u8 };
        let is_gray = |i: u32| table.get(i as usize * size..).and_then(|t| t.get(..3)) == Some(&[gray(i); 3]);
        if (0..count).all(is_gray) {
            return Ok((None, if count == 2 { Kind::Bits } else { Kind::Gray }));
        }
        if table.len() / size > 256 {
            return Err(variant("its palette has more than 256 colours"));
        }
        let colours = table.chunks_exact(size).flat_map(|c| [c[2], c[1], c[0]]).collect();
        Ok((Some(colours), Kind::Indices(self.bits.into())))
    }
}
