//! `up`: everything is brought to what is wanted.

use futures::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use super::down::{Doomed, delete_until_gone};
use super::look::{Aim, view};
use super::refusal::{refusals, unchangeable};
use super::run::{Completion, Run};
use super::snapshot::{Lookup, Snapshot};
use super::task::{Act, NodeTask, Stop};
use super::twins::{self, Shown};
use super::{Outcome, Report, Walk};
use crate::erased::{AnyObservation, Finding};
use crate::id::NodeId;
use crate::inputs::Output;
use crate::{Action, Change, FaultKind, Remedy};

/// No sane object needs more steps than this to be configured.
const MOST_UPDATES: usize = 20;

/// Of twins only those go that are in what was `shown`; none: in the first look. It makes that look itself where it is not
/// given what was `seen`.
pub(super) async fn up<W: Send + Sync + 'static>(walk: &Walk<W>, shown: Option<&Report>, seen: Option<Snapshot>) -> Outcome {
    let run = Run::begin(walk, "up");
    run.run(async {
        if let Some(seen_at_first) = apply_all(&run, seen).await {
            twins::destroy(&run, &shown.map_or(seen_at_first, Shown::by)).await;
        }
    })
    .await;
    run.end()
}

/// None: nothing was begun.
async fn apply_all<W: Send + Sync + 'static>(run: &Run<'_, W>, seen: Option<Snapshot>) -> Option<Shown> {
    let seen = match seen {
        Some(seen) => seen,
        None => view(run.walk, Aim::Up).await,
    };
    run.note(&seen);
    let refusals = if run.cancelled() { Vec::new() } else { refusals(run.walk, &seen) };
    if !refusals.is_empty() {
        refusals.into_iter().for_each(|(id, refusal)| run.failure(id, refusal.into()));
        return None;
    }
    let shown = Shown::at_first(&run.walk.graph, &seen);
    join_all(seen.looked.into_iter().enumerate().map(|(id, looked)| apply_node(run, id, looked))).await;
    Some(shown)
}

/// One node, from its needs to its fate.
async fn apply_node<W: Send + Sync + 'static>(run: &Run<'_, W>, id: usize, looked: Lookup) {
    let removal = run.node(id).removal();
    let inputs = run.turn(id, &run.before(id)).await;
    let needs_acted = match inputs {
        Completion::Done { acted } => acted,
        Completion::Stopped(by) => {
            run.block(id, &by);
            return run.settle(id, Completion::Stopped(by));
        }
        Completion::Interrupted => return run.settle(id, Completion::Interrupted),
    };
    if run.passes_by(id) && !run.node(id).made_by_others() {
        return run.settle(id, Completion::Done { acted: needs_acted });
    }
    if removal.is_some() {
        return run.settle(id, destroy_orphan(run, id).await);
    }
    let mut apply = Apply {
        task: NodeTask::new(run, id),
        created: false,
        seen: false,
        asked_for: None,
        lost: 0,
        deleted: None,
        condemned: None,
        asked: 0,
        updates: Vec::new(),
    };
    // What was seen at the beginning still holds where nothing below has been touched since.
    let first = match looked {
        Lookup::Saw(sight) if !needs_acted => Some(sight),
        _ => None,
    };
    let completion = match apply.up(first).await {
        Ok(output) => {
            apply.task.finished(Some(&output));
            run.state().known.insert(NodeId(id), output);
            let acted = apply.task.did.is_some();
            Completion::Done { acted: needs_acted || acted }
        }
        Err(Stop::Failed(reason)) => {
            if apply.hides() {
                let mut state = run.state();
                state.unknown[id] = !state.exists[id];
            }
            run.failure(id, reason);
            Completion::Stopped(vec![id])
        }
        Err(Stop::Interrupted) => {
            if apply.hides() {
                apply.task.until_seen().await;
            }
            Completion::Interrupted
        }
    };
    run.settle(id, completion);
}

