//! Tensors as Triton takes and gives them.

use bytes::Bytes;

pub use tritondeploy_wire::Datatype;

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
