//! Frames that mean harm: each is bounded and refused, and the neighbours do not notice.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tritondeploy_gateway::config::Limits;

use crate::neighbour::Neighbour;
use crate::raw::{BINARY, CONTINUATION, FIN, PING, TEXT, ending, frame, header, upgrade, upgraded};
use crate::{Running, SOON, from_elsewhere};

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_claims_too_much_is_refused_by_its_header() {
    let running = Running::start(Limits { message_bytes: 1 << 20, ..Limits::default() }).await;
    let neighbour = Neighbour::of(&running).await;
    for length in [(1 << 20) + 1, 1 << 40, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let mut stream = upgraded(&running).await;
        stream.write_all(&header(FIN | BINARY, length)).await.unwrap();
        assert_eq!(ending(&mut stream, SOON).await, Some(1009), "{length:#x}");
    }
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_costs_no_memory_before_the_bytes_come() {
    let running = Running::start(Limits::default()).await;
    let neighbour = Neighbour::of(&running).await;
    let before = resident();
    let mut streams = Vec::new();
    for _ in 0..200 {
        let mut stream = upgraded(&running).await;
        stream.write_all(&header(FIN | BINARY, 64 << 20)).await.unwrap();
        stream.write_all(&[0; 1000]).await.unwrap();
        streams.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    // 12.5 GiB are claimed; other tests of this process use some too.
    let grown = resident().saturating_sub(before);
    assert!(grown < 1 << 30, "{} MiB", grown >> 20);
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_frame_has_no_fragments_and_no_long_payload() {
    let running = Running::start(Limits::default()).await;
    for bytes in [header(FIN | PING, 126), header(PING, 0), header(FIN | PING, 1 << 40)] {
        let mut stream = upgraded(&running).await;
        stream.write_all(&bytes).await.unwrap();
        stream.write_all(&[0; 200]).await.unwrap();
        let code = ending(&mut stream, SOON).await;
        assert!(code == Some(1002) || code == Some(1009), "{bytes:?}: {code:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_without_a_mask_is_refused() {
    let running = Running::start(Limits::default()).await;
    let mut stream = upgraded(&running).await;
    stream.write_all(&[FIN | TEXT, 3, b'0', b' ', b'a']).await.unwrap();
    assert_eq!(ending(&mut stream, SOON).await, Some(1002));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_many_small_fragments_is_a_message() {
    let running = Running::start(Limits::default()).await;
    let mut stream = upgraded(&running).await;
    let mut bytes = frame(TEXT, b"0 ");
    for i in 0..10_000 {
        bytes.extend(frame(CONTINUATION, if i % 2 == 0 { b"x" } else { b"" }));
    }
    bytes.extend(frame(FIN | CONTINUATION, b"end"));
    stream.write_all(&bytes).await.unwrap();
    let mut answer = vec![0; 4 + 5005];
    timeout(SOON, stream.read_exact(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer.starts_with(b"\x81\x7e\x13\x8d0 xxx") && answer.ends_with(b"xend"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_message_of_empty_fragments_is_ended() {
    let running = Running::start(Limits::default()).await;
    let neighbour = Neighbour::of(&running).await;
    let stream = upgraded(&running).await;
    let (mut reader, mut writer) = stream.into_split();
    let flood = frame(CONTINUATION, b"").repeat(10_000);
    let flooding = tokio::spawn(async move {
        let mut sent = 0u64;
        if writer.write_all(&frame(TEXT, b"0 ")).await.is_ok() {
            while writer.write_all(&flood).await.is_ok() {
                sent += 10_000;
            }
        }
        sent
    });
    let mut close = [0; 4];
    timeout(SOON, reader.read_exact(&mut close)).await.expect("the flood is ended").unwrap();
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1009));
    drop(reader);
    timeout(SOON, flooding).await.expect("the connection ends").unwrap();
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_is_answered_and_disturbs_nobody() {
    let running = Running::start(Limits::default()).await;
    let neighbour = Neighbour::of(&running).await;
    let (mut reader, mut writer) = upgraded(&running).await.into_split();
    let flooding = tokio::spawn(async move {
        let flood = frame(FIN | PING, &[b'p'; 125]).repeat(1000);
        for _ in 0..200 {
            writer.write_all(&flood).await.unwrap();
        }
        writer.write_all(&frame(FIN | TEXT, b"0 after")).await.unwrap();
        writer
    });
    // Of pings that come together, the last is answered; the request behind them is.
    let mut answers = Vec::new();
    let reading = async { while !answers.ends_with(b"0 after") && reader.read_buf(&mut answers).await.unwrap() > 0 {} };
    timeout(2 * SOON, reading).await.expect("an answer");
    drop(flooding.await.unwrap());
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pings_and_never_reads_is_dropped() {
    let running = Running::start(Limits { write_seconds: 1, ..Limits::default() }).await;
    let neighbour = Neighbour::of(&running).await;
    let mut stream = upgraded(&running).await;
    let flood = frame(FIN | PING, &[b'p'; 125]).repeat(1000);
    let flooding = async { while stream.write_all(&flood).await.is_ok() {} };
    timeout(SOON, flooding).await.expect("the connection ends");
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_end_is_not_waited_for_though_pings_come() {
    let running = Running::start(Limits { message_seconds: 1, ..Limits::default() }).await;
    let neighbour = Neighbour::of(&running).await;
    let (mut reader, mut writer) = upgraded(&running).await.into_split();
    let start = Instant::now();
    let dripping = tokio::spawn(async move {
        let mut sent = writer.write_all(&frame(TEXT, b"0 ")).await;
        while sent.is_ok() {
            sleep(Duration::from_millis(50)).await;
            sent = writer.write_all(&[frame(CONTINUATION, b"x"), frame(FIN | PING, b"")].concat()).await;
        }
    });
    let mut all = Vec::new();
    timeout(SOON, reader.read_to_end(&mut all)).await.expect("the connection ends").unwrap_or_default();
    assert!(start.elapsed() > Duration::from_millis(900), "{:?}", start.elapsed());
    assert!(all.windows(4).any(|w| w[0] == 0x88 && w[2..] == 1008u16.to_be_bytes()), "{all:?}");
    // For a while the rest is read and thrown away, lest a reset overtake the Close frame.
    timeout(2 * SOON, dripping).await.expect("it hears of it").unwrap();
    neighbour.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_messages_have_a_bound_over_all_connections_and_for_each_address() {
    let limits = Limits { incoming_bytes: 32 << 20, message_bytes: 8 << 20, ..Limits::default() };
    let running = Running::start(limits).await;
    let neighbour = Neighbour::of(&running).await;
    let most_of_it = vec![b'x'; 7 << 20];
    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..8 {
        let mut stream = upgraded(&running).await;
        // Refused in the middle, the rest may find no reader.
        let sent = async {
            stream.write_all(&header(FIN | TEXT, 8 << 20)).await?;
            stream.write_all(&most_of_it).await
        };
        drop(timeout(SOON, sent).await.expect("what is not read is thrown away"));
        sleep(Duration::from_millis(300)).await;
        let mut close = [0; 4];
        match stream.try_read(&mut close) {
            Ok(4) => {
                assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1013));
                refused += 1;
            }
            _ => held.push(stream),
        }
    }
    // Three are three quarters of what there is; the rest is left to others.
    assert_eq!((held.len(), refused), (3, 5));
    let mut other = upgrade(from_elsewhere(&running).await).await;
    other.write_all(&frame(FIN | TEXT, &most_of_it)).await.unwrap();
    let mut answer = vec![0; 10 + (7 << 20)];
    timeout(SOON, other.read_exact(&mut answer)).await.expect("an answer").unwrap();
    neighbour.unharmed().await;
    // Whose messages end, or whose connections do, make room.
    let mut first = held.remove(0);
    first.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
    let mut answer = vec![0; 10 + (8 << 20)];
    timeout(SOON, first.read_exact(&mut answer)).await.expect("an answer").unwrap();
    drop(held);
    sleep(Duration::from_secs(1)).await;
    for _ in 0..8 {
        let mut stream = upgraded(&running).await;
        stream.write_all(&frame(FIN | TEXT, &most_of_it)).await.unwrap();
        let mut answer = vec![0; 10 + (7 << 20)];
        timeout(SOON, stream.read_exact(&mut answer)).await.expect("an answer").unwrap();
    }
}
