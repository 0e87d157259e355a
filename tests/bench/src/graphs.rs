//! The engine alone: graphs of many sizes in a cloud that answers at once, so that all the time is ours.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tritondeploy_engine::{
    Change, Cx, Events, Fault, Found, Gate, Given, Graph, Inputs, Node, Observation, Observe, Resource, Timing, Walk,
};

use crate::program::run;

/// Nodes of each graph.
pub(crate) const SIZES: [usize; 3] = [50, 500, 5_000];
/// Walks of each kind; the median is told.
const ROUNDS: usize = 5;

/// What one graph took, in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Took {
    pub(crate) nodes: usize,
    pub(crate) plan: f64,
    pub(crate) up: f64,
    /// An `up` that finds everything as it should be.
    pub(crate) again: f64,
    pub(crate) down: f64,
    /// Of a process that does only this, in bytes.
    #[serde(default)]
    pub(crate) peak: u64,
}

/// Which things are there.
#[derive(Default)]
struct World(Mutex<HashSet<usize>>);

impl World {
    fn there(&self, at: usize) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&at)
    }
}

struct Thing(usize);

#[derive(Serialize)]
struct State {
    name: String,
    made_from: Vec<Given<usize>>,
}

impl Observe for Thing {
    type World = World;
    const KIND: &'static str = "thing";
    type Within = Option<Node<Thing>>;
    type Uses = Vec<Node<Thing>>;
    type State = State;
    type Output = usize;

    fn want(&self, _: &World, _: &<Self::Within as Inputs>::Givens, uses: &Vec<Given<usize>>) -> State {
        State { name: format!("thing-{}", self.0), made_from: uses.clone() }
    }

    async fn observe(&self, cx: &Cx<World>, _: &Option<usize>) -> Result<Observation<Self>, Fault> {
        if !cx.world.there(self.0) {
            return Ok(Observation::Absent);
        }
        let made_from = uses(self.0).into_iter().map(Given::Known).collect();
        Ok(Observation::Present(Found::one(self.0, State { name: format!("thing-{}", self.0), made_from })))
    }
}

impl Resource for Thing {
    async fn create(&self, cx: &Cx<World>, _: &Option<usize>, _: &Vec<usize>) -> Result<(), Fault> {
        cx.world.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.0);
        Ok(())
    }
    async fn update(&self, _: &Cx<World>, _: &Option<usize>, _: &Vec<usize>, _: &usize, _: &[Change]) -> Result<(), Fault> {
        Err(Fault::fatal("nothing differs"))
    }
    async fn delete(&self, cx: &Cx<World>, _: &Option<usize>, found: &usize) -> Result<(), Fault> {
        cx.world.0.lock().unwrap_or_else(PoisonError::into_inner).remove(found);
        Ok(())
    }
}

/// A tree in which each has up to eight children, as a VPC has subnets and a cluster has what runs in it...
fn within(at: usize) -> Option<usize> {
    at.checked_sub(1).map(|before| before / 8)
}

/// ...and two uses from somewhere before, as a node group has: the same ones in every run.
fn uses(at: usize) -> Vec<usize> {
    let mut random = fastrand(at);
    let mut uses: Vec<usize> = (0..2.min(at)).map(|_| random() % at).collect();
    uses.sort_unstable();
    uses.dedup();
    uses
}

/// Numbers that look random and are always the same (an LCG by Knuth).
fn fastrand(seed: usize) -> impl FnMut() -> usize {
    let mut state = seed as u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    }
}

fn graph(nodes: usize) -> Graph<World> {
    let mut graph = Graph::new();
    let mut made: Vec<Node<Thing>> = Vec::new();
    for at in 0..nodes {
        let parent = within(at).map(|parent| made[parent].clone());
        let used = uses(at).into_iter().map(|used| made[used].clone()).collect();
        made.push(graph.add(format!("thing-{at}"), Thing(at), parent, used));
    }
    graph
}

/// In this process: what its parent measures the memory of.
pub(crate) fn here(nodes: usize) -> Result<Took, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|why| why.to_string())?;
    runtime.block_on(async {
        let world = Arc::new(World::default());
        let graph = Arc::new(graph(nodes));
        let walk = || Walk {
            graph: graph.clone(),
            world: world.clone(),
            events: Events::nowhere(),
            cancel: CancellationToken::new(),
            gate: Gate::open(),
            timing: Timing::default(),
        };
        let mut took: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let planned = walk().look().await.nodes.len();
            took[0].push(milliseconds(begun));
            for (up, expected) in [(1, nodes), (2, 0)] {
                let begun = Instant::now();
                let outcome = walk().up().await;
                took[up].push(milliseconds(begun));
                if !outcome.ok() || outcome.changed != expected || planned != nodes {
                    return Err(format!("up of {nodes} nodes changed {}: {:?}", outcome.changed, outcome.failures));
                }
            }
            let begun = Instant::now();
            let outcome = walk().down().await;
            took[3].push(milliseconds(begun));
            if !outcome.ok() || !outcome.exists.is_empty() {
                return Err(format!("down of {nodes} nodes left {}: {:?}", outcome.exists.len(), outcome.failures));
            }
        }
        let [plan, up, again, down] = took.map(crate::figures::median);
        Ok(Took { nodes, plan, up, again, down, peak: 0 })
    })
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

/// In a process of its own, for its memory.
pub(crate) fn apart(nodes: usize) -> Result<Took, String> {
    let here: PathBuf = std::env::current_exe().map_err(|why| why.to_string())?;
    let ran = run(Command::new(here).arg("graph").arg(nodes.to_string()))?;
    let took: Took = serde_json::from_value(ran.json()).map_err(|why| format!("{why}: {}", ran.out))?;
    Ok(Took { peak: ran.peak, ..took })
}
