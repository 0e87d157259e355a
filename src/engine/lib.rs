//! A deployment is a graph of resources; a resource only knows how to be looked at, created,
//! updated and deleted; everything else is the walk. No cloud word in here.

mod diff;
mod erased;
mod event;
mod graph;
mod needs;
mod resource;
mod walk;

pub use diff::{Change, differences};
pub use event::{Doing, Event, Events};
pub use graph::{After, Graph, Node, NodeId};
pub use needs::{Given, Known, Needs};
pub use resource::{Cure, Cx, Fact, Fault, Found, How, Resource, Seen};
pub use walk::{Outcome, Sighting, Standing, Survey, Trouble, Walk};
