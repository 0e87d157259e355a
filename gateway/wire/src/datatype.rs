//! Triton's element types, and the two 16-bit floats that Rust has no type for.

use std::fmt;

/// Triton's element types.
/// Source: <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html#datatypes>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

/// How many elements a tensor of these lengths has; None where it is no shape, or that cannot be counted.
#[must_use]
pub fn elements(shape: &[i64]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, length| product.checked_mul(usize::try_from(*length).ok()?))
}

impl Datatype {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Bool,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Fp16,
        Self::Bf16,
        Self::Fp32,
        Self::Fp64,
        Self::Bytes,
    ];

    /// The name in Triton's protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Bf16 => "BF16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }

    /// Bytes per element; none for BYTES, whose elements carry their own length.
    #[must_use]
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Uint8 | Self::Int8 => Some(1),
            Self::Uint16 | Self::Int16 | Self::Fp16 | Self::Bf16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Fp32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// IEEE 754 binary16 to f32; exact.
#[must_use]
pub fn f32_from_f16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0f32 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// f32 to IEEE 754 binary16, rounded to nearest, ties to even, as numpy does.
#[must_use]
pub fn f16_from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    let exponent = (magnitude >> 23) as i32 - 127;
    if exponent > 15 {
        return sign | 0x7c00;
    }
    // How many of f32's 24 significant bits have no place in the result.
    let (base, dropped) = if exponent < -14 { (0, 13 + (-14 - exponent)) } else { ((exponent + 14) as u32, 13) };
    if dropped > 24 {
        return sign;
    }
    let significand = magnitude & 0x007f_ffff | 0x0080_0000;
    let kept = significand >> dropped;
    let rest = significand & ((1 << dropped) - 1);
    let half = 1 << (dropped - 1);
    let up = u32::from(rest > half || rest == half && kept & 1 == 1);
    // The implicit bit of `kept` adds one to the exponent, and so does a carry out of the rounding.
    sign | ((base << 10) + kept + up) as u16
}

/// bfloat16 to f32; exact.
#[must_use]
pub fn f32_from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// f32 to bfloat16, rounded to nearest, ties to even.
#[must_use]
pub fn bf16_from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x0040;
    }
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_own_name() {
        for datatype in Datatype::ALL {
            assert_eq!(Datatype::parse(datatype.as_str()), Some(datatype));
        }
        assert_eq!(Datatype::parse("FP8"), None);
    }

    #[test]
    fn every_half_float_comes_back_from_f32() {
        for bits in 0..=u16::MAX {
            let value = f32_from_f16(bits);
            if !value.is_nan() {
                assert_eq!(f16_from_f32(value), bits, "{value}");
            }
            if !f32_from_bf16(bits).is_nan() {
                assert_eq!(bf16_from_f32(f32_from_bf16(bits)), bits);
            }
        }
    }

    #[test]
    fn halves_round_to_the_nearest_even() {
        assert_eq!(f32_from_f16(f16_from_f32(2049.0)), 2048.0);
        assert_eq!(f32_from_f16(f16_from_f32(2051.0)), 2052.0);
        assert_eq!(f16_from_f32(65519.0), 0x7bff);
        assert_eq!(f16_from_f32(65520.0), 0x7c00);
        assert_eq!(f16_from_f32(2f32.powi(-25)), 0);
        assert_eq!(f16_from_f32(1.5 * 2f32.powi(-25)), 1);
        assert!(f32_from_f16(f16_from_f32(f32::NAN)).is_nan());
    }
}
