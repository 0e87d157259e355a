//! The client of Triton against a real one (made by `sandbox/triton/build`; it wants root).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod local;

use std::time::{Duration, Instant};

use futures::future::join_all;
use local::Local;
use tritondeploy_gateway::triton::{Config, Datatype, Error, Input, Options, Transport, Triton};

/// Every test has a Triton of its own, and two cores are all there may be.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn config(local: &Local, transport: Transport) -> Config {
    Config { grpc: local.grpc(), transport, infer_seconds: 20, slots: 32, slot_bytes: 64 << 10, ..Config::default() }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(300), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A client whose shared memory is in use.
async fn shared(local: &Local) -> Triton {
    let triton = Triton::connect(&config(local, Transport::SharedMemory)).unwrap();
    until("shared memory", || triton.slots().inline.is_none()).await;
    triton
}

fn input(triton: &Triton, values: &[f32]) -> Input {
    let mut buffer = triton.buffer(values.len() * 4);
    for (bytes, value) in buffer.chunks_exact_mut(4).zip(values) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    let shape = vec![values.len() as i64];
    Input { name: "x".to_owned(), datatype: Datatype::Fp32, shape, data: buffer.share() }
}

async fn echo(triton: &Triton, values: &[f32]) -> Result<Vec<f32>, Error> {
    let answer = triton.infer("echo", vec![input(triton, values)]).await?;
    let data = &answer.outputs[0].data;
    Ok(data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

/// The second value says how many milliseconds the model sleeps.
fn values(seed: usize, sleep_ms: usize) -> Vec<f32> {
    let mut values: Vec<f32> = (0..4096).map(|i| (seed * 31 + i * 7) as f32 % 8191.0).collect();
    values[0] = seed as f32;
    values[1] = sleep_ms as f32;
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_numbers_come_through_shared_memory_and_inline() {
    let _one = ONE.lock().await;
    let mut local = Local::start().await;
    let (a, b) = (shared(&local).await, Triton::connect(&config(&local, Transport::Inline)).unwrap());
    assert!(b.slots().inline.unwrap().contains("inline"));
    for seed in 0..20 {
        let sent = values(seed, 0);
        assert_eq!(echo(&a, &sent).await.unwrap(), sent);
        assert_eq!(echo(&b, &sent).await.unwrap(), sent);
    }
    let slots = a.slots();
    assert_eq!((slots.used, slots.quarantined), (0, 0));
    assert_eq!(slots.free, 1, "one request after the other wants one slot");

    // Several models share what was written once; a tensor that is too long for a slot goes inline.
    let payload = input(&a, &values(5, 0));
    let both = join_all((0..4).map(|_| a.infer("echo", vec![payload.clone()]))).await;
    assert!(both.iter().all(|answer| answer.as_ref().unwrap().outputs[0].data == payload.data[..]));
    assert_eq!(both[0].as_ref().unwrap().version, "1");
    drop(payload);
    let long: Vec<f32> = (0..40_000).map(|i| i as f32).map(|v| if v == 1.0 { 0.0 } else { v }).collect();
    assert_eq!(echo(&a, &long).await.unwrap(), long);

    // What is on its way gets half of the slots, and its short parts none.
    let early: Vec<_> = (0..40).map_while(|_| a.place(32 << 10)).collect();
    assert_eq!((early.len(), a.slots().used), (16, 16));
    let (short, there) = (a.place(100).unwrap().share(), a.slot(32 << 10).unwrap().share());
    assert!(!short.is_shared() && there.is_shared() && b.place(32 << 10).is_none());
    drop((early, short, there));
    assert_eq!(a.slots().used, 0);

    // A Triton that starts again knows no region.
    local.restart().await;
    let sent = values(9, 0);
    assert_eq!(echo(&a, &sent).await.unwrap(), sent);
    assert_eq!(a.slots().used, 0);
    let files = local::regions();
    assert!(!files.is_empty());
    drop(a);
    until("our files are gone", || !files.iter().any(|file| file.exists())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_request_is_cancelled_at_triton_and_its_slot_kept_away_until_then() {
    let _one = ONE.lock().await;
    let local = Local::start().await;
    let triton = shared(&local).await;
    let before = local.cancelled();
    // Two instances sleep, so that what comes next waits in the queue, where a cancel takes it out.
    let busy = [1, 2].map(|seed| {
        tokio::spawn({
            let triton = triton.clone();
            async move { echo(&triton, &values(seed, 1500)).await }
        })
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let waiting: Vec<_> = (3..9)
        .map(|seed| {
            tokio::spawn({
                let triton = triton.clone();
                async move { echo(&triton, &values(seed, 0)).await }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    for task in waiting {
        task.abort();
        let _ = task.await;
    }
    assert_eq!(triton.quarantined(), 6);
    for (task, seed) in busy.into_iter().zip([1, 2]) {
        assert_eq!(task.await.unwrap().unwrap(), values(seed, 1500));
    }
    // Triton 2.51 has handed some to its instances already, where they run to their end.
    until("what queues is cancelled", || local.cancelled() > before).await;
    until("nothing is quarantined", || triton.quarantined() == 0).await;

    // A deadline ends a request in the same way.
    let options = Options { deadline: Some(Instant::now() + Duration::from_millis(100)), ..Options::default() };
    let start = Instant::now();
    let answer = triton.infer_with("echo", vec![input(&triton, &values(1, 1000))], &options).await;
    assert!(matches!(answer, Err(Error::Deadline)), "{answer:?}");
    assert_eq!(triton.quarantined(), 1, "it runs, and Triton may read it");
    until("nothing is quarantined", || triton.quarantined() == 0).await;
    assert!(start.elapsed() > Duration::from_millis(900), "Triton was still reading");
}

/// How many requests were answered and how many were cut off, about every other one, at any point of its way; and what went
/// wrong. An answer of other bytes than were sent is nothing that may go wrong.
async fn cut_off(triton: Triton, client: usize) -> (usize, usize, Option<Error>) {
    let (mut whole, mut cut) = (0, 0);
    for round in 0..60 {
        let seed = client * 1000 + round;
        let sent = values(seed, seed * 7 % 5);
        let patience = Duration::from_micros((seed as u64 * 7919) % 40_000 + 100);
        let patience = if seed.is_multiple_of(2) { patience } else { Duration::from_secs(20) };
        match tokio::time::timeout(patience, echo(&triton, &sent)).await {
            Ok(Ok(answer)) => {
                assert_eq!(answer, sent);
                whole += 1;
            }
            Ok(Err(error)) => return (whole, cut, Some(error)),
            Err(_) => cut += 1,
        }
    }
    (whole, cut, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_ever_holds_another_request_s_bytes() {
    let _one = ONE.lock().await;
    let mut local = Local::start().await;
    let triton = shared(&local).await;
    for crashes in 0.. {
        let clients: Vec<_> = (0..24).map(|client| tokio::spawn(cut_off(triton.clone(), client))).collect();
        if crashes == 0 {
            // It does so by itself now and then, when a request is cut off.
            tokio::time::sleep(Duration::from_millis(200)).await;
            local.signal("SEGV");
        }
        let (mut whole, mut cut, mut errors) = (0, 0, Vec::new());
        for client in join_all(clients).await {
            let (answered, left, error) = client.unwrap();
            (whole, cut) = (whole + answered, cut + left);
            errors.extend(error);
        }
        if errors.is_empty() {
            assert!(crashes > 0 && whole > 300 && cut > 100, "{crashes} crashes, {whole} answers, {cut} cut off");
            break;
        }
        // Only a crash is an excuse, and then everybody hears of something that is worth another try.
        let end = local.end().await;
        let crashed = end.as_ref().is_some_and(|how| how.starts_with("signal"));
        assert!(crashed && crashes < 5 && errors.iter().all(Error::is_retryable), "{errors:?}; Triton: {end:?}");
        local.restart().await;
    }
    until("nothing is quarantined", || triton.quarantined() == 0).await;
    let slots = triton.slots();
    assert!(slots.inline.is_none() && slots.used == 0 && slots.free <= 32, "{slots:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_triton_sticks_nobody_and_is_used_again() {
    let _one = ONE.lock().await;
    let mut local = Local::start().await;
    let triton = shared(&local).await;
    local.signal("STOP");
    let options = Options { deadline: Some(Instant::now() + Duration::from_millis(500)), ..Options::default() };
    let start = Instant::now();
    let stuck = join_all((0..40).map(|seed| triton.infer_with("echo", vec![input(&triton, &values(seed, 0))], &options))).await;
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(stuck.iter().all(|answer| matches!(answer, Err(Error::Deadline))));
    local.signal("CONT");
    let sent = values(3, 0);
    assert_eq!(echo(&triton, &sent).await.unwrap(), sent);
    until("nothing is quarantined", || triton.quarantined() == 0).await;

    local.stop();
    let gone = echo(&triton, &sent).await.unwrap_err();
    assert!(gone.is_retryable(), "{gone:?}");
    local.restart().await;
    assert_eq!(echo(&triton, &sent).await.unwrap(), sent);
}
