//! PNG, all colour types and depths.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Reader, Transformations};

use super::pixels::{Opened, Pixels};
use super::{Format, ImageError, Limits};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Opened, ImageError> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // A wrong checksum over whole pixels is accepted, as the reference does.
    decoder.ignore_checksums(true);
    let header = decoder.read_header_info().map_err(|e| damaged(&e))?;
    let (width, height) = (header.width as usize, header.height as usize);
    limits.check(width, height)?;
    let mut reader = decoder.read_info().map_err(|e| damaged(&e))?;
    let raw = rows(&mut reader, height)?;
    let info = reader.info();
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
        (ColorType::Rgb, BitDepth::Eight) => Pixels::Rgb(raw),
        (ColorType::Rgb, _) => Pixels::Rgb(high(&raw)),
        (ColorType::Rgba, BitDepth::Eight) => Pixels::Rgba(raw),
        (ColorType::Rgba, _) => Pixels::Rgba(high(&raw)),
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => Pixels::GrayAlpha(raw),
        (ColorType::GrayscaleAlpha, _) => Pixels::GrayAlpha(high(&raw)),
    };
    Ok(Opened { width, height, pixels })
}

/// All rows, packed as in the file. Nothing past the last row is read: a file without its end is still a picture.
fn rows(reader: &mut Reader<Cursor<&[u8]>>, height: usize) -> Result<Vec<u8>, ImageError> {
    let line = reader.output_line_size(reader.info().width).ok_or_else(|| damaged(&DecodingError::LimitsExceeded))?;
    let mut raw = vec![0; line * height];
    if reader.info().interlaced {
        let bits = reader.info().bits_per_pixel() as u8;
        while let Some(row) = reader.next_interlaced_row().map_err(|e| damaged(&e))? {
            if let png::InterlaceInfo::Adam7(pass) = row.interlace() {
                png::expand_interlaced_row(&mut raw, line, row.data(), pass, bits);
            }
        }
        return Ok(raw);
    }
    for row in raw.chunks_exact_mut(line) {
        if reader.read_row(row).map_err(|e| damaged(&e))?.is_none() {
            return Err(ImageError::Damaged { format: Format::Png, why: "rows are missing".to_owned() });
        }
    }
    Ok(raw)
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

/// The high bytes of 16-bit samples.
fn high(raw: &[u8]) -> Vec<u8> {
    raw.iter().step_by(2).copied().collect()
}

/// 256 colours; what the file does not name is black.
fn palette(bytes: &[u8]) -> Box<[[u8; 3]; 256]> {
    let mut colours = Box::new([[0; 3]; 256]);
    for (colour, bytes) in colours.iter_mut().zip(bytes.chunks_exact(3)) {
        colour.copy_from_slice(bytes);
    }
    colours
}
