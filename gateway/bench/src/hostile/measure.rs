//! One row: an attack on a fresh gateway, and beside it a polite client, health probes and a look at the memory.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use super::attack;
use super::bars::{self, Bar};
use super::cgroup::{Group, Limit};
use super::delivered::Delivered;
use super::health::{self, Probes};
use super::memory::Memory;
use super::peer;
use super::polite::{Asked, Polite};
use super::rows::Row;
use crate::failure::{Doing, Failure};
use crate::world::{BUCKET, Process, World};

/// The pod's limit for the gateway's container (templates/deployment.yaml).
pub(super) const MEMORY: u64 = 3 << 30;

/// The attacker's share of one processor. It must be the gateway that is measured, not the attacker's own use of the cores.
pub(super) const ATTACKER: f64 = 0.5;

/// The interval at which memory is sampled.
const LOOK: Duration = Duration::from_millis(25);

/// Answers to the polite client before the first sample of the memory, so that buffers and pools are allocated by then.
const WARM_UP: usize = 20;

/// While the polite client has too few answers, an attack is extended up to this multiple of its length.
const EXTENDED: f64 = 3.0;

/// Timeouts: the attacker prepares its messages on its limited share of a processor; and it ends.
const PREPARATION: Duration = Duration::from_secs(60);
const ENDING: Duration = Duration::from_secs(10);

/// How long, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seconds: f64,
    pub(super) answers: usize,
    pub(super) rest: f64,
    pub(super) seed: u64,
}

/// What a row found.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) row: &'static str,
    pub(super) title: &'static str,
    /// What the gateway said last, if it has ended.
    pub(super) died: Option<String>,
    /// Triton's crashes: release 2.51 has them now and then when requests are cancelled (see soak.rs), and the polite client
    /// then has errors that are not the gateway's.
    pub(super) triton_crashes: u32,
    pub(super) delivered: Delivered,
    pub(super) memory: Memory,
    pub(super) polite: Told,
    pub(super) health: Told,
    /// The same on the port of the WebSockets, where health has a port of its own.
    pub(super) main_port: Told,
    pub(super) bars: Vec<Bar>,
}

/// What a client met: latencies in ms.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Told {
    pub(super) answers: usize,
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) most: Option<f64>,
    pub(super) errors: std::collections::BTreeMap<String, u64>,
}

/// Both groups; without them, why. They must outlive the processes in them: a group with one cannot be removed.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(super) attacker: Result<Group, Failure>,
    pub(super) gateway: Result<Group, Failure>,
}

impl Groups {
    pub(crate) fn new() -> Self {
        Self { attacker: Group::new(Limit::Processor(ATTACKER)), gateway: Group::new(Limit::Memory(MEMORY)) }
    }

    /// A fresh gateway, in its group.
    pub(super) async fn gateway(&self, world: &mut World, config: &str) -> Result<(), Failure> {
        world.gateway(config).await?;
        self.gateway.as_ref().map_or(Ok(()), |group| group.add(world.gateway_pid()))
    }
}

impl Told {
    pub(super) fn of_asked(asked: &Asked) -> Self {
        let at = |share| asked.quantile(share);
        let (answers, errors) = (asked.answers(), asked.errors());
        Self { answers, p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1.0), errors }
    }

    fn of_probes(probes: &Probes) -> Self {
        let at = |share| probes.quantile(share);
        let (asked, failed) = probes.count();
        let errors = (failed > 0).then(|| ("failed".to_owned(), failed)).into_iter().collect();
        let answers = asked - failed as usize;
        Self { answers, p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1.0), errors }
    }
}

