//! The look at everything: what `plan` and `status` show, and how `up` and `down` begin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::refusal::{Refusal, refusals};
use super::snapshot::{Lookup, Snapshot, changes};
use super::{NodeReport, Report, Status, Twin, Walk, probe, tree};
use crate::erased::{AnyNode, AnyObservation};
use crate::id::NodeId;
use crate::{Action, Cx, Event, Known, Removal};

/// How to look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// As it is.
    Once,
    /// To bring it to what is wanted: what others leave behind is no matter.
    Up,
    /// To take it away: a parent that is on its way is waited for, since what is within it must be
    /// found; what others make is left out, unless something is within it.
    Down,
}

/// Looks at everything, parents first, all else at once.
pub(super) async fn view<W: Send + Sync + 'static>(walk: &Walk<W>, aim: Aim) -> Snapshot {
    view_of(walk, aim, &vec![true; walk.graph.nodes.len()]).await
}

/// The same, of what is wanted. What a wanted node is within is wanted too.
async fn view_of<W: Send + Sync + 'static>(walk: &Walk<W>, aim: Aim, wanted: &[bool]) -> Snapshot {
    let nodes = &walk.graph.nodes;
    let known = Mutex::new(Known::default());
    let looked: Vec<watch::Sender<Option<Lookup>>> = nodes.iter().map(|_| watch::Sender::new(None)).collect();
    let spared = walk.graph.spared();
    let parent = parents_of_acted(nodes, &spared);
    let one = |id: usize| {
        let (known, looked, parent, spared) = (&known, &looked, &parent, &spared);
        async move {
            let node = nodes[id].as_ref();
            let parents = parents(looked, &node.within()).await;
            for NodeId(before) in node.beside() {
                drop(looked[before].subscribe().wait_for(Option::is_some).await);
            }
            let told = match parents {
                _ if walk.cancel.is_cancelled() || !wanted[id] => Lookup::No,
                Some(told) => told,
                None if aim == Aim::Down && node.made_by_others() && !parent[id] => Lookup::No,
                None if aim == Aim::Down && spared[id] => Lookup::No,
                None if aim == Aim::Up && (node.swept() || node.removal() == Some(Removal::Never)) => Lookup::No,
                None => {
                    let needs = node.within().into_iter().chain(node.beside());
                    let snapshot = known.lock().unwrap_or_else(PoisonError::into_inner).of(needs);
                    let settle = aim == Aim::Down && parent[id];
                    tokio::select! {
                        biased;
                        () = walk.cancel.cancelled() => Lookup::No,
                        told = tell(walk, node, &snapshot, settle, aim) => told,
                    }
                }
            };
            if let Lookup::Saw(AnyObservation::Present(found) | AnyObservation::Changing { found: Some(found), .. }) = &told {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(NodeId(id), found.output.clone());
            }
            if let Lookup::Saw(AnyObservation::Broken { output, .. }) = &told {
                known.lock().unwrap_or_else(PoisonError::into_inner).insert(NodeId(id), output.clone());
            }
            looked[id].send_replace(Some(told));
        }
    };
    join_all((0..nodes.len()).map(one)).await;
    Snapshot {
        looked: looked.into_iter().map(|told| told.borrow().clone().unwrap_or(Lookup::No)).collect(),
        known: known.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

/// Whether `down` acts on something within a node. What is only watched in it, as the proof in the balancer, is no reason to
/// look at it, or to wait until it has settled.
fn parents_of_acted<W>(nodes: &[Box<dyn AnyNode<W>>], spared: &[bool]) -> Vec<bool> {
    let mut parent = vec![false; nodes.len()];
    // What is within another one was added after it.
    for (id, node) in nodes.iter().enumerate().rev() {
        if parent[id] || !(node.made_by_others() || spared[id]) {
            node.within().into_iter().for_each(|NodeId(within)| parent[within] = true);
        }
    }
    parent
}

/// What the parents say about a node; None: all of them are there, so look.
async fn parents(looked: &[watch::Sender<Option<Lookup>>], within: &[NodeId]) -> Option<Lookup> {
    let (mut absent, mut unknown) = (false, None);
    for &NodeId(parent) in within {
        let mut told = looked[parent].subscribe();
        let told = told.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        match told {
            Some(
                Lookup::Saw(AnyObservation::Absent | AnyObservation::Elsewhere(_) | AnyObservation::Foreign(_))
                | Lookup::NoParent,
            ) => absent = true,
            Some(Lookup::Saw(AnyObservation::Changing { found: None, .. }) | Lookup::Fault(_)) => {
                unknown.get_or_insert(Lookup::Parent(parent));
            }
            Some(Lookup::Parent(cause)) => {
                unknown.get_or_insert(Lookup::Parent(cause));
            }
            Some(Lookup::Saw(_)) => {}
            Some(Lookup::No) | None => return Some(Lookup::No),
        }
    }
    if absent { Some(Lookup::NoParent) } else { unknown }
}

/// One node: tried again for a short while where it does not answer.
async fn tell<W: Send + Sync + 'static>(walk: &Walk<W>, node: &dyn AnyNode<W>, known: &Known, settle: bool, aim: Aim) -> Lookup {
    let cx = probe::cx(walk, node);
    let patience = |action| walk.timing.patience(node, action);
    let longest = patience(Action::Create).max(patience(Action::Delete));
    // What ends with its parent may have lost it already: nobody waits long for it.
    let silence = match aim {
        Aim::Down if !node.ends_with_parent() => patience(Action::Delete),
        Aim::Once | Aim::Up | Aim::Down => walk.timing.survey,
    };
    let (begun, mut failing, mut said) = (Instant::now(), None, String::new());
    loop {
        match probe::look(walk.timing.look, node, &cx, known).await {
            Some(Ok(AnyObservation::Changing { why, found: None })) if settle && begun.elapsed() < longest => {
                failing = None;
                if why != said {
                    let (node, kind, why) = (node.name().clone(), node.kind(), why.clone());
                    walk.events.send(Event::Waiting { node, kind, action: Action::Delete, why });
                }
                said = why;
                sleep(walk.timing.next_look(begun.elapsed())).await;
            }
            Some(Ok(sight)) => return Lookup::Saw(sight),
            None => return Lookup::NoParent,
            Some(Err(fault)) if fault.may_pass() => {
                let (tries, since) = failing.unwrap_or((0, Instant::now()));
                if since.elapsed() >= silence {
                    return Lookup::Fault(fault);
                }
                failing = Some((tries + 1, since));
                let wait = walk.timing.back_off(tries);
                let (node, kind, why) = (node.name().clone(), node.kind(), fault.to_string());
                walk.events.send(Event::Retrying { node, kind, why, wait });
                sleep(wait).await;
            }
            Some(Err(fault)) => return Lookup::Fault(fault),
        }
    }
}

