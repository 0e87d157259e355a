//! `down`: everything is taken away, the last made first.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use tokio::time::Instant;

use super::look::{Aim, look_at, view};
use super::run::{Completion, Reason, Run};
use super::snapshot::Lookup;
use super::task::{Act, NodeTask, Stop, Twinned};
use super::tree::{self, Tree};
use super::{Outcome, Walk};
use crate::erased::AnyObservation;
use crate::id::NodeId;
use crate::inputs::Output;
use crate::{Action, FaultKind};

pub(super) async fn down<W: Send + Sync + 'static>(walk: &Walk<W>) -> Outcome {
    let run = Run::begin(walk, "down");
    run.run(destroy_all(&run)).await;
    unreached(&run);
    run.end()
}

async fn destroy_all<W: Send + Sync + 'static>(run: &Run<'_, W>) {
    let seen = view(run.walk, Aim::Down).await;
    run.note(&seen);
    let mut failing = Vec::new();
    for (id, looked) in seen.looked.iter().enumerate() {
        let node = run.node(id);
        failing.push(matches!(looked, Lookup::Fault(_)) && !run.passes_by(id) && !node.ends_with_parent());
    }
    let twins = seen.looked.iter().enumerate().flat_map(|(id, looked)| looked.twins().iter().map(move |twin| (id, twin.clone())));
    let trees = tree::grow(&run.walk.graph, twins.collect(), &seen.known, |id, known| look_at(run.walk, id, known)).await;
    run.note_trees(&trees);
    let dependents = run.dependents();
    let nodes = seen.looked.into_iter().zip(&dependents).enumerate();
    join_all(nodes.map(|(id, (looked, dependents))| take(run, id, looked, (dependents, &trees), &failing))).await;
}

/// One node, from the last of its dependents to its fate.
async fn take<W: Send + Sync + 'static>(
    run: &Run<'_, W>,
    id: usize,
    looked: Lookup,
    (dependents, trees): (&[usize], &[Tree]),
    failing: &[bool],
) {
    let node = run.node(id);
    let gone = Completion::Done { acted: false };
    if !run.passes_by(id) {
        // An unknown child does not block its parent, nor the other way round.
        match &looked {
            Lookup::Fault(fault) if !node.ends_with_parent() => {
                let why = format!("whether it exists could not be read: {}", fault.cause());
                run.failure(id, Reason { why, ..Reason::of(fault) });
                return run.settle(id, Completion::Stopped(vec![id]));
            }
            Lookup::Parent(parent) if !node.ends_with_parent() && failing[*parent] => {
                run.block(id, &[*parent]);
                return run.settle(id, Completion::Stopped(vec![*parent]));
            }
            Lookup::Parent(parent) if !node.ends_with_parent() => {
                run.failure(id, format!("its state is unknown, since that of {} is", run.node(*parent).name()).into());
                return run.settle(id, Completion::Stopped(vec![id]));
            }
            _ => {}
        }
    }
    match run.turn(id, dependents).await {
        Completion::Done { .. } => {}
        Completion::Stopped(by) => {
            if run.state().exists[id] {
                run.block(id, &by);
            }
            return run.settle(id, Completion::Stopped(by));
        }
        Completion::Interrupted => return run.settle(id, Completion::Interrupted),
    }
    if run.passes_by(id) {
        return run.settle(id, gone);
    }
    let mut task = NodeTask::new(run, id);
    task.action = Action::Delete;
    let completion = match looked {
        Lookup::No => Completion::Interrupted,
        Lookup::Fault(fault) => {
            unreachable(&task, &fault.to_string());
            gone
        }
        Lookup::Parent(parent) => {
            unreachable(&task, &format!("{} cannot be reached", run.node(parent).name()));
            gone
        }
        Lookup::Saw(AnyObservation::Foreign(why)) => {
            run.say(id, format!("left alone, it is not ours: {why}"));
            gone
        }
        Lookup::Saw(AnyObservation::Absent) | Lookup::NoParent if !node.swept() => {
            task.finished(None);
            gone
        }
        Lookup::Saw(_) | Lookup::NoParent => match delete_until_gone(&mut task, Doomed::All).await {
            Ok(()) => {
                run.state().known.remove(NodeId(id));
                task.finished(None);
                gone
            }
            Err(Stop::Failed(reason)) if node.ends_with_parent() => {
                unreachable(&task, &reason.why);
                gone
            }
            Err(Stop::Failed(reason)) => {
                run.failure(id, reason);
                Completion::Stopped(vec![id])
            }
            Err(Stop::Interrupted) => Completion::Interrupted,
        },
    };
    let completion = match completion {
        Completion::Interrupted => completion,
        completion => worse(completion, delete_inside(run, trees, id, false).await),
    };
    run.settle(id, completion);
}

/// It ends with its parent, so that the parent need not wait for it.
fn unreachable<W: Send + Sync + 'static>(task: &NodeTask<'_, W>, why: &str) {
    let parents = task.node.within().into_iter().map(|NodeId(parent)| task.run.node(parent).name().as_ref());
    let parents = parents.collect::<Vec<_>>().join(" and ");
    task.say(format!("left to go with {parents}: {why}"));
}

/// What was left to go with its parent has gone with it, or is still there.
fn unreached<W: Send + Sync + 'static>(run: &Run<'_, W>) {
    for id in 0..run.len() {
        let node = run.node(id);
        if !node.ends_with_parent() {
            continue;
        }
        let mut state = run.state();
        let parent_left = node.within().into_iter().any(|NodeId(parent)| state.exists[parent] || state.unknown[parent]);
        state.exists[id] &= parent_left;
        state.unknown[id] &= parent_left;
    }
}

