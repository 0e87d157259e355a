//! What a resource is: one object that can be looked at, created, updated and deleted. What is only watched has no more
//! than the look.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::diff::Change;
use super::event::{Action, Event, Events, Fact};
use super::fault::Fault;
use super::inputs::Inputs;
use super::walk::Timing;

/// Something of the outside world that can be looked at.
///
/// It neither loops, sleeps, prints nor retries: the walk does.
pub trait Observe: Send + Sync + Sized + 'static {
    /// The clients and names that every call needs.
    type World: Send + Sync + 'static;
    /// What the object is called in plans and logs, e.g. `nat-gateway`.
    const KIND: &'static str;
    /// It goes when its parent goes: `down` need not delete it where the parent cannot be reached any more.
    const ENDS_WITH_PARENT: bool = false;
    /// It can be found only inside these: a parent that is gone means that this is gone too.
    type Within: Inputs;
    /// Values it is made from; not needed to look at it or to delete it.
    type Uses: Inputs;
    /// What we care about. Wanted and actual are both this; a field that is null in what is wanted is not compared.
    type State: Serialize + Send + 'static;
    /// What others may use: an id, an ARN, an endpoint.
    type Output: Clone + Send + Sync + 'static;

    /// The state that the configuration asks for, given what is known of the others so far. The world says what is asked of
    /// all alike.
    fn want(
        &self,
        world: &Self::World,
        within: &<Self::Within as Inputs>::Givens,
        uses: &<Self::Uses as Inputs>::Givens,
    ) -> Self::State;

    /// Whether a difference counts as none: what is there serves what is wanted as it is.
    fn tolerates(&self, _difference: &Change) -> bool {
        false
    }

    /// Looks at the object, and changes nothing.
    fn observe(
        &self,
        cx: &Cx<Self::World>,
        within: &<Self::Within as Inputs>::Values,
    ) -> impl Future<Output = Result<Observation<Self>, Fault>> + Send;

    /// How long it may take before the walk gives up.
    fn patience(&self, _action: Action) -> Duration {
        Duration::from_secs(120)
    }

    /// Why it is still changing, or failed: asked when patience ends, and for `status`.
    fn evidence(
        &self,
        _cx: &Cx<Self::World>,
        _within: &<Self::Within as Inputs>::Values,
    ) -> impl Future<Output = Vec<String>> + Send {
        async { Vec::new() }
    }

    /// What the service calls this one, where it gives ids: by it one of several just alike is told from the others. Of what
    /// has a name there is one only (None), and `up` deletes no twin of it.
    fn id(&self, _found: &Self::Output) -> Option<String> {
        None
    }

    /// What a user wants to read of it at the end (ids, addresses).
    fn facts(&self, _found: &Self::Output) -> Vec<Fact> {
        Vec::new()
    }
}