/// What `plan` and `status` show, of what is wanted, and what that was told from.
pub(super) async fn show<W: Send + Sync + 'static>(walk: &Walk<W>, wanted: &[bool]) -> (Report, Snapshot) {
    let snapshot = view_of(walk, Aim::Once, wanted).await;
    let refused: HashMap<usize, Refusal> = refusals(walk, &snapshot).into_iter().collect();
    let Snapshot { looked, known } = &snapshot;
    let spared = walk.graph.spared();
    let name = |id: usize| walk.graph.nodes[id].name().clone();
    let one = async |(id, looked): (usize, &Lookup)| {
        let node = walk.graph.nodes[id].as_ref();
        let mut report = NodeReport {
            node: node.name().clone(),
            kind: node.kind(),
            watched: node.made_by_others() || node.swept(),
            status: status(looked, name),
            changes: Vec::new(),
            unwanted: node.unwanted().cloned(),
            spared: spared[id],
            next: refused.get(&id).and_then(|refusal| refusal.next.clone()),
            refused: refused.get(&id).map(|refusal| refusal.why.clone()),
            twins: Vec::new(),
            facts: Vec::new(),
            evidence: Vec::new(),
        };
        let Lookup::Saw(sight) = looked else { return report };
        report.changes = changes(node, &walk.world, known, sight);
        match sight {
            AnyObservation::Present(found) | AnyObservation::Changing { found: Some(found), .. } => {
                report.facts = node.facts(&found.output);
            }
            _ => {}
        }
        report.twins = twins(walk, id, sight, known).await;
        if let AnyObservation::Present(found) = sight {
            report.evidence.clone_from(&found.ails);
        }
        if matches!(sight, AnyObservation::Changing { .. } | AnyObservation::Broken { .. }) {
            report.evidence = evidence(walk.timing.evidence, node, &probe::cx(walk, node), known).await;
        }
        report
    };
    let mut nodes = join_all(looked.iter().enumerate().map(one)).await;
    // What is not wanted, and is gone or not ours, is no matter any more.
    let is_matter = |seen: &NodeReport| !matches!(seen.status, Status::Absent | Status::Foreign { .. });
    nodes.retain(|seen| seen.unwanted.is_none() || is_matter(seen));
    (Report { nodes }, snapshot)
}

