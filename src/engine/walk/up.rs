//! `up`: everything is brought to what is wanted.

use futures::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use super::down::raze;
use super::errand::{Act, Errand, Stop};
use super::look::{Aim, Looked, View, changes, view};
use super::tour::{Fate, Tour};
use super::{Outcome, Walk, pace};
use crate::erased::{Finding, Output, Sight};
use crate::graph::NodeId;
use crate::needs::KNOWN_AFTER;
use crate::{Change, Cure, Doing, Fault, How, differences};

/// No sane object needs more steps than this to be configured.
const MOST_UPDATES: usize = 20;

pub(super) async fn up<W: Send + Sync + 'static>(walk: &Walk<W>) -> Outcome {
    let tour = Tour::begin(walk, "up");
    tour.run(bring_all(&tour)).await;
    tour.end()
}

async fn bring_all<W: Send + Sync + 'static>(tour: &Tour<'_, W>) {
    let seen = view(tour.walk, Aim::Up).await;
    tour.note(&seen);
    let refusals = if tour.cancelled() { Vec::new() } else { refusals(tour, &seen) };
    if !refusals.is_empty() {
        return refusals.into_iter().for_each(|(id, why)| tour.trouble(id, why, Vec::new()));
    }
    join_all(seen.looked.into_iter().enumerate().map(|(id, looked)| bring(tour, id, looked))).await;
}

/// What `up` will not touch: it says so before the first change.
fn refusals<W: Send + Sync + 'static>(tour: &Tour<'_, W>, seen: &View) -> Vec<(usize, String)> {
    let mut refusals = Vec::new();
    // A node stands when it and all that it needs are there and as wanted.
    let mut stands: Vec<bool> = Vec::new();
    for (id, looked) in seen.looked.iter().enumerate() {
        let node = tour.node(id);
        let needs_stand = tour.needs(id).iter().all(|&need| stands[need]);
        let mut as_wanted = matches!(looked, Looked::Saw(Sight::Present(_))) || node.swept();
        match looked {
            Looked::Saw(Sight::Foreign(why)) => refusals.push((id, format!("not ours: {why}"))),
            Looked::Saw(sight) if !node.watched() => {
                let changes = changes(node, &seen.known, sight);
                as_wanted &= changes.is_empty();
                let known = changes.into_iter().filter(|(change, _)| !known_later(&change.to));
                if let Some(why) = unchangeable(known) {
                    refusals.push((id, why));
                }
            }
            // Where something below is still missing, it may be what would allow this look.
            Looked::Fault(Fault::Denied(why)) if needs_stand => refusals.push((id, format!("denied: {why}"))),
            Looked::Fault(Fault::Fatal(why)) if needs_stand && !node.watched() => {
                refusals.push((id, why.clone()));
            }
            _ => {}
        }
        stands.push(needs_stand && as_wanted);
    }
    refusals
}

/// The value holds something that this walk has yet to learn.
fn known_later(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(KNOWN_AFTER) || fields.values().any(known_later),
        Value::Array(values) => values.iter().any(known_later),
        _ => false,
    }
}

/// Why these changes cannot be made, if one of them cannot.
fn unchangeable(changes: impl Iterator<Item = (Change, How)>) -> Option<String> {
    let whys: Vec<String> = changes
        .filter_map(|(Change { field, from, to }, how)| match how {
            How::InPlace => None,
            How::Refuse => Some(format!("{field} is {from}, wanted is {to}, and that cannot be changed")),
            How::Replace => Some(format!("{field} is {from}, wanted is {to}, and that takes a new one in its place")),
        })
        .collect();
    (!whys.is_empty()).then(|| whys.join("; "))
}

