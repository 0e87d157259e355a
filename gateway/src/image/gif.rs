//! GIF: the first frame, on a canvas of the screen's size.
//!
//! Which files are read, and what of a damaged one, is pillow's choice: its reader skips what it does not know, and
//! takes whatever code stream fills the frame.

use super::pixels::{Opened, Pixels, palette};
use super::{Format, ImageError, Limits};

/// Bits of the longest code.
const BITS: u32 = 12;

/// Codes there can be.
const CODES: usize = 1 << BITS;

/// How much the reference reads at a time. It matters after an early end code: only while there is more to read is
/// the stream taken further.
const BLOCK: usize = 65536;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Opened, ImageError> {
    let mut file = File { bytes, at: 6 };
    let first = first_frame(&mut file).ok_or_else(|| damaged("it ends before its first picture"))?;
    let (width, height) = first.canvas();
    limits.check(width, height)?;
    if first.width == 0 || first.height == 0 {
        return Err(damaged("its first picture is empty"));
    }
    let mut canvas = vec![first.transparent.unwrap_or(0); width * height];
    let mut codes = Codes::new(&bytes[file.at..], first.code_bits)?;
    for y in rows(first.height, first.interlaced) {
        let at = (first.top + y) * width + first.left;
        codes.fill(&mut canvas[at..at + first.width])?;
    }
    let pixels = match first.palette {
        Some(colours) => Pixels::Index(canvas, palette(colours)),
        None => Pixels::Gray(canvas),
    };
    Ok(Opened::new(width, height, pixels))
}

/// By the headers.
pub(super) fn size(bytes: &[u8]) -> Option<(usize, usize)> {
    first_frame(&mut File { bytes, at: 6 }).map(|first| first.canvas())
}

fn damaged(why: &str) -> ImageError {
    ImageError::Damaged { format: Format::Gif, why: why.to_owned() }
}

/// What is known of a frame before its codes.
struct Frame<'a> {
    screen: (usize, usize),
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    interlaced: bool,
    /// Colours, unless index and gray value are the same.
    palette: Option<&'a [u8]>,
    transparent: Option<u8>,
    code_bits: u32,
}

impl Frame<'_> {
    /// The screen, or more where the frame is larger.
    fn canvas(&self) -> (usize, usize) {
        (self.screen.0.max(self.left + self.width), self.screen.1.max(self.top + self.height))
    }
}

struct File<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> File<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..)?.get(..count)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn short(&mut self) -> Option<usize> {
        self.take(2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))
    }

    /// The next block of an extension, cut off where the file is; none for the empty block that ends it.
    fn block(&mut self) -> Option<&'a [u8]> {
        let count = usize::from(self.byte()?);
        let end = (self.at + count).min(self.bytes.len());
        let block = &self.bytes[self.at..end];
        self.at = end;
        (count > 0).then_some(block).filter(|b| !b.is_empty())
    }

    /// A table of colours; none where it only says that 0 is black, 1 a little lighter, and so on.
    fn palette(&mut self, flags: u8) -> Option<Option<&'a [u8]>> {
        let colours = self.take(6 << (flags & 7))?;
        let ramp = colours.as_chunks().0.iter().zip(0u8..=255).all(|(c, i)| *c == [i; 3]);
        Some((!ramp).then_some(colours))
    }
}

/// Reads up to the codes of the first frame.
fn first_frame<'a>(file: &mut File<'a>) -> Option<Frame<'a>> {
    const TABLE: u8 = 0x80;
    const INTERLACED: u8 = 0x40;
    let screen = (file.short()?, file.short()?);
    let flags = file.take(3)?[0];
    let shared = if flags & TABLE == 0 { None } else { file.palette(flags)? };
    let mut transparent = None;
    loop {
        match file.byte()? {
            b'!' => extension(file, &mut transparent)?,
            b',' => break,
            b';' => return None,
            _ => {}
        }
    }
    let (left, top, width, height) = (file.short()?, file.short()?, file.short()?, file.short()?);
    let flags = file.byte()?;
    let palette = if flags & TABLE == 0 { shared } else { file.palette(flags)? };
    let code_bits = u32::from(file.byte()?);
    let interlaced = flags & INTERLACED != 0;
    Some(Frame { screen, left, top, width, height, interlaced, palette, transparent, code_bits })
}

