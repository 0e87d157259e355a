//! The Docker engine: builds and pushes the gateway image.
