//! What the containers of the deployment's pods log: read with the time of each line, and merged by it.
//!
//! Memory is bounded whatever is logged: of each container one line of at most [`LONGEST`] bytes is held, and while
//! following a batch of [`follow::BATCH`] bytes.

mod follow;
mod line;
mod merge;
mod read;
mod source;

pub use follow::{follow, watch};
pub use line::{LONGEST, Line};
pub use merge::Merge;
pub use read::{Asked, Reading};
pub use source::{CONTAINERS, Choice, Source, Sources};

/// A line and whose it is.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose it is.
    pub source: std::sync::Arc<Source>,
    /// The line.
    pub line: Line,
}

/// What is worth telling beside the lines themselves.
#[derive(Clone, Debug)]
pub enum News {
    /// A line that was logged.
    Entry(Entry),
    /// Why there is nothing of somebody, or not now.
    Note(String),
}
