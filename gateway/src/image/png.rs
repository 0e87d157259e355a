//! PNG, all colour types and depths.

use std::io::Cursor;

use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Reader, Transformations};

use super::pixels::{Opened, Pixels, palette, spaced};
use super::{Format, ImageError, Limits};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Opened, ImageError> {
    let mut reader = open(bytes, limits, true)?;
    let raw = match rows(&mut reader) {
        Ok(raw) => raw,
        // A wrong checksum over right pixels is accepted, as the reference does; but not in what leads to them.
        Err(_) => {
            reader = open(bytes, limits, false)?;
            rows(&mut reader).map_err(|e| damaged(&e))?
        }
    };
    if let Err(error) = reader.finish() {
        // What follows the pixels may be broken or missing; but a wrong checksum over them is minded.
        if is_deflate(&error) {
            return Err(damaged(&error));
        }
    }
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let pixels = match (info.color_type, info.bit_depth) {
        (ColorType::Grayscale, BitDepth::One) => {
            let palette = std::array::from_fn(|i| [if i == 0 { 0 } else { 255 }; 3]);
            Pixels::Index(unpack(&raw, width, height, 1), Box::new(palette))
        }
        (ColorType::Grayscale, depth @ (BitDepth::Two | BitDepth::Four)) => {
            let bits = depth as usize;
            let step = 255 / ((1u8 << bits) - 1);
            Pixels::Gray(unpack(&raw, width, height, bits).into_iter().map(|v| v * step).collect())
        }
        (ColorType::Grayscale, BitDepth::Eight) => Pixels::Gray(raw),
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            Pixels::Gray16(raw.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect())
        }
        (ColorType::Indexed, depth) => {
            let indices = match depth {
                BitDepth::Eight => raw,
                _ => unpack(&raw, width, height, depth as usize),
            };
            Pixels::Index(indices, palette(info.palette.as_deref().unwrap_or_default()))
        }
        (ColorType::Rgb, _) => Pixels::Rgbx(spaced(&raw)),
        (ColorType::Rgba, _) => Pixels::Rgba(raw),
        (ColorType::GrayscaleAlpha, _) => Pixels::GrayAlpha(raw),
    };
    Ok(Opened::new(width, height, pixels))
}

/// Reads up to the first pixel. `strict` minds the chunks' checksums.
fn open<'a>(bytes: &'a [u8], limits: &Limits, strict: bool) -> Result<Reader<Cursor<&'a [u8]>>, ImageError> {
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(!strict);
    options.set_ignore_adler32(false);
    options.set_skip_ancillary_crc_failures(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_transformations(Transformations::IDENTITY);
    let header = decoder.read_header_info().map_err(|e| damaged(&e))?;
    limits.check(header.width as usize, header.height as usize)?;
    // Of 16 bits the high ones count, and need never lie in memory beside the low ones; gray is another matter.
    if header.bit_depth == BitDepth::Sixteen && header.color_type != ColorType::Grayscale {
        decoder.set_transformations(Transformations::STRIP_16);
    }
    decoder.read_info().map_err(|e| damaged(&e))
}

/// All rows, packed as in the file.
fn rows(reader: &mut Reader<Cursor<&[u8]>>) -> Result<Vec<u8>, DecodingError> {
    let (width, height) = (reader.info().width, reader.info().height as usize);
    let line = reader.output_line_size(width).ok_or(DecodingError::LimitsExceeded)?;
    let mut raw = vec![0; line * height];
    if reader.info().interlaced {
        let (colour, depth) = reader.output_color_type();
        let bits = colour.samples() as u8 * depth as u8;
        while let Some(row) = reader.next_interlaced_row()? {
            if let png::InterlaceInfo::Adam7(pass) = row.interlace() {
                png::expand_interlaced_row(&mut raw, line, row.data(), pass, bits);
            }
        }
        return Ok(raw);
    }
    for row in raw.chunks_exact_mut(line) {
        match reader.read_row(row) {
            // The stream ended, and properly, before the last row: the rest stays black.
            Err(DecodingError::Format(e)) if e.to_string().contains("not have enough data") => break,
            other => drop(other?),
        }
    }
    Ok(raw)
}

fn is_deflate(error: &DecodingError) -> bool {
    error.to_string().contains("deflate")
}

fn damaged(error: &DecodingError) -> ImageError {
    ImageError::Damaged { format: Format::Png, why: error.to_string() }
}

/// One byte a pixel from rows of 1, 2 or 4 bits a pixel, each row padded to whole bytes.
fn unpack(raw: &[u8], width: usize, height: usize, bits: usize) -> Vec<u8> {
    let line = (width * bits).div_ceil(8);
    let mask = (1u8 << bits) - 1;
    let pixel = |row: &[u8], x: usize| (row[x * bits / 8] >> (8 - bits - x * bits % 8)) & mask;
    raw.chunks_exact(line).take(height).flat_map(|row| (0..width).map(move |x| pixel(row, x))).collect()
}

/// By the header.
pub(super) fn size(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.read_header_info().ok().map(|header| (header.width as usize, header.height as usize))
}