/// Attacks, and measures.
pub(super) async fn row(
    world: &mut World,
    row: &'static Row,
    plan: Plan,
    groups: &Groups,
    polite: &Polite,
    alone: &Told,
) -> Result<Outcome, Failure> {
    polite.ask_alone(WARM_UP).await?;
    let mut memory = Memory::of(world.gateway_pid())?;
    let mut attacker = start(world, row, plan, groups)?;
    begun(&mut attacker).await?;
    let (over, stopped) = (Cell::new(false), Cell::new(false));
    let (asked, health, main_port) = (Asked::default(), Probes::default(), Probes::default());
    let ports = world.ports;
    let mut triton_crashes = 0;
    let control = async {
        let died = under_attack(world, &mut attacker, &mut memory, plan, &asked, &mut triton_crashes).await;
        over.set(true);
        if died.is_none() {
            rest(&mut memory, Duration::from_secs_f64(plan.rest)).await;
        }
        stopped.set(true);
        died.or_else(|| world.watch_over_gateway().err())
    };
    let (died, (), (), ()) = tokio::join!(
        control,
        polite.ask_while(&asked, &over),
        health::probe(ports.health, &health, &over, &stopped),
        health::probe(ports.gateway, &main_port, &over, &stopped)
    );
    let delivered = delivered(&attacker)?;
    let (polite, health) = (Told::of_asked(&asked), Told::of_probes(&health));
    let main_port = Told::of_probes(&main_port);
    let died = died.map(|Failure(why)| why);
    let bars = bars::held(died.is_some(), &memory, &polite, alone, &health, plan.answers);
    Ok(Outcome { row: row.name, title: row.title, died, triton_crashes, delivered, memory, polite, health, main_port, bars })
}

/// The attacker, a process of its own.
fn start(world: &World, row: &Row, plan: Plan, groups: &Groups) -> Result<Process, Failure> {
    let this = std::env::current_exe().doing("finding this program")?;
    let arguments = [
        "attack".to_owned(),
        row.name.to_owned(),
        format!("--address=127.0.0.1:{}", world.ports.gateway),
        format!("--from={}", peer::ATTACKER),
        format!("--seed={}", plan.seed),
        // Longer than it is used: the attacker stops by itself if this process cannot stop it.
        format!("--seconds={}", plan.seconds * EXTENDED + PREPARATION.as_secs_f64()),
        format!("--bucket={BUCKET}"),
    ];
    let attacker = Process::start(&this, &arguments, &[], &world.folder().join("attacker.log"))?;
    groups.attacker.as_ref().map_or(Ok(()), |group| group.add(attacker.pid()))?;
    Ok(attacker)
}

async fn begun(attacker: &mut Process) -> Result<(), Failure> {
    let start = Instant::now();
    while !attacker.output().lines().any(|line| line == attack::BEGUN) {
        attacker.lives().map_err(|e| Failure(format!("the attacker: {e}")))?;
        if start.elapsed() > PREPARATION {
            return Err(Failure("the attacker does not begin".to_owned()));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Samples until the attack has lasted long enough and the polite client has its answers, or until the gateway ends; returns
/// why it ended.
async fn under_attack(
    world: &mut World,
    attacker: &mut Process,
    memory: &mut Memory,
    plan: Plan,
    asked: &Asked,
    triton_crashes: &mut u32,
) -> Option<Failure> {
    let start = Instant::now();
    let mut died = None;
    let lasts = |seconds: f64| seconds < plan.seconds || (asked.answers() < plan.answers && seconds < plan.seconds * EXTENDED);
    while died.is_none() && lasts(start.elapsed().as_secs_f64()) {
        died = memory.look().and_then(|()| world.watch_over_gateway()).err();
        // A Triton that cannot be started again is told when it is started for the next attack.
        *triton_crashes += u32::from(world.revive_triton().unwrap_or(false));
        if memory.after * 1_048_576.0 > MEMORY as f64 {
            // The control group's limit does the same where there is one.
            world.kill_gateway();
        }
        sleep(LOOK).await;
    }
    if died.is_some() {
        // The process is waited for, so that its end can be told.
        died = world.watch_over_gateway().err().or(died);
    }
    attacker.ask_to_end();
    let start = Instant::now();
    while !attacker.has_ended().unwrap_or(true) && start.elapsed() < ENDING {
        drop(memory.look());
        sleep(LOOK).await;
    }
    died
}

/// Samples until the memory is back, at most `longest`.
async fn rest(memory: &mut Memory, longest: Duration) {
    let start = Instant::now();
    loop {
        if memory.look().is_err() {
            return;
        }
        if memory.kept() <= bars::KEPT {
            memory.back_after_seconds = Some(start.elapsed().as_secs_f64());
            return;
        }
        if start.elapsed() > longest {
            return;
        }
        sleep(LOOK).await;
    }
}

fn delivered(attacker: &Process) -> Result<Delivered, Failure> {
    let output = attacker.output();
    let line = output.lines().rfind(|line| line.starts_with('{'));
    let line = line.ok_or_else(|| Failure(format!("the attacker does not say what it delivered: {output}")))?;
    serde_json::from_str(line).doing("reading what was delivered")
}
