//! The last part of `up`: when all that is wanted stands, the twins go that the user was shown, and all that is in them.
//!
//! It is told again at that moment what is a twin: what serves now stays, whatever was shown.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::Report;
use super::down::{Doomed, delete_inside, delete_until_gone, twin_ended};
use super::look::look_at;
use super::run::{Completion, Run};
use super::snapshot::Snapshot;
use super::task::{NodeTask, Stop, Twinned};
use super::tree::{self, Tree};
use crate::inputs::Output;
use crate::{Event, Graph};

/// What the user was shown: nodes, and what the service calls their twins.
pub(super) struct Shown(HashSet<(Arc<str>, String)>);

impl Shown {
    /// By this report.
    pub(super) fn by(report: &Report) -> Self {
        let of = |(node, id): (&Arc<str>, &Option<String>)| Some((node.clone(), id.clone()?));
        let twins = report.nodes.iter().flat_map(|seen| seen.twins.iter().map(move |twin| (&seen.node, &twin.id)));
        Self(twins.filter_map(of).collect())
    }

    /// By the walk's own first look.
    pub(super) fn at_first<W: Send + Sync + 'static>(graph: &Graph<W>, seen: &Snapshot) -> Self {
        let twins =
            graph.nodes.iter().zip(&seen.looked).flat_map(|(node, looked)| {
                looked.twins().iter().filter_map(move |twin| Some((node.name().clone(), node.id(twin)?)))
            });
        Self(twins.collect())
    }
}

/// Deletes them, the last made first. Nothing goes where something that is wanted does not stand.
pub(super) async fn destroy<W: Send + Sync + 'static>(run: &Run<'_, W>, shown: &Shown) {
    if !run.stands() {
        return;
    }
    let doomed = match find(run, shown).await {
        Ok(doomed) => doomed,
        Err(Interrupted) => return run.state().deleting.interrupted = true,
    };
    let roots = doomed.iter().flat_map(|(id, twins)| twins.iter().map(|(_, twin)| (*id, twin.clone()))).collect();
    let trees = tree::grow(&run.walk.graph, roots, &run.known(), |id, known| look_at(run.walk, id, known)).await;
    run.note_trees(&trees);
    let dependents = run.dependents();
    // Why what each node's deletion waits for is not gone.
    let mut left: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); run.len()];
    for id in (0..run.len()).rev() {
        left[id] = dependents[id].iter().flat_map(|&dependent| left[dependent].clone()).collect();
        let twins = doomed.get(&id).map(Vec::as_slice).unwrap_or_default();
        if !left[id].is_empty() {
            block(run, id, twins, &trees, &left[id]);
            continue;
        }
        for completion in [delete_inside(run, &trees, id, true).await, destroy_own(run, id, twins).await] {
            match completion {
                Completion::Done { .. } => {}
                Completion::Stopped(by) => left[id].extend(by),
                Completion::Interrupted => return run.state().deleting.interrupted = true,
            }
        }
    }
}

/// The user stopped it.
struct Interrupted;

/// For each node the twins that go, with what the service calls them: they were shown, and are twins now.
type Found = BTreeMap<usize, Vec<(String, Output)>>;

async fn find<W: Send + Sync + 'static>(run: &Run<'_, W>, shown: &Shown) -> Result<Found, Interrupted> {
    let suspects: Vec<usize> = {
        let state = run.state();
        (0..run.len()).filter(|&id| !state.twins[id].is_empty() || state.lost[id]).collect()
    };
    let mut doomed = Found::new();
    for id in suspects.into_iter().filter(|&id| !run.node(id).made_by_others()) {
        let mut task = NodeTask::of_twin(run, id, run.node(id).name().clone(), Twinned::Own);
        let sight = match task.look().await {
            Ok(sight) => sight,
            Err(Stop::Interrupted) => return Err(Interrupted),
            Err(Stop::Failed(reason)) => {
                run.twin_failure(id, task.node.name(), reason);
                continue;
            }
        };
        let is_kept = task.kept(&sight);
        for twin in sight.twins() {
            match task.node.id(twin) {
                Some(name) if is_kept && shown.0.contains(&(task.node.name().clone(), name.clone())) => {
                    doomed.entry(id).or_default().push((name, twin.clone()));
                }
                _ => {
                    let called = run.twin(id, twin);
                    let why =
                        if is_kept { "it was not in the plan that was shown" } else { "another one is kept now than before" };
                    task.say(format!("{called} is left, a twin: {why}; run `up` again"));
                    run.state().deleting.unshown.push(called);
                }
            }
        }
    }
    Ok(doomed)
}

/// The node's own twins.
async fn destroy_own<W: Send + Sync + 'static>(run: &Run<'_, W>, id: usize, twins: &[(String, Output)]) -> Completion {
    if twins.is_empty() {
        return Completion::Done { acted: false };
    }
    let ids: BTreeSet<String> = twins.iter().map(|(id, _)| id.clone()).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let called: Arc<str> = format!("{} ({})", run.node(id).name(), names.join(", ")).into();
    let mut task = NodeTask::of_twin(run, id, called.clone(), Twinned::Own);
    let ended = delete_until_gone(&mut task, Doomed::Twins(&ids)).await;
    twin_ended(&task, &called, ended)
}

/// What is not tried, since something is still there that hangs from it.
fn block<W: Send + Sync + 'static>(
    run: &Run<'_, W>,
    id: usize,
    twins: &[(String, Output)],
    trees: &[Tree],
    by: &BTreeSet<usize>,
) {
    let inside = trees.iter().filter(|tree| tree.held.iter().any(|(held, _)| *held == id));
    let inside = inside.map(|tree| tree.called(&run.walk.graph, id));
    let called: Vec<Arc<str>> = twins.iter().map(|(_, twin)| run.twin(id, twin)).chain(inside).collect();
    let by: Vec<Arc<str>> = by.iter().map(|&id| run.node(id).name().clone()).collect();
    for node in called {
        let kind = run.node(id).kind();
        run.walk.events.send(Event::Blocked { node: node.clone(), kind, by: by.clone() });
        run.state().deleting.blocked.push(node);
    }
}
