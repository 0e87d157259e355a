//! the bucket, the models in it, the photo.
