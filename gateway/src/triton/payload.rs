//! The elements of input tensors on their way to Triton: written once, shared by every model of a request.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::Bytes;

use super::Datatype;
use super::shm::Lease;
use crate::admission::memory;

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

/// The elements of one tensor, to be filled by one writer. What it holds before that is unspecified, and may be another
/// request's: write all of it.
#[derive(Debug)]
pub struct Buffer(Room);

#[derive(Debug)]
enum Room {
    Slot(Lease, usize),
    Inline(Vec<u8>),
}

impl Buffer {
    pub(super) fn slot(lease: Lease, len: usize) -> Self {
        Self(Room::Slot(lease, len))
    }

    /// In memory of our own.
    #[must_use]
    pub fn inline(len: usize) -> Self {
        Self(Room::Inline(vec![0; len]))
    }

    /// Ends the writing.
    #[must_use]
    pub fn share(self) -> Payload {
        Payload(match self.0 {
            Room::Slot(lease, len) => Place::Slot(Arc::new(lease), len),
            Room::Inline(bytes) => Place::Inline(bytes.into()),
        })
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Room::Slot(lease, len) => &lease[..*len],
            Room::Inline(bytes) => bytes,
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Room::Slot(lease, len) => &mut lease[..*len],
            Room::Inline(bytes) => bytes,
        }
    }
}

/// The elements of one tensor, which nobody changes any more. Clones are cheap and name the same bytes.
#[derive(Clone, Debug)]
pub struct Payload(pub(super) Place);

/// Where they are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In the first bytes of a slot.
    Slot(Arc<Lease>, usize),
    Inline(Bytes),
}

impl Payload {
    /// Whether it lies where Triton reads it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Place::Slot(..))
    }

    /// The same bytes, which also keep `room` for as long as anybody has them; in a slot, they have no need of it.
    #[must_use]
    pub fn holding<R: Send + Sync + 'static>(self, room: &Arc<R>) -> Self {
        match self.0 {
            Place::Inline(bytes) => Self(Place::Inline(memory::held(bytes, room.clone()))),
            slot @ Place::Slot(..) => Self(slot),
        }
    }

    /// As bytes that are nobody else's memory.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Place::Inline(bytes) => bytes.clone(),
            Place::Slot(..) => Bytes::copy_from_slice(self),
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Slot(lease, len) => &lease[..*len],
            Place::Inline(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Place::Inline(bytes))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Place::Inline(bytes.into()))
    }
}