/// Deletes what is in twins of what this node is within.
pub(super) async fn delete_inside<W: Send + Sync + 'static>(
    run: &Run<'_, W>,
    trees: &[Tree],
    id: usize,
    asked: bool,
) -> Completion {
    let one = async |tree: &Tree| {
        let called = tree.called(&run.walk.graph, id);
        let root = tree.root.1.clone().filter(|_| asked).map(|twin| (tree.root.0, twin));
        let mut task = NodeTask::of_twin(run, id, called.clone(), Twinned::Within(root));
        task.known = tree.known.clone();
        let ended = match delete_until_gone(&mut task, Doomed::All).await {
            Err(Stop::Failed(reason)) if task.node.ends_with_parent() => {
                unreachable(&task, &reason.why);
                Ok(())
            }
            ended => ended,
        };
        twin_ended(&task, &called, ended)
    };
    let mine = trees.iter().filter(|tree| tree.inside.contains(&id));
    join_all(mine.map(one)).await.into_iter().fold(Completion::Done { acted: false }, worse)
}

/// What came of a twin, or of what is in one.
pub(super) fn twin_ended<W: Send + Sync + 'static>(
    task: &NodeTask<'_, W>,
    called: &Arc<str>,
    ended: Result<(), Stop>,
) -> Completion {
    match ended {
        Ok(()) => {
            task.run.state().deleting.exists.remove(called);
            if task.did.is_some() {
                task.finished(None);
            }
            Completion::Done { acted: task.did.is_some() }
        }
        Err(Stop::Failed(reason)) => {
            task.run.twin_failure(task.id, called, reason);
            Completion::Stopped(vec![task.id])
        }
        Err(Stop::Interrupted) => Completion::Interrupted,
    }
}

/// The one of both that says more against going on.
fn worse(one: Completion, other: Completion) -> Completion {
    let rank = |completion: &Completion| match completion {
        Completion::Done { acted: false } => 0,
        Completion::Done { acted: true } => 1,
        Completion::Interrupted => 2,
        Completion::Stopped(_) => 3,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// What of a node goes.
#[derive(Clone, Copy)]
pub(super) enum Doomed<'a> {
    /// It and its twins.
    All,
    /// Its twins of these ids, while it stays.
    Twins(&'a BTreeSet<String>),
}

/// What is still there of it.
struct Left {
    outputs: Vec<Output>,
    why: String,
    /// It is on its way, which may be the way out.
    moves: bool,
    is_broken: bool,
}

impl Doomed<'_> {
    /// None: nothing is left of it that is ours.
    fn left<W: Send + Sync + 'static>(self, task: &NodeTask<'_, W>, sight: AnyObservation) -> Option<Left> {
        let still = |outputs| Left { outputs, why: "still there".to_owned(), moves: false, is_broken: false };
        let waits = |outputs, why| Left { outputs, why, moves: true, is_broken: false };
        match (self, sight) {
            (_, AnyObservation::Absent) => None,
            (_, AnyObservation::Foreign(why)) => {
                task.say(format!("left alone, it is not ours: {why}"));
                None
            }
            (_, AnyObservation::Changing { why, found: None }) => Some(waits(Vec::new(), why)),
            (Self::All, AnyObservation::Changing { why, found: Some(found) }) => Some(waits(found.all(), why)),
            (Self::All, AnyObservation::Present(found)) => Some(still(found.all())),
            (Self::All, AnyObservation::Elsewhere(twins)) => Some(still(twins)),
            (Self::All, AnyObservation::Broken { output, why, .. }) => {
                Some(Left { outputs: vec![output], why, moves: false, is_broken: true })
            }
            (Self::Twins(_), AnyObservation::Broken { why, .. }) => {
                Some(waits(Vec::new(), format!("the one that is kept is broken: {why}")))
            }
            (Self::Twins(ids), sight) => {
                let doomed = |twin: &&Output| task.node.id(twin).is_some_and(|id| ids.contains(&id));
                let twins: Vec<Output> = sight.twins().iter().filter(doomed).cloned().collect();
                (!twins.is_empty()).then(|| still(twins))
            }
        }
    }
}

/// Deletes and looks until it is gone.
pub(super) async fn delete_until_gone<W: Send + Sync + 'static>(
    task: &mut NodeTask<'_, W>,
    doomed: Doomed<'_>,
) -> Result<(), Stop> {
    let (mut asked, mut times): (Option<Instant>, u32) = (None, 0);
    loop {
        let sight = task.look().await?;
        let Some(Left { outputs, why, moves, is_broken }) = doomed.left(task, sight) else { return Ok(()) };
        // Once asked for, it is on its way; only what has not even begun to go is asked again.
        let ask = asked.is_none_or(|asked| !moves && asked.elapsed() >= task.timing().settle);
        if ask && is_broken && times >= task.timing().asked {
            return Err(task.failed(format!("its deletion was accepted {times} times and failed each time: {why}")).await);
        }
        if outputs.is_empty() || !ask || times >= task.timing().asked {
            task.wait(&why).await?;
            continue;
        }
        if !task.may_go().await? {
            task.say("left alone: what it is in is the one that is kept now".to_owned());
            return Ok(());
        }
        if task.did.is_none() {
            task.start(Action::Delete);
            task.did = Some(Action::Delete);
        }
        let mut accepted = false;
        for output in &outputs {
            match task.call(Act::Delete(output)).await? {
                Err(fault) if fault.kind != FaultKind::Unsure => {
                    task.retry_or_fail(fault, true).await?;
                    break;
                }
                // One without an answer may not have been: it does not count, and only patience ends it.
                answer => {
                    asked = Some(Instant::now());
                    accepted |= answer.is_ok();
                    task.last_fault = answer.err().or(task.last_fault.take());
                }
            }
        }
        times += u32::from(accepted);
    }
}
