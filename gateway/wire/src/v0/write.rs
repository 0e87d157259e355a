//! What the gateway answers.

use super::nested::DIMENSIONS;
use crate::datatype::{Datatype, elements, f32_from_bf16, f32_from_f16};

/// Lists in a tensor without elements.
const EMPTY: usize = 1 << 16;

/// A tensor to be written, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The tensor's name.
    pub name: &'a str,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its lengths.
    pub shape: &'a [i64],
    /// The elements, row-major, little-endian; BYTES elements each after a u32 length.
    pub data: &'a [u8],
}

/// A tensor whose bytes do not fit its shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {datatype} of shape {shape:?}, which its {bytes} bytes are not")]
pub struct Malformed {
    name: String,
    datatype: Datatype,
    shape: Vec<i64>,
    bytes: usize,
}

/// The answer to a request for one model.
///
/// # Errors
/// When an output's bytes do not fit its shape.
pub fn flat<'a>(outputs: impl IntoIterator<Item = View<'a>>) -> Result<String, Malformed> {
    let mut out = Out::new();
    out.raw("{\"status\":\"success\",\"outputs\":");
    out.outputs(outputs)?;
    out.raw("}");
    Ok(out.into_string())
}

/// The answer to a request for all pipelines: by alias, in the order given.
///
/// # Errors
/// When an output's bytes do not fit its shape.
pub fn aliased<'a, O>(pipelines: impl IntoIterator<Item = (&'a str, O)>) -> Result<String, Malformed>
where
    O: IntoIterator<Item = View<'a>>,
{
    let mut out = Out::new();
    out.raw("{\"status\":\"success\",\"outputs\":");
    let mut before = "{";
    for (alias, outputs) in pipelines {
        out.raw(before).string(alias).raw(":");
        out.outputs(outputs)?;
        before = ",";
    }
    out.raw(if before == "{" { "{}}" } else { "}}" });
    Ok(out.into_string())
}

/// The answer to a request that failed.
#[must_use]
pub fn error(message: &str) -> String {
    let mut out = Out::new();
    out.raw("{\"status\":\"error\",\"message\":").string(message).raw("}");
    out.into_string()
}

/// JSON text as it grows.
pub(super) struct Out(Vec<u8>);

impl Out {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        self.serde(text)
    }

    /// For what serde_json writes as Python does; writing to memory does not fail.
    fn serde<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> &mut Self {
        let _ = serde_json::to_writer(&mut self.0, value);
        self
    }

    pub(super) fn object(&mut self, object: &super::Object) {
        self.raw("\"bucket\":").string(&object.bucket).raw(",\"key\":").string(&object.key);
    }

    pub(super) fn into_string(self) -> String {
        // Only text was written; should that ever break, a broken character is better than none.
        String::from_utf8(self.0).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }

    fn outputs<'a>(&mut self, outputs: impl IntoIterator<Item = View<'a>>) -> Result<(), Malformed> {
        let mut before = "{";
        for output in outputs {
            self.raw(before).string(output.name).raw(":");
            self.tensor(&output)?;
            before = ",";
        }
        self.raw(if before == "{" { "{}" } else { "}" });
        Ok(())
    }

    /// Nested lists in the tensor's own shape.
    pub(super) fn tensor(&mut self, view: &View<'_>) -> Result<(), Malformed> {
        let malformed = || Malformed {
            name: view.name.to_owned(),
            datatype: view.datatype,
            shape: view.shape.to_vec(),
            bytes: view.data.len(),
        };
        let shape: Option<Vec<usize>> = view.shape.iter().map(|d| usize::try_from(*d).ok()).collect();
        let shape = shape.ok_or_else(malformed)?;
        let count = elements(view.shape).ok_or_else(malformed)?;
        // Without elements no byte vouches for the lengths, and each list of lists is written all the same.
        let lists = shape.iter().take_while(|length| **length > 0).fold(1usize, |n, d| n.saturating_mul(*d));
        if shape.len() > DIMENSIONS || count == 0 && lists > EMPTY {
            return Err(malformed());
        }
        match view.datatype.size() {
            Some(size) if count.checked_mul(size) != Some(view.data.len()) => return Err(malformed()),
            Some(size) => {
                let mut elements = view.data.chunks_exact(size);
                self.nested(&shape, &mut |out| {
                    out.element(view.datatype, elements.next()?);
                    Some(())
                })
            }
            None => {
                let mut rest = view.data;
                let written = self.nested(&shape, &mut |out| {
                    let (length, tail) = rest.split_first_chunk::<4>()?;
                    let (text, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                    out.string(&String::from_utf8_lossy(text));
                    rest = tail;
                    Some(())
                });
                written.filter(|()| rest.is_empty())
            }
        }
        .ok_or_else(malformed)
    }

    fn nested(&mut self, shape: &[usize], element: &mut impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let Some((length, inner)) = shape.split_first() else { return element(self) };
        self.0.push(b'[');
        for i in 0..*length {
            if i > 0 {
                self.0.push(b',');
            }
            self.nested(inner, element)?;
        }
        self.0.push(b']');
        Some(())
    }

    fn element(&mut self, datatype: Datatype, bytes: &[u8]) {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let unsigned = u64::from_le_bytes(wide);
        match datatype {
            Datatype::Bool => self.raw(if unsigned == 0 { "false" } else { "true" }),
            Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 | Datatype::Uint64 => self.serde(&unsigned),
            Datatype::Int8 => self.serde(&(unsigned as i8)),
            Datatype::Int16 => self.serde(&(unsigned as i16)),
            Datatype::Int32 => self.serde(&(unsigned as i32)),
            Datatype::Int64 => self.serde(&(unsigned as i64)),
            // Each f32 is written as the double that it is: Python's float(np.float32(x)).
            Datatype::Fp16 => self.float(f32_from_f16(unsigned as u16).into()),
            Datatype::Bf16 => self.float(f32_from_bf16(unsigned as u16).into()),
            Datatype::Fp32 => self.float(f32::from_bits(unsigned as u32).into()),
            Datatype::Fp64 => self.float(f64::from_bits(unsigned)),
            // Written by `tensor`.
            Datatype::Bytes => self,
        };
    }

    /// The shortest text that reads back as the same double; Python's names for what JSON has none.
    fn float(&mut self, value: f64) -> &mut Self {
        if value.is_finite() {
            self.serde(&value)
        } else if value.is_nan() {
            self.raw("NaN")
        } else {
            self.raw(if value > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }
}