/// The twins of a node, with what is in them.
async fn twins<W: Send + Sync + 'static>(walk: &Walk<W>, id: usize, sight: &AnyObservation, known: &Known) -> Vec<Twin> {
    let (graph, node) = (&*walk.graph, walk.graph.nodes[id].as_ref());
    let kept = match sight {
        AnyObservation::Present(found) | AnyObservation::Changing { found: Some(found), .. } => node.id(&found.output),
        _ => None,
    };
    let mut twins = Vec::new();
    for twin in sight.twins() {
        let trees = tree::grow(graph, vec![(id, twin.clone())], known, |id, known| look_at(walk, id, known)).await;
        twins.push(Twin { id: node.id(twin), kept: kept.clone(), facts: node.facts(twin), holds: tree::held(graph, &trees) });
    }
    twins
}

/// One node as it is, by what is known.
pub(super) fn look_at<W: Send + Sync + 'static>(walk: &Walk<W>, id: usize, known: Known) -> BoxFuture<'_, Lookup> {
    async move {
        tokio::select! {
            biased;
            () = walk.cancel.cancelled() => Lookup::No,
            told = tell(walk, walk.graph.nodes[id].as_ref(), &known, false, Aim::Once) => told,
        }
    }
    .boxed()
}

async fn evidence<W>(limit: Duration, node: &dyn AnyNode<W>, cx: &Cx<W>, known: &Known) -> Vec<String> {
    timeout(limit, node.evidence(cx, known)).await.unwrap_or_default()
}

fn status(looked: &Lookup, name: impl Fn(usize) -> Arc<str>) -> Status {
    match looked {
        Lookup::Saw(AnyObservation::Absent | AnyObservation::Elsewhere(_)) | Lookup::NoParent => Status::Absent,
        Lookup::Saw(AnyObservation::Present(_)) => Status::Present,
        Lookup::Saw(AnyObservation::Foreign(why)) => Status::Foreign { why: why.clone() },
        Lookup::Saw(AnyObservation::Changing { why, .. }) => Status::Changing { why: why.clone() },
        Lookup::Saw(AnyObservation::Broken { why, remedy, .. }) => Status::Broken { why: why.clone(), remedy: *remedy },
        Lookup::Parent(parent) => Status::unknown(format!("it depends on {}", name(*parent))),
        Lookup::Fault(fault) => Status::Unknown { why: fault.cause(), origin: fault.origin.clone() },
        Lookup::No => Status::unknown("not looked at"),
    }
}
