//! Ten times more than the model can do, from clients that heed no window.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use tokio::time::{MissedTickBehavior, interval};
use tritondeploy_wire::v1::ServerMessage;

use super::{Bar, Found, Table, Verdict};
use crate::compare::{Arm, Length, alternate};
use crate::failure::{Doing, Failure};
use crate::models::SLEEP;
use crate::multiplexed::{End, Multiplexed};
use crate::path::v1::{self, Request, read};
use crate::processor::{Resident, Role, Times};
use crate::statistics::{Estimate, p99, quantile};
use crate::world::World;

/// What four instances of 10 ms can do, per second.
const CAPACITY: f64 = 400.0;

/// Of the capacity.
const TIMES: f64 = 10.0;

const SECONDS: u64 = 60;

/// That the requests come on.
const CONNECTIONS: usize = 32;

/// More without an answer, and there is no overload to measure: there is a heap.
const UNANSWERED: usize = 50_000;

#[derive(Debug, Default)]
struct Counts {
    accepted: Vec<Duration>,
    refused: Vec<Duration>,
    codes: BTreeMap<String, usize>,
    wrong: Option<String>,
}

/// The peak first, in a closed loop; then the flood.
pub(super) fn run(world: &mut World, _: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched, pid) = (world.ports, world.watched(), world.gateway_pid());
        let mut tried = Vec::new();
        for clients in [4, 5, 6, 8] {
            let mut arm = [Arm::new("v1, closed loop", v1::clients(ports.gateway, Request::tensors(&SLEEP), clients).await?)];
            let blocks = alternate(&mut arm, Length { blocks: 3, seconds: 2.0 }, &watched).await?;
            tried.push((clients, blocks[0].rate()));
        }
        // The fewest that reach it: more would only wait longer.
        let best = tried.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        let clients = tried.iter().find(|(_, rate)| *rate > best * 0.98).map_or(4, |(clients, _)| *clients);
        let mut arm =
            [Arm::new("v1, closed loop, at its peak", v1::clients(ports.gateway, Request::tensors(&SLEEP), clients).await?)];
        // Long enough for 20,000 answers.
        let peak = alternate(&mut arm, Length { blocks: 7, seconds: 9.0 }, &watched).await?;
        let before = Resident::of(pid)?;
        let times = Times::now(&watched)?;
        let (counts, most, seconds) = flood(world).await?;
        let used = Times::now(&watched)?.used(&times, Role::Gateway).as_secs_f64();
        world.watch_over()?;
        let after = Resident::of(pid)?;
        let mut found = told(counts, &peak[0], seconds)?;
        let mib = |resident: Resident| resident.all() as f64 / 1_048_576.0;
        found.notes.push(format!(
            "Resident memory of the gateway: {:.1} MiB before, at most {:.1} during, {:.1} after. It used {:.2} processors.",
            mib(before),
            mib(most),
            mib(after),
            used / seconds
        ));
        found.verdicts.push(one("overload: resident memory added at most", mib(most) - mib(before), "MiB", Bar::None));
        found.arms.push(Table { clients, arms: peak });
        Ok(found)
    })
}

async fn flood(world: &mut World) -> Result<(Counts, Resident, f64), Failure> {
    let requests: Rc<Vec<Request>> = Request::tensors(&SLEEP).into();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Rc::new(Multiplexed::connect(world.ports.gateway).await?));
    }
    let counts = Rc::new(std::cell::RefCell::new(Counts::default()));
    let local = tokio::task::LocalSet::new();
    let (pid, start) = (world.gateway_pid(), Instant::now());
    let mut most = Resident::default();
    let flooding = async {
        let mut ticks = interval(Duration::from_millis(1));
        // Those that were missed are made up for: who floods does not slow down.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut sent, each) = (0, (CAPACITY * TIMES / 1000.0) as usize);
        while start.elapsed() < Duration::from_secs(SECONDS) {
            ticks.tick().await;
            for number in sent..sent + each {
                let connection = connections[number % CONNECTIONS].clone();
                let (requests, counts) = (requests.clone(), counts.clone());
                tokio::task::spawn_local(async move { ask(&connection, &requests[number % requests.len()], &counts).await });
            }
            sent += each;
            if sent.is_multiple_of(each * 250) {
                let now = Resident::of(pid)?;
                if now.all() > most.all() {
                    most = now;
                }
                let counts = counts.borrow();
                let unanswered = sent - counts.accepted.len() - counts.refused.len();
                if unanswered > UNANSWERED {
                    return Err(Failure(format!(
                        "{unanswered} requests wait for an answer: they are neither served nor refused"
                    )));
                }
            }
        }
        Ok(start.elapsed().as_secs_f64())
    };
    let seconds = local.run_until(flooding).await?;
    // What is on its way may come in; it is not counted in the time above.
    drop(tokio::time::timeout(Duration::from_secs(5), local).await);
    let counts = counts.take();
    match counts.wrong {
        Some(what) => Err(Failure(what)),
        None => Ok((counts, most, seconds)),
    }
}

