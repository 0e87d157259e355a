//! The look at everything: what `plan` and `status` show, and how `up` and `down` begin.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{Sighting, Standing, Survey, Walk, errand, pace};
use crate::erased::{AnyNode, Sight};
use crate::graph::NodeId;
use crate::{Change, Cx, Doing, Event, Fault, How, Known, differences};

/// What a first look found out about a node.
#[derive(Clone)]
pub(super) enum Looked {
    /// Seen, or seen to be absent.
    Saw(Sight),
    /// What it is within is not there, so that it is not there either.
    NoParent,
    /// It cannot be told, because its parent (the first one that cannot) cannot.
    Parent(usize),
    /// It cannot be told.
    Fault(Fault),
    /// Nobody wanted to know, or the user stopped.
    No,
}

impl Looked {
    /// It is not known whether something is there.
    pub(super) fn untold(&self) -> bool {
        matches!(self, Self::Parent(_) | Self::Fault(_) | Self::No)
    }

    /// Something is there, in whatever state.
    pub(super) fn there(&self) -> bool {
        matches!(self, Self::Saw(Sight::Present(_) | Sight::Changing { .. } | Sight::Broken { .. }))
    }
}

/// Everything that was looked at.
pub(super) struct View {
    pub(super) looked: Vec<Looked>,
    pub(super) known: Known,
}

/// How to look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// As it is.
    Once,
    /// To bring it to what is wanted: what others leave behind is no matter.
    Up,
    /// To take it away: a parent that is on its way is waited for, since what is within it must be
    /// found; what is only watched is left out, unless something is within it.
    Down,
}

/// Looks at everything, parents first, all else at once.
pub(super) async fn view<W: Send + Sync + 'static>(walk: &Walk<W>, aim: Aim) -> View {
    view_of(walk, aim, &vec![true; walk.graph.nodes.len()]).await
}

/// The same, of what is wanted. What a wanted node is within is wanted too.
async fn view_of<W: Send + Sync + 'static>(walk: &Walk<W>, aim: Aim, wanted: &[bool]) -> View {
    let nodes = &walk.graph.nodes;
    let known = Mutex::new(Known::default());
    let looked: Vec<watch::Sender<Option<Looked>>> = nodes.iter().map(|_| watch::Sender::new(None)).collect();
    let mut parent = vec![false; nodes.len()];
    nodes.iter().flat_map(|node| node.within()).for_each(|NodeId(id)| parent[id] = true);
    let one = |id: usize| {
        let (known, looked, parent) = (&known, &looked, &parent);
        async move {
            let node = nodes[id].as_ref();
            let parents = parents(looked, &node.within()).await;
            let told = match parents {
                _ if walk.cancel.is_cancelled() || !wanted[id] => Looked::No,
                Some(told) => told,
                None if aim == Aim::Down && node.watched() && !parent[id] => Looked::No,
                None if aim == Aim::Up && node.swept() => Looked::No,
                None => {
                    let snapshot = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let settle = aim == Aim::Down && parent[id];
                    tokio::select! {
                        biased;
                        () = walk.cancel.cancelled() => Looked::No,
                        told = tell(walk, node, &snapshot, settle, aim) => told,
                    }
                }
            };
            if let Looked::Saw(Sight::Present(found) | Sight::Changing { found: Some(found), .. }) = &told {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(NodeId(id), found.output.clone());
            }
            if let Looked::Saw(Sight::Broken { output, .. }) = &told {
                known.lock().unwrap_or_else(PoisonError::into_inner).insert(NodeId(id), output.clone());
            }
            looked[id].send_replace(Some(told));
        }
    };
    join_all((0..nodes.len()).map(one)).await;
    View {
        looked: looked.into_iter().map(|told| told.borrow().clone().unwrap_or(Looked::No)).collect(),
        known: known.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

/// What the parents say about a node; None: all of them are there, so look.
async fn parents(looked: &[watch::Sender<Option<Looked>>], within: &[NodeId]) -> Option<Looked> {
    let (mut absent, mut untold) = (false, None);
    for &NodeId(parent) in within {
        let mut told = looked[parent].subscribe();
        let told = told.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        match told {
            Some(Looked::Saw(Sight::Absent | Sight::Foreign(_)) | Looked::NoParent) => absent = true,
            Some(Looked::Saw(Sight::Changing { found: None, .. }) | Looked::Fault(_)) => {
                untold.get_or_insert(Looked::Parent(parent));
            }
            Some(Looked::Parent(cause)) => {
                untold.get_or_insert(Looked::Parent(cause));
            }
            Some(Looked::Saw(_)) => {}
            Some(Looked::No) | None => return Some(Looked::No),
        }
    }
    if absent { Some(Looked::NoParent) } else { untold }
}

/// One node: tried again for a short while where it does not answer.
async fn tell<W: Send + Sync + 'static>(walk: &Walk<W>, node: &dyn AnyNode<W>, known: &Known, settle: bool, aim: Aim) -> Looked {
    let cx = errand::cx(walk, node);
    let patience = node.patience(Doing::Create).max(node.patience(Doing::Delete));
    // What ends with its parent may have lost it already: nobody waits long for it.
    let silence = match aim {
        Aim::Down if !node.ends_with_parent() => node.patience(Doing::Delete),
        Aim::Once | Aim::Up | Aim::Down => pace::SURVEY,
    };
    let (begun, mut failing, mut said) = (Instant::now(), None, String::new());
    loop {
        match errand::look(node, &cx, known).await {
            Some(Ok(Sight::Changing { why, found: None })) if settle && begun.elapsed() < patience => {
                failing = None;
                if why != said {
                    let (node, kind, why) = (node.name().clone(), node.kind(), why.clone());
                    walk.events.send(Event::Waiting { node, kind, doing: Doing::Delete, why });
                }
                said = why;
                sleep(pace::next_look(begun.elapsed())).await;
            }
            Some(Ok(sight)) => return Looked::Saw(sight),
            None => return Looked::NoParent,
            Some(Err(fault @ (Fault::TryAgain(_) | Fault::Unsure(_)))) => {
                let (tries, since) = failing.unwrap_or((0, Instant::now()));
                if since.elapsed() >= silence {
                    return Looked::Fault(fault);
                }
                failing = Some((tries + 1, since));
                sleep(pace::back_off(tries)).await;
            }
            Some(Err(fault)) => return Looked::Fault(fault),
        }
    }
}