/// What an earlier configuration made goes.
async fn destroy_orphan<W: Send + Sync + 'static>(run: &Run<'_, W>, id: usize) -> Completion {
    let mut task = NodeTask::new(run, id);
    task.action = Action::Delete;
    match delete_until_gone(&mut task, Doomed::All).await {
        Ok(()) => {
            task.finished(None);
            Completion::Done { acted: task.did.is_some() }
        }
        Err(Stop::Failed(reason)) => {
            run.failure(id, reason);
            Completion::Stopped(vec![id])
        }
        Err(Stop::Interrupted) => Completion::Interrupted,
    }
}

/// A node on its way up.
struct Apply<'a, W> {
    task: NodeTask<'a, W>,
    /// The creating call was answered: there is no second one in this run.
    created: bool,
    /// It was seen since.
    seen: bool,
    /// When the last creating call ended that made one or may have, where that one was not deleted since.
    asked_for: Option<Instant>,
    /// So many creating calls had no answer.
    lost: u32,
    /// When the broken one was last asked to go; some: there is no second one made anew in this run.
    deleted: Option<Instant>,
    /// What the service calls that one, where it gives ids.
    condemned: Option<String>,
    /// How often it was asked to.
    asked: u32,
    /// The differences before each update.
    updates: Vec<Vec<Change>>,
}

impl<W: Send + Sync + 'static> Apply<'_, W> {
    async fn up(&mut self, mut first: Option<AnyObservation>) -> Result<Output, Stop> {
        let wanted = self.task.node.wanted(&self.task.run.walk.world, &self.task.known);
        loop {
            let sight = match first.take() {
                Some(sight) => sight,
                None => self.task.look().await?,
            };
            self.seen |= !matches!(sight, AnyObservation::Absent | AnyObservation::Elsewhere(_)) && !self.going();
            match sight {
                AnyObservation::Absent | AnyObservation::Elsewhere(_) => self.absent().await?,
                AnyObservation::Foreign(why) => return Err(self.task.failed(format!("not ours: {why}")).await),
                AnyObservation::Changing { why, .. } => {
                    self.task.did.get_or_insert(Action::Watch);
                    self.task.wait(&why).await?;
                }
                AnyObservation::Broken { output, why, remedy } => self.broken(&output, why, remedy).await?,
                AnyObservation::Present(found) if self.going() && self.is_condemned(&found.output) => {
                    self.task.wait("still there").await?;
                }
                AnyObservation::Present(found) => {
                    if self.present(&wanted, &found).await? {
                        return Ok(found.output);
                    }
                }
            }
        }
    }

    /// It may have been made, and was not seen since.
    fn hides(&self) -> bool {
        self.asked_for.is_some() && !self.seen
    }

    /// A broken one was asked to go, and the new one is not made yet.
    fn going(&self) -> bool {
        self.deleted.is_some() && self.task.action == Action::Delete
    }

    /// It is the one that was asked to go, and not a twin of it.
    fn is_condemned(&self, output: &Output) -> bool {
        self.task.node.id(output) == self.condemned
    }

    async fn absent(&mut self) -> Result<(), Stop> {
        let task = &mut self.task;
        if task.node.made_by_others() {
            task.did = Some(Action::Watch);
            return task.wait("not there yet").await;
        }
        if self.created {
            return task.wait("created, but not visible yet").await;
        }
        if let Some(asked) = self.asked_for {
            let hides = task.timing().hidden.min(task.timing().patience(task.node, Action::Create));
            if asked.elapsed() < hides {
                let times = if self.lost == 1 { "once".to_owned() } else { format!("{} times", self.lost) };
                let last = task.last_fault.as_ref().map(|fault| format!(" (last: {})", fault.cause())).unwrap_or_default();
                let why = format!("the create call got no response {times}{last}; it has not appeared yet");
                return task.wait(&why).await;
            }
        }
        if task.action != Action::Create {
            task.start(Action::Create);
        }
        self.seen = false;
        match task.call(Act::Create).await? {
            Ok(()) => {
                (self.created, self.asked_for) = (true, Some(Instant::now()));
                task.did = Some(Action::Create);
                Ok(())
            }
            Err(fault) => {
                if fault.kind == FaultKind::Unsure {
                    self.asked_for = Some(Instant::now());
                    self.lost += 1;
                    task.did = Some(Action::Create);
                }
                task.retry_or_fail(fault, false).await
            }
        }
    }

