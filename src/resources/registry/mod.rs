//! The registry: the gateway image's repository, and the image.

mod repository;

pub use repository::{Repository, RepositoryOutput};
