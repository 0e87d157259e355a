//! `down`: everything is taken away, the last made first.

use futures::future::join_all;
use tokio::time::Instant;

use super::errand::{Act, Errand, Stop};
use super::look::{Aim, Looked, view};
use super::tour::{Fate, Tour};
use super::{Outcome, Walk, pace};
use crate::erased::{Output, Sight};
use crate::graph::NodeId;
use crate::{Doing, Fault};

pub(super) async fn down<W: Send + Sync + 'static>(walk: &Walk<W>) -> Outcome {
    let tour = Tour::begin(walk, "down");
    tour.run(take_all(&tour)).await;
    unreached(&tour);
    tour.end()
}

async fn take_all<W: Send + Sync + 'static>(tour: &Tour<'_, W>) {
    let seen = view(tour.walk, Aim::Down).await;
    tour.note(&seen);
    let mut failing = Vec::new();
    for (id, looked) in seen.looked.iter().enumerate() {
        let node = tour.node(id);
        failing.push(matches!(looked, Looked::Fault(_)) && !node.watched() && !node.ends_with_parent());
    }
    let dependents = tour.dependents();
    let nodes = seen.looked.into_iter().zip(&dependents).enumerate();
    join_all(nodes.map(|(id, (looked, dependents))| take(tour, id, looked, dependents, &failing))).await;
}

/// One node, from the last of its dependents to its fate.
async fn take<W: Send + Sync + 'static>(tour: &Tour<'_, W>, id: usize, looked: Looked, dependents: &[usize], failing: &[bool]) {
    let node = tour.node(id);
    let gone = Fate::Done { acted: false };
    if !node.watched() {
        // What cannot be told is decided at once, so that its parent need not wait for it, nor it for its parent.
        match &looked {
            Looked::Fault(fault) if !node.ends_with_parent() => {
                tour.trouble(id, format!("it cannot be told whether it is there: {fault}"), Vec::new());
                return tour.settle(id, Fate::Stopped(vec![id]));
            }
            Looked::Parent(parent) if !node.ends_with_parent() && failing[*parent] => {
                tour.block(id, &[*parent]);
                return tour.settle(id, Fate::Stopped(vec![*parent]));
            }
            Looked::Parent(parent) if !node.ends_with_parent() => {
                tour.trouble(id, format!("it cannot be told: {}", tour.node(*parent).name()), Vec::new());
                return tour.settle(id, Fate::Stopped(vec![id]));
            }
            _ => {}
        }
    }
    match tour.wait_for(dependents).await {
        Fate::Done { .. } => {}
        Fate::Stopped(by) => {
            if tour.book().exists[id] {
                tour.block(id, &by);
            }
            return tour.settle(id, Fate::Stopped(by));
        }
        Fate::Interrupted => return tour.settle(id, Fate::Interrupted),
    }
    if node.watched() {
        return tour.settle(id, gone);
    }
    let mut errand = Errand::new(tour, id);
    errand.doing = Doing::Delete;
    let fate = match looked {
        Looked::No => Fate::Interrupted,
        Looked::Fault(fault) => {
            unreachable(&errand, &fault.to_string());
            gone
        }
        Looked::Parent(parent) => {
            unreachable(&errand, &format!("{} cannot be reached", tour.node(parent).name()));
            gone
        }
        Looked::Saw(Sight::Foreign(why)) => {
            tour.say(id, format!("left alone, it is not ours: {why}"));
            gone
        }
        Looked::Saw(Sight::Absent) | Looked::NoParent if !node.swept() => {
            errand.finished(None);
            gone
        }
        Looked::Saw(_) | Looked::NoParent => match raze(&mut errand).await {
            Ok(()) => {
                tour.book().known.remove(NodeId(id));
                errand.finished(None);
                gone
            }
            Err(Stop::Failed { why, .. }) if node.ends_with_parent() => {
                unreachable(&errand, &why);
                gone
            }
            Err(Stop::Failed { why, evidence }) => {
                tour.trouble(id, why, evidence);
                Fate::Stopped(vec![id])
            }
            Err(Stop::Interrupted) => Fate::Interrupted,
        },
    };
    tour.settle(id, fate);
}

/// It ends with its parent, so that the parent need not wait for it.
fn unreachable<W: Send + Sync + 'static>(errand: &Errand<'_, W>, why: &str) {
    let parents = errand.node.within().into_iter().map(|NodeId(parent)| errand.tour.node(parent).name().as_ref());
    let parents = parents.collect::<Vec<_>>().join(" and ");
    errand.tour.say(errand.id, format!("left to go with {parents}: {why}"));
}

/// What was left to go with its parent has gone with it, or is still there.
fn unreached<W: Send + Sync + 'static>(tour: &Tour<'_, W>) {
    for id in 0..tour.len() {
        let node = tour.node(id);
        if !node.ends_with_parent() {
            continue;
        }
        let mut book = tour.book();
        let parent_left = node.within().into_iter().any(|NodeId(parent)| book.exists[parent] || book.untold[parent]);
        book.exists[id] &= parent_left;
        book.untold[id] &= parent_left;
    }
}

/// Deletes and looks until it is gone.
pub(super) async fn raze<W: Send + Sync + 'static>(errand: &mut Errand<'_, W>) -> Result<(), Stop> {
    let mut asked: Option<Instant> = None;
    loop {
        let (outputs, why, moves): (Vec<Output>, String, bool) = match errand.look().await? {
            Sight::Absent => return Ok(()),
            Sight::Foreign(why) => {
                errand.tour.say(errand.id, format!("left alone, it is not ours: {why}"));
                return Ok(());
            }
            Sight::Changing { why, found: None } => (Vec::new(), why, true),
            Sight::Changing { why, found: Some(found) } => (found.all(), why, true),
            Sight::Present(found) => (found.all(), "still there".to_owned(), false),
            Sight::Broken { output, why, .. } => (vec![output], why, false),
        };
        // Once asked for, it is on its way; only what has not even begun to go is asked again.
        let ask = asked.is_none_or(|asked| !moves && asked.elapsed() >= pace::SETTLE);
        if outputs.is_empty() || !ask {
            errand.wait(&why).await?;
            continue;
        }
        if errand.did.is_none() {
            errand.start(Doing::Delete);
            errand.did = Some(Doing::Delete);
        }
        for output in &outputs {
            match errand.call(Act::Delete(output)).await? {
                Ok(()) | Err(Fault::Unsure(_)) => asked = Some(Instant::now()),
                Err(fault) => {
                    errand.again(fault, true).await?;
                    break;
                }
            }
        }
    }
}
