//! The bucket, and the models in it.

pub mod bucket;
mod models;
mod photo;

pub use bucket::Bucket;
pub use models::Models;
pub use photo::{PHOTO, PROOF_KEY, Photo, PhotoOutput};