/// One node, from its needs to its fate.
async fn bring<W: Send + Sync + 'static>(tour: &Tour<'_, W>, id: usize, looked: Looked) {
    let needs = tour.wait_for(&tour.needs(id)).await;
    let needs_acted = match needs {
        Fate::Done { acted } => acted,
        Fate::Stopped(by) => {
            tour.block(id, &by);
            return tour.settle(id, Fate::Stopped(by));
        }
        Fate::Interrupted => return tour.settle(id, Fate::Interrupted),
    };
    if tour.node(id).swept() {
        return tour.settle(id, Fate::Done { acted: needs_acted });
    }
    if tour.node(id).unwanted() {
        return tour.settle(id, take_away(tour, id).await);
    }
    let mut rise =
        Rise { errand: Errand::new(tour, id), created: false, seen: false, unsure: None, deleted: None, updates: Vec::new() };
    // What was seen at the beginning still holds where nothing below has been touched since.
    let first = match looked {
        Looked::Saw(sight) if !needs_acted => Some(sight),
        _ => None,
    };
    let fate = match rise.up(first).await {
        Ok(output) => {
            rise.errand.finished(Some(&output));
            tour.book().known.insert(NodeId(id), output);
            let acted = rise.errand.did.is_some();
            Fate::Done { acted: needs_acted || acted }
        }
        Err(Stop::Failed { why, evidence }) => {
            tour.trouble(id, why, evidence);
            Fate::Stopped(vec![id])
        }
        Err(Stop::Interrupted) => {
            if (rise.created || rise.unsure.is_some()) && !rise.seen {
                rise.errand.until_seen().await;
            }
            Fate::Interrupted
        }
    };
    tour.settle(id, fate);
}

/// What an earlier configuration made goes.
async fn take_away<W: Send + Sync + 'static>(tour: &Tour<'_, W>, id: usize) -> Fate {
    let mut errand = Errand::new(tour, id);
    errand.doing = Doing::Delete;
    match raze(&mut errand).await {
        Ok(()) => {
            errand.finished(None);
            Fate::Done { acted: errand.did.is_some() }
        }
        Err(Stop::Failed { why, evidence }) => {
            tour.trouble(id, why, evidence);
            Fate::Stopped(vec![id])
        }
        Err(Stop::Interrupted) => Fate::Interrupted,
    }
}

/// A node on its way up.
struct Rise<'a, W> {
    errand: Errand<'a, W>,
    /// The creating call was answered: there is no second one in this run.
    created: bool,
    /// It was seen since.
    seen: bool,
    /// The last creating call had no answer.
    unsure: Option<Instant>,
    /// When the broken one was last asked to go; some: there is no second time in this run.
    deleted: Option<Instant>,
    /// The differences before each update.
    updates: Vec<Vec<Change>>,
}

impl<W: Send + Sync + 'static> Rise<'_, W> {
    async fn up(&mut self, mut first: Option<Sight>) -> Result<Output, Stop> {
        let wanted = self.errand.node.wanted(&self.errand.known);
        loop {
            let sight = match first.take() {
                Some(sight) => sight,
                None => self.errand.look().await?,
            };
            self.seen |= !matches!(sight, Sight::Absent);
            match sight {
                Sight::Absent => self.absent().await?,
                Sight::Foreign(why) => return Err(self.errand.failed(format!("not ours: {why}")).await),
                Sight::Changing { why, .. } => {
                    self.errand.did.get_or_insert(Doing::Watch);
                    self.errand.wait(&why).await?;
                }
                Sight::Broken { output, why, cure } => self.broken(&output, why, cure).await?,
                Sight::Present(_) if self.going() => self.errand.wait("still there").await?,
                Sight::Present(found) => {
                    if self.present(&wanted, &found).await? {
                        return Ok(found.output);
                    }
                }
            }
        }
    }

    /// A broken one was asked to go, and the new one is not made yet.
    fn going(&self) -> bool {
        self.deleted.is_some() && self.errand.doing == Doing::Delete
    }

