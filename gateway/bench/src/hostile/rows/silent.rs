//! TCP connections that never say anything.

use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::AsyncReadExt;
use tokio::time::{MissedTickBehavior, interval};

use crate::failure::Failure;
use crate::hostile::attack::Attack;

/// A second.
const RATE: u32 = 120;

/// More than the gateway's default of connections that are not upgraded yet (`limits.handshakes`, 1,024).
const BURST: usize = 1500;

/// So many a second from the start.
pub(super) fn steady(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(open(attack, 0))
}

/// Many at once, too.
pub(super) fn burst(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(open(attack, BURST))
}

async fn open(attack: &Attack, at_once: usize) -> Result<(), Failure> {
    attack.begin();
    let mut all: FuturesUnordered<_> = (0..at_once).map(|_| one(attack)).collect();
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    // Those that were missed are made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = ticks.tick() => all.push(one(attack)),
            Some(()) = all.next() => {}
        }
    }
}

/// Open until the gateway ends it, or the attack is over.
async fn one(attack: &Attack) {
    if let Some(mut stream) = attack.silent().await {
        while stream.read(&mut [0; 1024]).await.is_ok_and(|bytes| bytes > 0) {}
        attack.ended("lost".to_owned());
    }
}