async fn ask(connection: &Multiplexed, request: &Request, counts: &std::cell::RefCell<Counts>) {
    let start = Instant::now();
    let end = match connection.ask(request).await {
        Ok((_, end)) => end.await.doing("waiting"),
        Err(why) => Err(why),
    };
    let took = start.elapsed();
    let mut counts = counts.borrow_mut();
    match end {
        Ok(End::Result(message)) => match read(&message) {
            Ok((ServerMessage::Result(answer), parts)) => match request.differs(&answer, &parts) {
                None => counts.accepted.push(took),
                Some(what) => counts.wrong = Some(format!("answered wrongly: {what}")),
            },
            other => counts.wrong = Some(format!("answered with {other:?}")),
        },
        Ok(End::Refused(refusal)) => {
            if !refusal.retryable {
                counts.wrong = Some(format!("refused for good: {refusal:?}"));
            }
            counts.refused.push(took);
            *counts.codes.entry(refusal.code.to_string()).or_default() += 1;
        }
        other => counts.wrong = Some(format!("ended with {other:?}")),
    }
}

fn told(mut counts: Counts, peak: &crate::compare::Blocks, seconds: f64) -> Result<Found, Failure> {
    counts.accepted.sort_unstable();
    counts.refused.sort_unstable();
    let rate = counts.accepted.len() as f64 / seconds;
    let offered = (counts.accepted.len() + counts.refused.len()) as f64 / seconds;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let refusal = |share| quantile(&counts.refused, share).map(milliseconds).unwrap_or(f64::NAN);
    let (accepted_p99, peak_p99) = (p99(&counts.accepted), peak.p99());
    let mut found = Found::default();
    let share = rate / peak.rate();
    found.verdicts.push(one("overload: throughput by that at its peak", share, "", Bar::AtLeast(0.9)));
    if let (Some(flooded), Some(calm)) = (accepted_p99, peak_p99) {
        let times = milliseconds(flooded) / milliseconds(calm);
        found.verdicts.push(one("overload: p99 of what was accepted by that at the peak", times, "", Bar::AtMost(2.0)));
        found.notes.push(format!(
            "p99 {:.1} ms at the peak, {:.1} ms of what was accepted.",
            milliseconds(calm),
            milliseconds(flooded)
        ));
    } else {
        let (few, calm) = (counts.accepted.len(), peak.samples());
        found.notes.push(format!("No p99: {few} were accepted and {calm} answered at the peak; 20,000 are needed."));
    }
    if counts.refused.is_empty() {
        return Err(Failure(format!("nothing was refused of {offered:.0} requests a second: {rate:.0} were answered")));
    }
    found.verdicts.push(one("overload: p99 of a refusal", refusal(0.99), "ms", Bar::AtMost(10.0)));
    found.notes.push(format!(
        "{offered:.0} requests a second were sent for {seconds:.0} s on {CONNECTIONS} connections, {rate:.0} a second answered; \
         the others were refused: {:?}. A refusal took {:.2} ms (p50), {:.2} ms (p99), {:.1} ms at most.",
        counts.codes,
        refusal(0.5),
        refusal(0.99),
        refusal(1.0)
    ));
    Ok(found)
}

fn one(what: &str, value: f64, unit: &'static str, bar: Bar) -> Verdict {
    Verdict { what: what.to_owned(), found: Estimate { value, low: value, high: value }, unit, bar }
}
