//! Minutes of everything at once: every answer right, every request ended once, memory flat.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::{interval, sleep, timeout};
use tritondeploy_gateway::image::Quality;
use tritondeploy_wire::v1::{Answer, Outcome, ServerMessage};

use crate::failure::{Doing, Failure};
use crate::models::{CHECKED, NULL_4K, SLEEP};
use crate::multiplexed::{End, Multiplexed};
use crate::path::v1::{Request, greeted, read};
use crate::path::{Client, v0};
use crate::processor::Resident;
use crate::report::say;
use crate::statistics::{middle, slope};
use crate::world::World;

/// Connections of protocol v1, and requests open on each.
const CONNECTIONS: usize = 4;
const OPEN: usize = 6;

/// Pools fill and pictures of every kind come by: this share of the time is not held against the memory.
const WARM_UP: f64 = 0.3;

/// What must be noticed: so many bytes kept of each request for ever. Flat is what rises by less than half of it.
const LEAK: f64 = 100.0;

/// Memory swings by some MiB for 10 to 20 seconds at a time, as the allocator's pages are used up in turn: so much apart,
/// samples know little of each other. The mean of each such time is one.
const APART: usize = 30;

/// No request takes longer, whatever else runs.
const PATIENCE: Duration = Duration::from_secs(30);

type Counts = RefCell<BTreeMap<&'static str, u64>>;

struct Soak {
    gateway: u16,
    requests: Vec<(&'static str, Vec<Request>)>,
    counts: Counts,
    over: Cell<bool>,
    /// When Triton was last started again. Release 2.51 crashes now and then when a request is cancelled just as it is
    /// answered (<https://github.com/triton-inference-server/server/issues/8034>), and the soak cancels on purpose: what the
    /// gateway must do then is to say so, and to go on.
    restarted: Cell<Option<Instant>>,
}

/// Triton starts in some seconds, and the gateway looks every two.
const EXCUSE: Duration = Duration::from_secs(20);

/// Whether memory stayed flat; wrong or missing answers are errors.
pub(crate) async fn soak(world: &mut World, minutes: f64) -> Result<bool, Failure> {
    let photos = &world.photos;
    let requests = vec![
        ("v1 tensors, 602 KB", Request::tensors(&CHECKED)),
        ("v1 tensors, 4 KiB", Request::tensors(&NULL_4K)),
        ("v1 tensors, 10 ms", Request::tensors(&SLEEP)),
        ("v1 JPEG, exact", Request::photos(photos, &CHECKED, Quality::Exact)?),
        ("v1 JPEG, fast", Request::photos(photos, &CHECKED, Quality::Fast)?),
        ("v1 reference", Request::references(photos)?),
    ];
    let soak = Soak {
        gateway: world.ports.gateway,
        requests,
        counts: Counts::default(),
        over: Cell::new(false),
        restarted: Cell::new(None),
    };
    let all: FuturesUnordered<LocalBoxFuture<'_, Result<(), Failure>>> = FuturesUnordered::new();
    for number in 0..CONNECTIONS {
        all.push(Box::pin(multiplexed(&soak, number as u64)));
    }
    all.push(Box::pin(old(&soak, "v0 reference", v0::references(soak.gateway, photos, 1).await?)));
    all.push(Box::pin(old(&soak, "v0 tensors", v0::tensors(soak.gateway, &NULL_4K, 1).await?)));
    all.push(Box::pin(vanishing(&soak)));
    let length = Duration::from_secs_f64(minutes * 60.0);
    let watching = watch(world, length, &soak);
    let (memory, ended) = tokio::join!(watching, every(all, &soak));
    if ended.is_err() {
        // A process that ended is the cause of whatever else went wrong.
        sleep(Duration::from_millis(500)).await;
    }
    world.watch_over()?;
    ended?;
    Ok(told(&memory?, &soak.counts.borrow()))
}

/// Ends with the first failure, which ends the others, too.
async fn every(mut all: FuturesUnordered<LocalBoxFuture<'_, Result<(), Failure>>>, soak: &Soak) -> Result<(), Failure> {
    while let Some(ended) = all.next().await {
        if ended.is_err() {
            soak.over.set(true);
            return ended;
        }
    }
    Ok(())
}

impl Soak {
    fn count(&self, what: &'static str) {
        *self.counts.borrow_mut().entry(what).or_default() += 1;
    }

    /// Whether an error is Triton's crash: it may be seen before the crash itself is.
    async fn is_excused(&self) -> bool {
        sleep(Duration::from_millis(1500)).await;
        self.restarted.get().is_some_and(|at| at.elapsed() < EXCUSE)
    }

