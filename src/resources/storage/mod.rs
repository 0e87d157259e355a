//! The bucket, and the models in it.

pub mod bucket;
mod models;
pub mod photo;

pub use bucket::Bucket;
pub use models::{Models, elsewhere};
pub use photo::{ProofImage, ProofImageOutput};
