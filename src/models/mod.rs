//! The model repository: validation, manifest, release.

mod bucket;
mod check;
mod cleanup;
mod onnx;
mod pbtxt;
mod pieces;
mod pods;
mod release;
mod repository;
mod retry;
mod rollout;

pub use bucket::{Bucket, Publication};
pub use cleanup::Strangers;
pub use pods::{Pod, Rolled, Served, served};
pub use release::{Difference, Draft, Published, Upload};
pub use repository::{Checked, Local, LocalFile, Problem, Repository};
pub use rollout::{Report, release, strangers};
