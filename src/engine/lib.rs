//! A deployment is a graph of resources; a resource only knows how to be looked at, created,
//! updated and deleted; everything else is the walk. No cloud word in here.

mod acts;
mod diff;
mod erased;
mod event;
mod fault;
mod graph;
mod id;
mod inputs;
mod resource;
mod walk;

pub use diff::{Change, differences};
pub use event::{Action, Call, Event, Events, Fact, format_duration};
pub use fault::{Fault, FaultKind, Origin, with_origin};
pub use graph::{After, Graph, Node};
pub use id::NodeId;
pub use inputs::{Beside, Given, Inputs, Known};
pub use resource::{Adjust, Cx, Found, Observation, Observe, Remedy, Removal, Resource, Sweep, Unwanted, UpdateMode};
pub use walk::{Failure, Gate, Held, NodeReport, Outcome, Report, Seen, Status, Timing, Twin, Walk};
