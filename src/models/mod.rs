//! The model repository: validation, manifest, release.

mod bucket;
mod check;
mod onnx;
mod pbtxt;
mod release;
mod repository;
mod rollout;

pub use bucket::Bucket;
pub use release::{Difference, Draft, Upload};
pub use repository::{Local, LocalFile, Problem, Repository};
pub use rollout::{Report, Rolled, release};