fn extension(file: &mut File<'_>, transparent: &mut Option<u8>) -> Option<()> {
    const CONTROL: u8 = 249;
    const COMMENT: u8 = 254;
    const APPLICATION: u8 = 255;
    let kind = file.byte()?;
    let block = file.block();
    match (kind, block) {
        (CONTROL, Some(block)) => {
            if block[0] & 1 != 0 {
                *transparent = Some(*block.get(3)?);
            }
            block.get(2)?;
        }
        // An empty comment is over. Every other kind that begins with an empty block is read on, as the reference does.
        (COMMENT, None) => return Some(()),
        (APPLICATION, Some(block)) if block.starts_with(b"NETSCAPE2.0") => drop(file.block()),
        _ => {}
    }
    while file.block().is_some() {}
    Some(())
}

/// The order of the rows: one after the other, or every eighth, the fourths between, the others that are even, the odd.
fn rows(height: usize, interlaced: bool) -> impl Iterator<Item = usize> {
    let passes: &[(usize, usize)] = if interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
    passes.iter().flat_map(move |&(first, step)| (first..height).step_by(step))
}

/// An LZW stream being read.
struct Codes<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How far the reference has read.
    seen: usize,
    /// Bytes left in the block.
    block: usize,
    buffer: u32,
    buffered: u32,
    bits: u32,
    clear: usize,
    /// Bits of the next code.
    size: u32,
    /// The next free code.
    next: usize,
    last: Option<Last>,
    prefix: Box<[u16; CODES]>,
    suffix: Box<[u8; CODES]>,
    /// Pixels of the code that was read last, in reverse.
    pending: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Last {
    code: usize,
    /// First pixel of that code.
    first: u8,
}

impl<'a> Codes<'a> {
    fn new(bytes: &'a [u8], bits: u32) -> Result<Self, ImageError> {
        if bits > BITS {
            return Err(damaged("its codes are too long"));
        }
        let clear = 1 << bits;
        Ok(Self {
            bytes,
            at: 0,
            seen: BLOCK.min(bytes.len()),
            block: 0,
            buffer: 0,
            buffered: 0,
            bits,
            clear,
            size: bits + 1,
            next: clear + 2,
            last: None,
            prefix: Box::new([0; CODES]),
            suffix: Box::new([0; CODES]),
            pending: Vec::with_capacity(CODES),
        })
    }

    fn fill(&mut self, row: &mut [u8]) -> Result<(), ImageError> {
        for pixel in row {
            while self.pending.is_empty() {
                self.read()?;
            }
            *pixel = self.pending.pop().unwrap_or_default();
        }
        Ok(())
    }

    /// Reads a code into `pending`.
    fn read(&mut self) -> Result<(), ImageError> {
        let code = self.code()?;
        if code == self.clear {
            self.size = self.bits + 1;
            self.next = self.clear + 2;
            self.last = None;
            return Ok(());
        }
        if code == self.clear + 1 {
            return self.more();
        }
        let Some(last) = self.last else {
            if code > self.clear {
                return Err(damaged("a code has no meaning"));
            }
            self.last = Some(Last { code, first: code as u8 });
            self.pending.push(code as u8);
            return Ok(());
        };
        if code > self.next {
            return Err(damaged("a code has no meaning"));
        }
        let mut at = code;
        if code == self.next {
            self.pending.push(last.first);
            at = last.code;
        }
        while at >= self.clear {
            if at >= CODES || self.pending.len() >= CODES {
                return Err(damaged("a code has no meaning"));
            }
            self.pending.push(self.suffix[at]);
            at = usize::from(self.prefix[at]);
        }
        let first = at as u8;
        self.pending.push(first);
        if self.next < CODES {
            self.suffix[self.next] = first;
            self.prefix[self.next] = last.code as u16;
            if self.next + 1 == 1 << self.size && self.size < BITS {
                self.size += 1;
            }
            self.next += 1;
        }
        self.last = Some(Last { code, first });
        Ok(())
    }

    fn code(&mut self) -> Result<usize, ImageError> {
        while self.buffered < self.size {
            if self.block == 0 {
                // A block counts only once all of it is there.
                let size = self.bytes.get(self.at).copied().map(usize::from);
                let Some(size) = size.filter(|size| self.at + 1 + size <= self.seen) else {
                    self.more()?;
                    continue;
                };
                self.at += 1;
                self.block = size;
                continue;
            }
            self.buffer |= u32::from(self.bytes[self.at]) << self.buffered;
            self.buffered += 8;
            self.at += 1;
            self.block -= 1;
        }
        let code = self.buffer & ((1 << self.size) - 1);
        self.buffer >>= self.size;
        self.buffered -= self.size;
        Ok(code as usize)
    }

    fn more(&mut self) -> Result<(), ImageError> {
        if self.seen == self.bytes.len() {
            return Err(damaged("it ends before its picture does"));
        }
        self.seen = (self.seen + BLOCK).min(self.bytes.len());
        Ok(())
    }
}
