//! A warning that clients can cause at will: at most one line a second, so that they cannot fill the log.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

/// From one line to the next.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Warning {
    /// Writes the line: how many connections it stands for, and the last of them.
    write: Box<dyn Fn(u64, SocketAddr) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Not written yet, and the last of them.
    waiting: Option<(u64, SocketAddr)>,
    /// A line was written less than [`PAUSE`] ago.
    paused: bool,
}

impl Warning {
    pub(crate) fn new(write: impl Fn(u64, SocketAddr) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { write: Box::new(write), state: Mutex::default() })
    }

    /// Counts one connection. The first is written at once; those of the next second follow together at its end.
    pub(crate) fn count(self: &Arc<Self>, peer: SocketAddr) {
        let mut state = self.state();
        state.waiting = Some((state.waiting.map_or(0, |(count, _)| count) + 1, peer));
        if std::mem::replace(&mut state.paused, true) {
            return;
        }
        drop(state);
        self.write();
        let this = self.clone();
        tokio::spawn(async move {
            loop {
                sleep(PAUSE).await;
                if !this.write() {
                    return;
                }
            }
        });
    }

    /// Writes what waits; with nothing waiting, the pause is over.
    fn write(&self) -> bool {
        let mut state = self.state();
        let waiting = state.waiting.take();
        state.paused = waiting.is_some();
        drop(state);
        if let Some((count, peer)) = waiting {
            (self.write)(count, peer);
        }
        waiting.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warning").field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_a_second_says_how_many_it_stands_for() {
        let (write, lines) = mpsc::channel();
        let warning = Warning::new(move |count, peer| write.send((count, peer.port())).unwrap());
        let cause = |port: u16| warning.count(SocketAddr::from(([192, 0, 2, 1], port)));
        (1..=1000).for_each(cause);
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [(1, 1)]);
        sleep(PAUSE * 3 / 2).await;
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [(999, 1000)]);
        cause(2000);
        assert_eq!(lines.try_iter().count(), 0);
        sleep(PAUSE).await;
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [(1, 2000)]);
        // After a second without any, the next one is written at once again.
        sleep(PAUSE).await;
        cause(3000);
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [(1, 3000)]);
    }
}
