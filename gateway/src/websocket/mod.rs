//! One WebSocket: reads while work runs, pings, and closes at once. What is said on it is its [`Session`]'s.

mod charge;
mod close;
mod driver;
mod frame;
mod reader;
mod scatter;
mod session;
mod writer;

pub use close::CloseReason;
pub use driver::{Shutdown, Summary, serve};
pub use session::{Place, Session};