    /// True: it is as wanted.
    async fn present(&mut self, wanted: &Value, found: &Finding) -> Result<bool, Stop> {
        let task = &mut self.task;
        let changes = task.node.differences(wanted, &found.actual);
        if changes.is_empty() || task.node.watched() {
            return Ok(true);
        }
        let fields = changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>().join(", ");
        let acted = task.did.is_some_and(|did| did != Action::Watch);
        let settling = acted && task.since.elapsed() < task.timing().settle;
        let how = changes.iter().map(|change| (change.clone(), task.node.how(change)));
        if let Some(why) = unchangeable(task.node, how) {
            // A new thing may show its fields one after another.
            if settling {
                task.wait(&format!("not applied yet: {fields}")).await?;
                return Ok(false);
            }
            return Err(task.failed(why).await);
        }
        if self.updates.contains(&changes) || self.updates.len() >= MOST_UPDATES {
            if settling {
                task.wait(&format!("accepted, but not applied yet: {fields}")).await?;
                return Ok(false);
            }
            return Err(task.failed(format!("accepted, but never applied: {}", described(&changes))).await);
        }
        if task.action != Action::Update {
            task.start(Action::Update);
        }
        match task.call(Act::Update(&found.output, &changes)).await? {
            Ok(()) => {
                task.did = task.did.filter(|did| *did == Action::Create).or(Some(Action::Update));
                self.updates.push(changes);
            }
            Err(fault) => task.retry_or_fail(fault, false).await?,
        }
        Ok(false)
    }

    async fn broken(&mut self, output: &Output, why: String, remedy: Remedy) -> Result<(), Stop> {
        let going = self.going();
        let task = &mut self.task;
        let asked_again = self.deleted.is_some_and(|asked| asked.elapsed() >= task.timing().settle);
        match remedy {
            Remedy::Recreate | Remedy::RecreateLater if task.node.made_by_others() => return Err(task.failed(why).await),
            Remedy::RecreateLater if !going && (self.created || self.lost > 0) => return Err(task.failed(why).await),
            _ if going && !asked_again => return task.wait(&why).await,
            Remedy::Wait if !going => return task.wait(&why).await,
            Remedy::User => return Err(task.failed(why).await),
            Remedy::Recreate | Remedy::RecreateLater if self.deleted.is_some() && !going => {
                return Err(task.failed(why).await);
            }
            Remedy::Wait | Remedy::Recreate | Remedy::RecreateLater => {}
        }
        if self.asked >= task.timing().asked {
            let why = format!("its deletion was accepted {} times and failed each time: {why}", self.asked);
            return Err(task.failed(why).await);
        }
        if task.action != Action::Delete {
            task.run.say(task.id, format!("broken ({why}): it is deleted and created again"));
            task.start(Action::Delete);
        }
        match task.call(Act::Delete(output)).await? {
            Err(fault) if fault.kind != FaultKind::Unsure => task.retry_or_fail(fault, false).await,
            answer => {
                self.asked += u32::from(answer.is_ok());
                task.last_fault = answer.err().or(task.last_fault.take());
                if self.deleted.is_none() {
                    // Of several creating calls another one may have made one as well, which is not seen yet.
                    let others = self.lost + u32::from(self.created) > 1;
                    self.asked_for = self.asked_for.filter(|_| others);
                    (self.created, self.seen) = (false, false);
                }
                self.deleted = Some(Instant::now());
                self.condemned = task.node.id(output);
                Ok(())
            }
        }
    }
}

/// Differences as one line.
fn described(changes: &[Change]) -> String {
    let one = |change: &Change| format!("{} is still {}, wanted {}", change.field, change.from, change.to);
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}
