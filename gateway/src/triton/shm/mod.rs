//! Tensors in memory that Triton maps too, so that an input is written once and never copied on its way.
//!
//! Every slot is a region of its own: a file under `/dev/shm` that is registered with Triton under its own name. (One file
//! for all, registered by offset, is what Triton 2.51 gets wrong twice: it adds the offset to the address a second time, and
//! opens a key that it knows already through a file descriptor that it has closed.)
//!
//! **When a slot is used again.** After Triton's final answer to every request that named it, and only then. A request
//! that was cut off (cancelled, out of time, connection lost) gets no answer, and Triton may read its slot for as long as
//! the request queues or runs there. Such a slot is never used again, nor is its name: it is quarantined. Our mapping
//! and the file's name go at once; its memory goes when Triton unmaps it. So a slot that Triton may still read is
//! memory that we can no longer write, whatever Triton does, and what is left is a question of accounts: how much memory is
//! still held. It is answered by Triton itself, which counts the users of a region since 2.50: up to 2.52 it refuses to
//! unregister one that a request still uses, since 2.53 it waits for the last such request, and in both a name that
//! `SystemSharedMemoryStatus` no longer finds is unmapped (`shared_memory_manager.cc`, `UnregisterHelper`; a request holds
//! its count from reading the request until its final response, cancelled or not). A request for that name that arrives
//! later still finds no region. Before 2.50 Triton unmapped at once, under the feet of running requests: there, inline.
//!
//! Slots in use, free and quarantined together never exceed the configured number: with none left, tensors go inline.

mod region;
mod registrar;

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::Error;
use super::grpc::Client;
use region::{Owner, Region};

/// The slots of one client of Triton, as they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// Why tensors go inline; none where they go through shared memory.
    pub inline: Option<String>,
    /// Ready to be written.
    pub free: usize,
    /// Being written, or named in a request that runs.
    pub used: usize,
    /// Named in a request that was cut off, so that Triton may still read them.
    pub quarantined: usize,
}

/// All slots.
#[derive(Debug)]
pub(super) struct Memory {
    slot_bytes: usize,
    slots: usize,
    client: Client,
    state: Mutex<State>,
    retired: mpsc::UnboundedSender<String>,
    /// That shared memory does not work, or that this is dropped.
    declined: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    inline: Option<String>,
    owner: Option<Owner>,
    free: Vec<Slot>,
    used: usize,
    quarantined: usize,
}

impl Memory {
    /// Offers shared memory to Triton in the background; until it has taken it, everything goes inline.
    pub(super) fn offer(client: Client, slot_bytes: usize, slots: usize) -> Arc<Self> {
        let (retired, names) = mpsc::unbounded_channel();
        let memory = Self::new(client, slot_bytes, slots, "Triton was not asked yet", retired);
        region::clear();
        tokio::spawn(registrar::introduce(Arc::downgrade(&memory), memory.declined.clone()));
        tokio::spawn(registrar::unregister(Arc::downgrade(&memory), memory.client.clone(), names));
        memory
    }

    /// No shared memory.
    pub(super) fn inline(client: Client) -> Arc<Self> {
        Self::new(client, 0, 0, "triton.transport is \"inline\"", mpsc::unbounded_channel().0)
    }

    fn new(client: Client, slot_bytes: usize, slots: usize, why: &str, retired: mpsc::UnboundedSender<String>) -> Arc<Self> {
        let inline = Some(why.to_owned());
        let state = Mutex::new(State { inline, owner: None, free: Vec::new(), used: 0, quarantined: 0 });
        Arc::new(Self { slot_bytes, slots, client, state, retired, declined: Arc::default() })
    }

    pub(super) fn slots(&self) -> Slots {
        let state = self.state();
        let State { inline, free, used, quarantined, .. } = &*state;
        Slots { inline: inline.clone(), free: free.len(), used: *used, quarantined: *quarantined }
    }

    /// A slot for `len` bytes, if there is one.
    pub(super) fn lease(self: &Arc<Self>, len: usize) -> Option<Lease> {
        self.lease_below(self.slots, len)
    }

    /// A slot for `len` bytes that are still on their way: half of the slots are left to what is there.
    pub(super) fn lease_early(self: &Arc<Self>, len: usize) -> Option<Lease> {
        self.lease_below(self.slots / 2, len)
    }

