//! The gateway's readers of what others write, compiled without the gateway: see Cargo.toml.

pub mod checks;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/image/mod.rs"]
pub mod image;

#[path = "../../src/storage"]
pub mod storage {
    mod config;
    pub use config::Config;
}

#[allow(dead_code, reason = "how long to wait for a connection is asked by the client alone")]
#[path = "../../src/triton"]
pub mod triton {
    mod config;
    pub use config::{Config, Transport, authority};
}