/// What differs from what is wanted, as far as it can be told, and how it could be changed.
/// What is never made by us is not compared.
pub(super) fn changes<W>(node: &dyn AnyNode<W>, known: &Known, sight: &Sight) -> Vec<(Change, How)> {
    match sight {
        Sight::Present(_) if node.unwanted() => vec![(Change::removal(), How::InPlace)],
        Sight::Present(found) if !node.watched() && !node.swept() => differences(&node.wanted(known), &found.actual)
            .into_iter()
            .map(|change| (change.clone(), node.how(&change)))
            .collect(),
        _ => Vec::new(),
    }
}

/// What `plan` and `status` show, of what is wanted.
pub(super) async fn show<W: Send + Sync + 'static>(walk: &Walk<W>, wanted: &[bool]) -> Survey {
    let View { looked, known } = view_of(walk, Aim::Once, wanted).await;
    let name = |id: usize| walk.graph.nodes[id].name().clone();
    let one = async |(id, looked): (usize, Looked)| {
        let node = walk.graph.nodes[id].as_ref();
        let mut sighting = Sighting {
            node: node.name().clone(),
            kind: node.kind(),
            watched: node.watched() || node.swept(),
            standing: standing(&looked, name),
            changes: Vec::new(),
            facts: Vec::new(),
            evidence: Vec::new(),
        };
        let Looked::Saw(sight) = looked else { return sighting };
        sighting.changes = changes(node, &known, &sight);
        match &sight {
            Sight::Present(found) | Sight::Changing { found: Some(found), .. } => {
                sighting.facts = node.facts(&found.output);
            }
            _ => {}
        }
        if matches!(sight, Sight::Changing { .. } | Sight::Broken { .. }) {
            sighting.evidence = evidence(node, &errand::cx(walk, node), &known).await;
        }
        sighting
    };
    let mut sightings = join_all(looked.into_iter().enumerate().map(one)).await;
    // What is not wanted and is gone is no matter any more.
    let mut unwanted = walk.graph.nodes.iter().map(|node| node.unwanted());
    sightings.retain(|seen| !(unwanted.next().unwrap_or(false) && seen.standing == Standing::Absent));
    Survey { sightings }
}

async fn evidence<W>(node: &dyn AnyNode<W>, cx: &Cx<W>, known: &Known) -> Vec<String> {
    let limit: Duration = pace::EVIDENCE;
    timeout(limit, node.evidence(cx, known)).await.unwrap_or_default()
}

fn standing(looked: &Looked, name: impl Fn(usize) -> Arc<str>) -> Standing {
    match looked {
        Looked::Saw(Sight::Absent) | Looked::NoParent => Standing::Absent,
        Looked::Saw(Sight::Present(_)) => Standing::Present,
        Looked::Saw(Sight::Foreign(why)) => Standing::Foreign { why: why.clone() },
        Looked::Saw(Sight::Changing { why, .. }) => Standing::Changing { why: why.clone() },
        Looked::Saw(Sight::Broken { why, cure, .. }) => Standing::Broken { why: why.clone(), cure: *cure },
        Looked::Parent(parent) => Standing::Unknown { why: format!("cannot be told: {}", name(*parent)) },
        Looked::Fault(fault) => Standing::Unknown { why: fault.to_string() },
        Looked::No => Standing::Unknown { why: "not looked at".to_owned() },
    }
}