    fn request(&self, random: &mut fastrand::Rng) -> (&'static str, &Request) {
        let (kind, requests) = &self.requests[random.usize(..self.requests.len())];
        (kind, &requests[random.usize(..requests.len())])
    }
}

/// Some requests at once on one connection, one in five given up at some time.
async fn multiplexed(soak: &Soak, seed: u64) -> Result<(), Failure> {
    let mut connection = Multiplexed::connect(soak.gateway).await?;
    let users: FuturesUnordered<_> = (0..OPEN as u64).map(|user| asking(soak, &connection, seed * 1000 + user)).collect();
    let ended: Vec<Result<(), Failure>> = users.collect().await;
    connection.ended().await?;
    ended.into_iter().collect()
}

async fn asking(soak: &Soak, connection: &Multiplexed, seed: u64) -> Result<(), Failure> {
    let mut random = fastrand::Rng::with_seed(seed);
    while !soak.over.get() {
        let (kind, request) = soak.request(&mut random);
        let (id, end) = connection.ask(request).await?;
        let cancelled = random.u8(..5) == 0;
        let end = async {
            if cancelled {
                sleep(Duration::from_micros(random.u64(..20_000))).await;
                connection.cancel(id).await?;
            }
            end.await.doing("waiting")
        };
        match timeout(PATIENCE, end).await.doing(format!("{kind}: request {id} has no end"))?? {
            End::Result(message) => match read(&message)? {
                (ServerMessage::Result(answer), parts) => match request.differs(&answer, &parts) {
                    None => soak.count(kind),
                    Some(_) if failed(&answer) && soak.is_excused().await => soak.count("failed in part, Triton was down"),
                    Some(what) => return Err(Failure(format!("{kind}: answered wrongly: {what}"))),
                },
                (other, _) => return Err(Failure(format!("{kind}: {other:?}"))),
            },
            End::Cancelled if cancelled => soak.count("cancelled"),
            End::Refused(refusal) if refusal.retryable => {
                soak.count("refused, to be asked again");
                sleep(Duration::from_millis(refusal.retry_after_ms.unwrap_or(10).min(1000))).await;
            }
            other => return Err(Failure(format!("{kind}: request {id} ended with {other:?}"))),
        }
    }
    Ok(())
}

/// Whether a model failed: told, not wrong.
fn failed(answer: &Answer) -> bool {
    answer.results.iter().any(|result| matches!(result.outcome, Outcome::Error { .. }))
}

/// A client of protocol v0, one thing at a time.
async fn old(soak: &Soak, kind: &'static str, mut clients: Vec<Box<dyn Client>>) -> Result<(), Failure> {
    let mut number = 0;
    while !soak.over.get() {
        for client in &mut clients {
            match timeout(PATIENCE, client.ask(number % crate::payload::COUNT)).await.doing(kind)? {
                Ok(()) => soak.count(kind),
                Err(Failure(why)) if why.contains("\"status\":\"error\"") && soak.is_excused().await => {
                    soak.count("v0 error, Triton was down");
                }
                Err(why) => return Err(why),
            }
        }
        number += 1;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Clients that ask and are gone, without a word.
async fn vanishing(soak: &Soak) -> Result<(), Failure> {
    let mut random = fastrand::Rng::with_seed(99);
    while !soak.over.get() {
        let mut socket = greeted(soak.gateway).await?;
        for id in 0..3 {
            let (opcode, message) = soak.request(&mut random).1.message(id)?;
            socket.send(opcode, &message).await?;
        }
        sleep(Duration::from_micros(random.u64(..30_000))).await;
        drop(socket);
        soak.count("vanished with three requests");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The gateway's memory, each second: requests done, and its own resident bytes.
async fn watch(world: &mut World, length: Duration, soak: &Soak) -> Result<Vec<(f64, f64)>, Failure> {
    let pid = world.gateway_pid();
    let (start, mut seconds, mut memory) = (Instant::now(), interval(Duration::from_secs(1)), Vec::new());
    while start.elapsed() < length && !soak.over.get() {
        seconds.tick().await;
        if world.revive_triton().inspect_err(|_| soak.over.set(true))? {
            soak.restarted.set(Some(Instant::now()));
            soak.count("Triton crashed, started again");
        }
        let resident = Resident::of(pid).inspect_err(|_| soak.over.set(true))?;
        let done: u64 = soak.counts.borrow().values().sum();
        memory.push((done as f64, resident.own as f64));
        if memory.len().is_multiple_of(60) {
            say(&format!(
                "{:.0} min: {done} done, {:.1} MiB",
                start.elapsed().as_secs_f64() / 60.0,
                resident.own as f64 / 1_048_576.0
            ));
        }
    }
    soak.over.set(true);
    Ok(memory)
}

fn told(memory: &[(f64, f64)], counts: &BTreeMap<&'static str, u64>) -> bool {
    counts.iter().for_each(|(what, count)| say(&format!("{count:8} {what}")));
    let after = &memory[(memory.len() as f64 * WARM_UP) as usize..];
    let (rise, error) = slope(&after.chunks_exact(APART).map(middle).collect::<Vec<_>>());
    let most = memory.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max) / 1_048_576.0;
    // Few points have no error at all.
    let (flat, word) = if error.is_nan() || 2.0 * error > LEAK / 2.0 {
        (false, "TOO SHORT TO TELL")
    } else if rise < LEAK / 2.0 {
        (true, "flat")
    } else {
        (false, "NOT FLAT")
    };
    say(&format!(
        "the gateway's memory: at most {most:.1} MiB, rising by {rise:.0} (standard error {error:.0}) bytes a request \
         (less than {:.0}): {word}",
        LEAK / 2.0
    ));
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 600 requests a second, and noise of some MiB, as pictures come and go.
    fn line(seconds: u32, bytes_a_request: f64) -> Vec<(f64, f64)> {
        let done = |second: u32| f64::from(second * 600);
        (0..seconds).map(|s| (done(s), 5e7 + f64::from(s * 7919 % 13) * 1e6 + done(s) * bytes_a_request)).collect()
    }

    #[test]
    fn a_leak_is_noticed_and_noise_is_not() {
        assert!(told(&line(600, 0.0), &BTreeMap::new()));
        assert!(!told(&line(600, 100.0), &BTreeMap::new()));
    }

    #[test]
    fn what_is_too_short_to_tell_is_not_called_flat() {
        assert!(!told(&line(100, 0.0), &BTreeMap::new()));
        assert!(!told(&[], &BTreeMap::new()));
    }
}
