//! The elements of input tensors on their way to Triton: written once, shared by every model of a request.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;

use super::Datatype;

/// A named input with its elements in row-major order.
#[derive(Clone, Debug)]
pub struct Input {
    /// The tensor's name in the model.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its lengths, all known.
    pub shape: Vec<i64>,
    /// The elements, little-endian; BYTES elements each after a u32 length; BOOL as one byte.
    pub data: Payload,
}

/// The elements of one tensor, to be filled by one writer. What it holds before that is unspecified: write all of it.
#[derive(Debug)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn inline(len: usize) -> Self {
        Self(vec![0; len])
    }

    /// Ends the writing.
    #[must_use]
    pub fn share(self) -> Payload {
        Payload(self.0.into())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// The elements of one tensor, which nobody changes any more. Clones are cheap and name the same bytes.
#[derive(Clone, Debug)]
pub struct Payload(Bytes);

impl Payload {
    pub(super) fn inline(&self) -> Bytes {
        self.0.clone()
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}
