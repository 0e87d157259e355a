//! The registry: the gateway image's repository, and the image.

pub mod gateway_image;
mod repository;

pub use gateway_image::{GatewayImage, ImageOutput};
pub use repository::{Repository, RepositoryOutput};
