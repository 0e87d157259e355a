//! The model repository: validation, manifest, release.

mod onnx;
mod pbtxt;
mod repository;

pub use repository::{Local, LocalFile, Problem, Repository};
