//! The `data` of a tensor: from nested or flat lists into the bytes that Triton takes.

use super::Invalid;
use super::json::Reader;
use super::nested::{self, Leaves};
use crate::datatype::{Datatype, bf16_from_f32, elements, f16_from_f32};
use crate::echo::Echo;

/// Reads the elements of a tensor, little-endian; BYTES each after a u32 length.
pub(super) fn read(reader: &mut Reader<'_>, datatype: Datatype, shape: &[i64]) -> Result<Vec<u8>, Invalid> {
    match datatype {
        Datatype::Bool => fill(reader, shape, |r| Ok([u8::from(boolean(r)?)])),
        Datatype::Uint8 => fill(reader, shape, |r| Ok(integer::<u8>(r, datatype)?.to_le_bytes())),
        Datatype::Uint16 => fill(reader, shape, |r| Ok(integer::<u16>(r, datatype)?.to_le_bytes())),
        Datatype::Uint32 => fill(reader, shape, |r| Ok(integer::<u32>(r, datatype)?.to_le_bytes())),
        Datatype::Uint64 => fill(reader, shape, |r| Ok(integer::<u64>(r, datatype)?.to_le_bytes())),
        Datatype::Int8 => fill(reader, shape, |r| Ok(integer::<i8>(r, datatype)?.to_le_bytes())),
        Datatype::Int16 => fill(reader, shape, |r| Ok(integer::<i16>(r, datatype)?.to_le_bytes())),
        Datatype::Int32 => fill(reader, shape, |r| Ok(integer::<i32>(r, datatype)?.to_le_bytes())),
        Datatype::Int64 => fill(reader, shape, |r| Ok(integer::<i64>(r, datatype)?.to_le_bytes())),
        Datatype::Fp16 => fill(reader, shape, |r| Ok(f16_from_f32(float(r)? as f32).to_le_bytes())),
        Datatype::Bf16 => fill(reader, shape, |r| Ok(bf16_from_f32(float(r)? as f32).to_le_bytes())),
        // Through f64, as Python reads them first: rounding twice may differ from rounding once.
        Datatype::Fp32 => fill(reader, shape, |r| Ok((float(r)? as f32).to_le_bytes())),
        Datatype::Fp64 => fill(reader, shape, |r| Ok(float(r)?.to_le_bytes())),
        Datatype::Bytes => strings(reader, shape),
    }
}

struct Fill<F> {
    element: F,
    count: usize,
    bytes: Vec<u8>,
}

impl<const N: usize, F: FnMut(&mut Reader<'_>) -> Result<[u8; N], Invalid>> Leaves for Fill<F> {
    fn leaf(&mut self, reader: &mut Reader<'_>) -> Result<(), Invalid> {
        self.bytes.extend_from_slice(&(self.element)(reader)?);
        self.count += 1;
        Ok(())
    }
}

fn fill<const N: usize>(
    reader: &mut Reader<'_>,
    shape: &[i64],
    element: impl FnMut(&mut Reader<'_>) -> Result<[u8; N], Invalid>,
) -> Result<Vec<u8>, Invalid> {
    let mut fill = Fill { element, count: 0, bytes: Vec::new() };
    let lengths = nested::read(reader, &mut fill)?;
    agree(&lengths, fill.count, shape)?;
    Ok(fill.bytes)
}

struct Strings {
    count: usize,
    bytes: Vec<u8>,
}

impl Leaves for Strings {
    fn leaf(&mut self, reader: &mut Reader<'_>) -> Result<(), Invalid> {
        if reader.peek() != Some(b'"') {
            return Err(Invalid::form("an element is not a string, as BYTES elements must be"));
        }
        let text = reader.string()?;
        let length = u32::try_from(text.len()).map_err(|_| Invalid::form("a string is longer than 4 GiB"))?;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.count += 1;
        Ok(())
    }
}

fn strings(reader: &mut Reader<'_>, shape: &[i64]) -> Result<Vec<u8>, Invalid> {
    let mut strings = Strings { count: 0, bytes: Vec::new() };
    let lengths = nested::read(reader, &mut strings)?;
    agree(&lengths, strings.count, shape)?;
    Ok(strings.bytes)
}

/// The lists are nested as the shape says, or flat with as many elements.
fn agree(lengths: &[usize], count: usize, shape: &[i64]) -> Result<(), Invalid> {
    let wanted = elements(shape);
    // Lists end where a length is 0: a tensor of [2, 0, 3] is [[], []], and nothing tells of its 3.
    let seen = shape.iter().position(|d| *d == 0).map_or(shape.len(), |zero| zero + 1);
    let nested = lengths.len() == seen && lengths.iter().zip(shape).all(|(l, d)| i64::try_from(*l) == Ok(*d));
    // Flat lists hold the elements only: [] for [2, 0].
    if wanted == Some(count) && (nested || lengths.len() <= 1) {
        return Ok(());
    }
    Err(Invalid::form(format!("data has the shape {lengths:?} with {count} elements, but shape says {shape:?}")))
}

fn boolean(reader: &mut Reader<'_>) -> Result<bool, Invalid> {
    match reader.peek() {
        Some(b't' | b'f') => reader.boolean(),
        _ => match number(reader, Datatype::Bool)?.text() {
            "0" => Ok(false),
            "1" => Ok(true),
            other => Err(Invalid::form(format!("{} is not a BOOL", Echo(other)))),
        },
    }
}

fn number<'a>(reader: &mut Reader<'a>, datatype: Datatype) -> Result<super::json::Number<'a>, Invalid> {
    match reader.peek() {
        Some(b'"' | b'{' | b't' | b'f' | b'n') => {
            Err(Invalid::form(format!("an element is not a number, as {datatype} elements must be")))
        }
        _ => reader.number(),
    }
}

fn float(reader: &mut Reader<'_>) -> Result<f64, Invalid> {
    Ok(number(reader, Datatype::Fp32)?.as_f64())
}

fn integer<T: std::str::FromStr + TryFrom<i64>>(reader: &mut Reader<'_>, datatype: Datatype) -> Result<T, Invalid> {
    let number = number(reader, datatype)?;
    if let Ok(value) = number.text().parse() {
        return Ok(value);
    }
    // Whole numbers written as floats (3.0, 1e3) are what some JSON writers make of integers.
    let float = number.as_f64();
    let whole = (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64);
    whole
        .and_then(|v| T::try_from(v).ok())
        .ok_or_else(|| Invalid::form(format!("{} is not a value of {datatype}", Echo(number.text()))))
}
