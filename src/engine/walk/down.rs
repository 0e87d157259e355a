//! `down`: everything is taken away, the last made first.

use futures::future::join_all;
use tokio::time::Instant;

use super::look::{Aim, view};
use super::run::{Completion, Reason, Run};
use super::snapshot::Lookup;
use super::task::{Act, NodeTask, Stop};
use super::{Outcome, Walk, timing};
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
    let dependents = run.dependents();
    let nodes = seen.looked.into_iter().zip(&dependents).enumerate();
    join_all(nodes.map(|(id, (looked, dependents))| take(run, id, looked, dependents, &failing))).await;
}

/// One node, from the last of its dependents to its fate.
async fn take<W: Send + Sync + 'static>(run: &Run<'_, W>, id: usize, looked: Lookup, dependents: &[usize], failing: &[bool]) {
    let node = run.node(id);
    let gone = Completion::Done { acted: false };
    if !run.passes_by(id) {
        // What cannot be told is decided at once, so that its parent need not wait for it, nor it for its parent.
        match &looked {
            Lookup::Fault(fault) if !node.ends_with_parent() => {
                let why = format!("it cannot be told whether it is there: {}", fault.cause());
                run.failure(id, Reason { why, ..Reason::of(fault) });
                return run.settle(id, Completion::Stopped(vec![id]));
            }
            Lookup::Parent(parent) if !node.ends_with_parent() && failing[*parent] => {
                run.block(id, &[*parent]);
                return run.settle(id, Completion::Stopped(vec![*parent]));
            }
            Lookup::Parent(parent) if !node.ends_with_parent() => {
                run.failure(id, format!("it cannot be told: {}", run.node(*parent).name()).into());
                return run.settle(id, Completion::Stopped(vec![id]));
            }
            _ => {}
        }
    }
    match run.wait_for(dependents).await {
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
    task.doing = Action::Delete;
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
        Lookup::Saw(_) | Lookup::NoParent => match delete_until_gone(&mut task).await {
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
    run.settle(id, completion);
}

/// It ends with its parent, so that the parent need not wait for it.
fn unreachable<W: Send + Sync + 'static>(task: &NodeTask<'_, W>, why: &str) {
    let parents = task.node.within().into_iter().map(|NodeId(parent)| task.run.node(parent).name().as_ref());
    let parents = parents.collect::<Vec<_>>().join(" and ");
    task.run.say(task.id, format!("left to go with {parents}: {why}"));
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

/// Deletes and looks until it is gone.
pub(super) async fn delete_until_gone<W: Send + Sync + 'static>(task: &mut NodeTask<'_, W>) -> Result<(), Stop> {
    let (mut asked, mut times): (Option<Instant>, u32) = (None, 0);
    loop {
        let mut is_broken = false;
        let (outputs, why, moves): (Vec<Output>, String, bool) = match task.look().await? {
            AnyObservation::Absent => return Ok(()),
            AnyObservation::Foreign(why) => {
                task.run.say(task.id, format!("left alone, it is not ours: {why}"));
                return Ok(());
            }
            AnyObservation::Changing { why, found: None } => (Vec::new(), why, true),
            AnyObservation::Changing { why, found: Some(found) } => (found.all(), why, true),
            AnyObservation::Present(found) => (found.all(), "still there".to_owned(), false),
            AnyObservation::Broken { output, why, .. } => {
                is_broken = true;
                (vec![output], why, false)
            }
        };
        // Once asked for, it is on its way; only what has not even begun to go is asked again.
        let ask = asked.is_none_or(|asked| !moves && asked.elapsed() >= timing::SETTLE);
        if ask && is_broken && times >= timing::ASKED {
            return Err(task.failed(format!("its deletion was accepted {times} times and failed each time: {why}")).await);
        }
        if outputs.is_empty() || !ask || times >= timing::ASKED {
            task.wait(&why).await?;
            continue;
        }
        if task.did.is_none() {
            task.start(Action::Delete);
            task.did = Some(Action::Delete);
        }
        let mut is_first = true;
        for output in &outputs {
            match task.call(Act::Delete(output)).await? {
                Err(fault) if fault.kind != FaultKind::Unsure => {
                    task.retry_or_fail(fault, true).await?;
                    break;
                }
                Ok(()) | Err(_) => {
                    asked = Some(Instant::now());
                    times += u32::from(std::mem::take(&mut is_first));
                }
            }
        }
    }
}
