//! The bucket, and the models in it.

pub mod bucket;
mod models;

pub use bucket::Bucket;
pub use models::Models;
