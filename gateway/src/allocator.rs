//! Memory that nobody uses goes back to the system: a pod's is counted by what it has, not by what it needs.

use std::sync::Arc;
use std::time::Duration;

// What is declared below is in it.
use mimalloc as _;
use tokio::time::sleep;

use crate::inference::Engine;

/// With nothing running for so long, a peak is over.
const QUIET: Duration = Duration::from_secs(5);

#[allow(unsafe_code, reason = "the allocator's crate does not offer it")]
unsafe extern "C" {
    /// mimalloc's: gives back what this thread's heap, and those of threads that have ended, do not use.
    fn mi_collect(force: bool);
}

/// Gives back what the calling thread and those that have ended do not use. The allocator would keep it until they allocate
/// again, which a thread that ends never does.
pub fn give_back() {
    #[allow(unsafe_code, reason = "the allocator's crate does not offer it")]
    // SAFETY: it takes no memory of ours, and may be called by any thread at any time.
    unsafe {
        mi_collect(true);
    }
}

/// Gives back what the socket thread does not use, once after each time that something ran. Runs for ever.
pub async fn give_back_when_quiet(engine: Arc<Engine>) {
    let (mut begun, mut collected) = (0, 0);
    loop {
        sleep(QUIET).await;
        let before = begun;
        begun = engine.begun();
        if begun == before && begun != collected && engine.is_quiet() {
            give_back();
            collected = begun;
        }
    }
}
