//! Tensors as Triton takes and gives them.

use std::fmt;

use bytes::Bytes;

/// A named tensor with its elements in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The tensor's name in the model.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its lengths, all known.
    pub shape: Vec<i64>,
    /// The elements, little-endian; BYTES elements each after a u32 length; BOOL as one byte.
    pub data: Bytes,
}

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

impl Datatype {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Bool, Self::Uint8, Self::Uint16, Self::Uint32, Self::Uint64, Self::Int8, Self::Int16,
        Self::Int32, Self::Int64, Self::Fp16, Self::Bf16, Self::Fp32, Self::Fp64, Self::Bytes,
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

#[cfg(test)]
mod tests {
    use super::Datatype;

    #[test]
    fn every_type_is_found_by_its_own_name() {
        for datatype in Datatype::ALL {
            assert_eq!(Datatype::parse(datatype.as_str()), Some(datatype));
        }
        assert_eq!(Datatype::parse("FP8"), None);
    }
}