    async fn absent(&mut self) -> Result<(), Stop> {
        let errand = &mut self.errand;
        if errand.node.watched() {
            errand.did = Some(Doing::Watch);
            return errand.wait("not there yet").await;
        }
        if self.created {
            return errand.wait("created, and not to be seen yet").await;
        }
        if let Some(asked) = self.unsure {
            let hides = pace::HIDDEN.min(errand.node.patience(Doing::Create));
            if asked.elapsed() < hides {
                return errand.wait("looking whether the call without an answer has made it").await;
            }
        }
        if errand.doing != Doing::Create {
            errand.start(Doing::Create);
            self.seen = false;
        }
        match errand.call(Act::Create).await? {
            Ok(()) => {
                self.created = true;
                errand.did = Some(Doing::Create);
                Ok(())
            }
            Err(Fault::Unsure(why)) => {
                self.unsure = Some(Instant::now());
                errand.did = Some(Doing::Create);
                errand.again(Fault::Unsure(why), false).await
            }
            Err(fault) => {
                self.unsure = None;
                errand.again(fault, false).await
            }
        }
    }

    /// True: it is as wanted.
    async fn present(&mut self, wanted: &Value, found: &Finding) -> Result<bool, Stop> {
        let errand = &mut self.errand;
        // Twins (`found.twins`) are left for the sweep by tag.
        let changes = differences(wanted, &found.actual);
        if changes.is_empty() || errand.node.watched() {
            return Ok(true);
        }
        let fields = changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>().join(", ");
        let acted = errand.did.is_some_and(|did| did != Doing::Watch);
        let settling = acted && errand.since.elapsed() < pace::SETTLE;
        let how = changes.iter().map(|change| (change.clone(), errand.node.how(change)));
        if let Some(why) = unchangeable(how) {
            // A new thing may show its fields one after another.
            if settling {
                errand.wait(&format!("not settled yet: {fields}")).await?;
                return Ok(false);
            }
            return Err(errand.failed(why).await);
        }
        if self.updates.contains(&changes) || self.updates.len() >= MOST_UPDATES {
            if settling {
                errand.wait(&format!("not taken yet: {fields}")).await?;
                return Ok(false);
            }
            return Err(errand.failed(format!("did not take: {}", described(&changes))).await);
        }
        if errand.doing != Doing::Update {
            errand.start(Doing::Update);
        }
        match errand.call(Act::Update(&found.output, &changes)).await? {
            Ok(()) => {
                errand.did = errand.did.filter(|did| *did == Doing::Create).or(Some(Doing::Update));
                self.updates.push(changes);
            }
            Err(fault) => errand.again(fault, false).await?,
        }
        Ok(false)
    }

    async fn broken(&mut self, output: &Output, why: String, cure: Cure) -> Result<(), Stop> {
        let errand = &mut self.errand;
        let going = self.deleted.is_some() && errand.doing == Doing::Delete;
        let asked_again = self.deleted.is_some_and(|asked| asked.elapsed() >= pace::SETTLE);
        match cure {
            Cure::Recreate if errand.node.watched() => return Err(errand.failed(why).await),
            _ if going && !asked_again => return errand.wait(&why).await,
            Cure::Wait if !going => return errand.wait(&why).await,
            Cure::User => return Err(errand.failed(why).await),
            Cure::Recreate if self.deleted.is_some() && !going => return Err(errand.failed(why).await),
            Cure::Wait | Cure::Recreate => {}
        }
        if !going {
            errand.tour.say(errand.id, format!("it is broken ({why}) and is made anew"));
            errand.start(Doing::Delete);
        }
        match errand.call(Act::Delete(output)).await? {
            Ok(()) | Err(Fault::Unsure(_)) => {
                self.deleted = Some(Instant::now());
                (self.created, self.unsure) = (false, None);
                Ok(())
            }
            Err(fault) => errand.again(fault, false).await,
        }
    }
}

/// Differences as one line.
fn described(changes: &[Change]) -> String {
    let one = |change: &Change| format!("{} is still {}, wanted is {}", change.field, change.from, change.to);
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}