/// What can be taken away: what others make and leave behind, and every [`Resource`].
pub trait Sweep: Observe {
    /// Asks for the deletion; the walk looks until it is gone.
    fn delete(
        &self,
        cx: &Cx<Self::World>,
        within: &<Self::Within as Inputs>::Values,
        found: &Self::Output,
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// What others make and take away, and we keep as it should be.
pub trait Adjust: Observe {
    /// Brings what differs to what is wanted; asked again while the differences shrink.
    fn update(
        &self,
        cx: &Cx<Self::World>,
        within: &<Self::Within as Inputs>::Values,
        uses: &<Self::Uses as Inputs>::Values,
        found: &Self::Output,
        changes: &[Change],
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// One object that we make, change and take away.
pub trait Resource: Observe {
    /// ONE creating call, with the mark of ownership inside it, so that a crash cannot leave it nameless.
    fn create(
        &self,
        cx: &Cx<Self::World>,
        within: &<Self::Within as Inputs>::Values,
        uses: &<Self::Uses as Inputs>::Values,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Brings what differs to what is wanted; asked again while the differences shrink.
    fn update(
        &self,
        _cx: &Cx<Self::World>,
        _within: &<Self::Within as Inputs>::Values,
        _uses: &<Self::Uses as Inputs>::Values,
        _found: &Self::Output,
        changes: &[Change],
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let fields: Vec<&str> = changes.iter().map(|c| c.field.as_str()).collect();
        let why = format!("a {} cannot be changed in place ({})", Self::KIND, fields.join(", "));
        async move { Err(Fault::fatal(why)) }
    }

    /// Asks for the deletion; the walk looks until it is gone.
    fn delete(
        &self,
        cx: &Cx<Self::World>,
        within: &<Self::Within as Inputs>::Values,
        found: &Self::Output,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// How a change could be made, so that a plan can tell before anything moves.
    fn how(&self, _change: &Change) -> UpdateMode {
        UpdateMode::Refuse
    }

    /// Why a change cannot be made in place, in a user's words; None: there is no more to say than that.
    fn why_not(&self, _change: &Change) -> Option<String> {
        None
    }
}

impl<R: Resource> Sweep for R {
    async fn delete(
        &self,
        cx: &Cx<Self::World>,
        within: &<Self::Within as Inputs>::Values,
        found: &Self::Output,
    ) -> Result<(), Fault> {
        Resource::delete(self, cx, within, found).await
    }
}

/// What a look found.
pub enum Observation<R: Observe> {
    /// It is not there.
    Absent,
    /// It is not there, but others just like it are, which serve a twin of what it belongs to and cannot serve here.
    Elsewhere(Vec<R::Output>),
    /// Something of that name is there, and is not ours.
    Foreign(String),
    /// It is on its way, up or down.
    Changing {
        /// The state in the service's own words.
        why: String,
        /// What can be said of it already.
        found: Option<Found<R>>,
    },
    /// It is there.
    Present(Found<R>),
    /// It is there and will not work as it is.
    Broken {
        /// Enough to delete it.
        output: R::Output,
        /// The service's own reason.
        why: String,
        /// What helps.
        remedy: Remedy,
    },
}

/// An object that was found.
pub struct Found<R: Observe> {
    /// What others may use.
    pub output: R::Output,
    /// Its state, to be compared with what is wanted.
    pub actual: R::State,
    /// Others just like it, made by an answer that was lost or by another run at the same time. Which of them is kept is the
    /// same at every look: [`Observe::id`] tells them apart.
    pub twins: Vec<R::Output>,
    /// What its service says is wrong with it, though it is there.
    pub ails: Vec<String>,
}

impl<R: Observe> Found<R> {
    /// One object, without twins.
    pub fn one(output: R::Output, actual: R::State) -> Self {
        Self { output, actual, twins: Vec::new(), ails: Vec::new() }
    }

    /// The same, of which its service says this.
    #[must_use]
    pub fn ailing(self, ails: Vec<String>) -> Self {
        Self { ails, ..self }
    }
}

/// What helps something that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// It may heal by itself.
    Wait,
    /// Delete it and create it once more.
    Recreate,
    /// The same, but not by the run that created it: until the user has done something it would break again.
    RecreateLater,
    /// Only the user can help.
    User,
}

/// Something that an earlier configuration made and this one does not want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unwanted {
    /// What the configuration said once, for a user.
    pub why: Arc<str>,
    /// When `up` deletes it; `down` does in any case.
    pub removal: Removal,
}

impl Unwanted {
    /// Not wanted for this reason.
    pub fn new(removal: Removal, why: impl Into<Arc<str>>) -> Self {
        Self { why: why.into(), removal }
    }
}

/// When `up` deletes what is not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// As soon as what it needs is there.
    Early,
    /// Once everything that is wanted is as wanted.
    Last,
    /// Not at all.
    Never,
}

/// How a change can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateMode {
    /// By an update.
    InPlace,
    /// By a new one in its place.
    Replace,
    /// Not by us.
    Refuse,
}

/// What every call of a resource gets: the world, its own name, and a way to tell of progress.
pub struct Cx<W> {
    /// Clients and names.
    pub world: Arc<W>,
    /// The node's name in the graph, e.g. `subnet/private-0`; also its tag.
    pub node: Arc<str>,
    /// Cancelled by the user's first Ctrl-C; long local work listens to it.
    pub cancel: CancellationToken,
    pub(super) events: Events,
    pub(super) token: Arc<str>,
    /// Between two searches for a cause.
    pub(super) cause_every: Duration,
    /// What the last one found, and when.
    pub(super) cause: Mutex<Option<(tokio::time::Instant, Option<String>)>>,
}

impl<W> Cx<W> {
    /// For a call of a node outside of any walk.
    #[must_use]
    pub fn new(world: Arc<W>, node: &str) -> Self {
        let (cancel, events) = (CancellationToken::new(), Events::nowhere());
        let cause_every = Timing::default().cause;
        Self { world, node: node.into(), cancel, events, token: token(), cause_every, cause: Mutex::new(None) }
    }

    /// Why something is still changing, where that takes many calls to find out: `search` is awaited now and then
    /// ([`Timing::cause`]), and what it found last is told in between.
    pub async fn cause(&self, search: impl Future<Output = Option<String>>) -> Option<String> {
        let last = || self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = last().clone().filter(|(at, _)| at.elapsed() < self.cause_every);
        if let Some((_, found)) = fresh {
            return found;
        }
        let found = search.await;
        *last() = Some((tokio::time::Instant::now(), found.clone()));
        found
    }

    /// What was found is of something that is over.
    pub(super) fn forget_cause(&mut self) {
        *self.cause.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A client token: fresh for each decision to create, the same across the retries of one.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Tells how far long work is, in units of its own (bytes, steps); `total` 0 when unknown.
    pub fn progress(&self, what: &str, done: u64, total: u64) {
        self.events.send(Event::Progress { node: self.node.clone(), what: what.to_owned(), done, total });
    }

    /// Tells something worth reading while it happens (one line).
    pub fn say(&self, line: impl Into<String>) {
        self.events.send(Event::Said { node: self.node.clone(), line: line.into() });
    }
}

/// 128 random bits: the standard library keys its hashers from the system's randomness.
pub(super) fn token() -> Arc<str> {
    let bits = || RandomState::new().hash_one(Instant::now());
    format!("{:016x}{:016x}", bits(), bits()).into()
}
