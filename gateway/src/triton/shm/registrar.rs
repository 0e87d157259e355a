//! What is said to Triton about shared memory, and when.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

use super::region::{self, Region};
use super::{InFlightGuard, Memory};
use crate::triton::Error;
use crate::triton::client::QUICK;
use crate::triton::grpc::Client;
use crate::triton::proto::{
    ServerMetadataRequest, SystemSharedMemoryRegisterRequest, SystemSharedMemoryStatusRequest,
    SystemSharedMemoryUnregisterRequest,
};

/// The first Triton that unmaps a region only when no request uses it: 2.MINOR.
const COUNTS_USERS: u32 = 50;

/// First and longest wait for a Triton that does not answer, or that still uses a region.
const WAITS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(2));

/// After a refusal: another Triton may be there, or /dev/shm have room again.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// Why a region is not registered.
pub(super) enum Refusal {
    /// Triton will not have it.
    Final(String),
    /// Nobody knows whether it is.
    Unheard(Error),
}

/// Asks Triton to map a region.
pub(super) async fn register(client: &Client, region: &Region) -> Result<(), Refusal> {
    let request = SystemSharedMemoryRegisterRequest {
        name: region.name.clone(),
        key: format!("/{}", region.name),
        offset: 0,
        byte_size: region.len() as u64,
    };
    match heard(client.call_again(&request)).await {
        Ok(_) => Ok(()),
        // Nobody else knows the name: an answer was lost.
        Err(Refusal::Final(why)) if why.contains("already in manager") => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// Brings Triton to take our regions, and again after each refusal.
pub(super) async fn introduce(memory: Weak<Memory>, declined: Arc<Notify>) {
    let mut wait = WAITS.0;
    while let Some(memory) = memory.upgrade() {
        let answer = ask(&memory).await;
        let taken = answer.is_ok();
        match answer {
            Ok(()) => memory.state().inline = None,
            Err(Refusal::Final(why)) => {
                memory.set_inline(why);
            }
            Err(Refusal::Unheard(_)) => {
                drop(memory);
                sleep(wait).await;
                wait = (wait * 2).min(WAITS.1);
                continue;
            }
        }
        wait = WAITS.0;
        drop(memory);
        if taken {
            declined.notified().await;
        }
        // What came in the meantime is answered by asking.
        let _ = timeout(ASK_AGAIN, declined.notified()).await;
    }
}

async fn ask(memory: &Arc<Memory>) -> Result<(), Refusal> {
    let metadata = heard(memory.client.call(&ServerMetadataRequest {})).await?;
    if !metadata.extensions.iter().any(|e| e == "system_shared_memory") {
        return Err(Refusal::Final("this Triton has no system shared memory".to_owned()));
    }
    if !counts_users(&metadata.version) {
        let why =
            format!("Triton {} unmaps memory that requests still use; that is safe since 2.{COUNTS_USERS}", metadata.version);
        return Err(Refusal::Final(why));
    }
    let known = heard(memory.client.call(&SystemSharedMemoryStatusRequest::default())).await?;
    for name in known.regions.into_keys().filter(|name| region::is_stale(name)) {
        tracing::info!(name, "unregistering the shared memory of a gateway that is gone");
        heard(memory.client.call(&SystemSharedMemoryUnregisterRequest { name })).await?;
    }
    // The first of our own shows whether both see the same /dev/shm.
    let Some(lease) = memory.take(memory.slots).map_err(Refusal::Final)?.map(Arc::new) else { return Ok(()) };
    let Some(slot) = &lease.slot else { return Ok(()) };
    let mut naming = InFlightGuard::of([lease.clone()]);
    let registered = register(&memory.client, &slot.region).await;
    *slot.registered.lock().await = registered.is_ok();
    if !matches!(registered, Err(Refusal::Unheard(_))) {
        naming.answered();
    }
    registered
}

/// Unregisters what is quarantined, until Triton does not find it any more.
pub(super) async fn unregister(memory: Weak<Memory>, client: Client, mut retired: mpsc::UnboundedReceiver<String>) {
    let (mut names, mut wait) = (Vec::new(), WAITS.0);
    loop {
        if names.is_empty() {
            let Some(name) = retired.recv().await else { return };
            names.push(name);
            wait = WAITS.0;
        } else {
            sleep(wait).await;
            wait = (wait * 2).min(WAITS.1);
        }
        while let Ok(name) = retired.try_recv() {
            names.push(name);
        }
        let mut still = Vec::new();
        for name in names {
            if is_unmapped(&client, &name).await {
                let Some(memory) = memory.upgrade() else { return };
                memory.unmapped_by_triton();
            } else {
                still.push(name);
            }
        }
        names = still;
    }
}

async fn is_unmapped(client: &Client, name: &str) -> bool {
    let request = SystemSharedMemoryUnregisterRequest { name: name.to_owned() };
    if let Err(Refusal::Unheard(_)) = heard(client.call(&request)).await {
        return false;
    }
    let request = SystemSharedMemoryStatusRequest { name: name.to_owned() };
    match timeout(QUICK, client.call(&request)).await {
        // A Triton that takes no shared memory at all is another one than we named the region to.
        Ok(Err(status)) => matches!(status.code(), Code::NotFound | Code::Unimplemented),
        _ => false,
    }
}

async fn heard<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Refusal> {
    match timeout(QUICK, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) if Error::is_final(&status) && status.code() != Code::Unavailable => {
            Err(Refusal::Final(status.message().to_owned()))
        }
        Ok(Err(status)) => Err(Refusal::Unheard(Error::of(&status))),
        Err(_) => Err(Refusal::Unheard(Error::Timeout(QUICK.as_secs()))),
    }
}

fn counts_users(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|n| n.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(2), Some(minor)) => minor >= COUNTS_USERS,
        (Some(major), _) => major > 2,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_triton_that_counts_users_is_trusted() {
        assert!(["2.50.0", "2.51.0", "2.71.0dev", "3.0.0"].map(counts_users).iter().all(|y| *y));
        assert!(["2.49.0", "1.15.0", "", "x"].map(counts_users).iter().all(|y| !*y));
    }
}
