//! The bucket, and the models in it.

pub mod bucket;

pub use bucket::Bucket;