    fn lease_below(self: &Arc<Self>, most: usize, len: usize) -> Option<Lease> {
        if len == 0 || len > self.slot_bytes {
            return None;
        }
        if self.state().inline.is_some() {
            return None;
        }
        self.take(most).unwrap_or_else(|why| {
            self.decline(why);
            None
        })
    }

    /// A free slot, or a new one, where fewer than `most` are used and quarantined.
    fn take(self: &Arc<Self>, most: usize) -> Result<Option<Lease>, String> {
        let mut state = self.state();
        if state.used + state.quarantined >= most {
            return Ok(None);
        }
        let slot = match state.free.pop() {
            Some(slot) => slot,
            None => state
                .slot(self.slot_bytes)
                .map_err(|e| format!("no region of {} bytes can be made under /dev/shm: {e}", self.slot_bytes))?,
        };
        state.used += 1;
        Ok(Some(Lease { slot: Some(slot), cut_off: AtomicBool::new(false), memory: self.clone() }))
    }

    /// Makes sure that Triton knows a slot. Otherwise its content must be sent inline.
    pub(super) async fn register(&self, lease: &Arc<Lease>) -> Result<bool, Error> {
        let Some(slot) = &lease.slot else { return Ok(false) };
        let mut registered = slot.registered.lock().await;
        if !*registered {
            // Without an answer it may still come true later.
            let mut naming = InFlightGuard::of([lease.clone()]);
            match registrar::register(&self.client, &slot.region).await {
                Ok(()) => *registered = true,
                Err(registrar::Refusal::Final(why)) => self.decline(why),
                Err(registrar::Refusal::Unheard(error)) => return Err(error),
            }
            naming.answered();
        }
        Ok(*registered)
    }

    fn decline(&self, why: String) {
        if self.set_inline(why) {
            self.declined.notify_one();
        }
    }

    /// Whether that is news.
    fn set_inline(&self, why: String) -> bool {
        let mut state = self.state();
        let news = state.inline.as_ref() != Some(&why);
        if news {
            tracing::warn!("tensors go to Triton inline, not through shared memory: {why}");
        }
        state.inline = Some(why);
        news
    }

    fn give_back(&self, slot: Slot, cut_off: bool) {
        let mut state = self.state();
        state.used -= 1;
        if cut_off {
            state.quarantined += 1;
            // Fails only where everything ends.
            let _ = self.retired.send(slot.region.name.clone());
        } else {
            state.free.push(slot);
        }
    }

    fn unmapped_by_triton(&self) {
        self.state().quarantined -= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.declined.notify_one();
    }
}

impl State {
    fn slot(&mut self, len: usize) -> std::io::Result<Slot> {
        let owner = match &mut self.owner {
            Some(owner) => owner,
            none => none.insert(Owner::new()?),
        };
        Ok(Slot { region: owner.region(len)?, registered: tokio::sync::Mutex::new(false) })
    }
}

/// Memory for one tensor.
#[derive(Debug)]
struct Slot {
    region: Region,
    registered: tokio::sync::Mutex<bool>,
}

/// A slot in use; goes back to the free ones, or into quarantine, when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    /// Always there until dropped.
    slot: Option<Slot>,
    /// A request that names this slot ended without Triton's answer.
    cut_off: AtomicBool,
    memory: Arc<Memory>,
}

impl Lease {
    /// The region's name; it begins at the first byte.
    pub(super) fn region(&self) -> &str {
        self.slot.as_ref().map_or("", |slot| &slot.region.name)
    }

    /// Triton has answered that it does not know the region.
    pub(super) async fn is_unknown(&self) {
        if let Some(slot) = &self.slot {
            *slot.registered.lock().await = false;
        }
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.slot.as_ref().map_or(&[], |slot| &slot.region)
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.slot.as_mut().map_or(&mut [], |slot| &mut slot.region)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.memory.give_back(slot, *self.cut_off.get_mut());
        }
    }
}

/// Slots that are named in a request on its way. Dropped before [`InFlightGuard::answered`], it quarantines them.
#[derive(Debug)]
pub(super) struct InFlightGuard {
    leases: Vec<Arc<Lease>>,
}

impl InFlightGuard {
    pub(super) fn of(leases: impl IntoIterator<Item = Arc<Lease>>) -> Self {
        Self { leases: leases.into_iter().collect() }
    }

    /// Triton's final answer is there.
    pub(super) fn answered(&mut self) -> Vec<Arc<Lease>> {
        std::mem::take(&mut self.leases)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        for lease in &self.leases {
            lease.cut_off.store(true, Ordering::Release);
        }
    }
}
