//! Logs: one JSON object a line for machines, plain lines on a terminal. No payload is ever logged.
//!
//! Lines leave by a thread of their own: whoever logs waits neither for the system call nor for a pipe that nobody reads.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

/// Lines that may wait, in bytes; what comes beyond is lost, and said to be.
const WAITING: usize = 4 << 20;

/// Lines of so long leave together.
const TOGETHER: Duration = Duration::from_millis(20);

/// After the last lines, more are looked for at that pace for so long; then the thread sleeps until it is woken, which takes
/// whoever logs as long as a small request.
const AWAKE: Duration = Duration::from_secs(2);

/// The longest wait for the last lines.
const LAST: Duration = Duration::from_secs(1);

static LINES: OnceLock<Lines> = OnceLock::new();

/// Writes logs to stderr from now on. `RUST_LOG` chooses what; by default our own from info, others from warn.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,tritondeploy_gateway=info"));
    let lines = LINES.get_or_init(|| Lines::to(io::stderr()));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| lines.clone());
    let set = if io::stderr().is_terminal() {
        logs.compact().try_init()
    } else {
        logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    // Somebody who embeds us (a test) has set up logs already.
    drop(set);
}

/// Waits until every line is written, or cannot be; the last thing before the process ends.
pub fn finish() {
    if let Some(lines) = LINES.get() {
        lines.finish(LAST);
    }
}

/// Lines on their way.
#[derive(Clone)]
struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    some: Condvar,
    none: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Bytes that are being written.
    writing: usize,
    lost: u64,
    /// Somebody waits for the end.
    hurried: bool,
    /// The thread waits to be woken.
    asleep: bool,
}

impl Lines {
    fn to(sink: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let lines = Self(shared.clone());
        // Without a thread there are no logs, which is no reason not to serve.
        drop(std::thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_to(sink)));
        lines
    }

    fn finish(&self, longest: Duration) {
        let mut state = self.0.state();
        state.hurried = true;
        self.0.some.notify_one();
        let busy = |state: &mut State| !state.waiting.is_empty() || state.writing > 0;
        drop(self.0.none.wait_timeout_while(state, longest, busy));
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.waiting.len() + line.len() > WAITING {
            state.lost += 1;
            return Ok(line.len());
        }
        state.waiting.extend_from_slice(line);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.0.some.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut idle = Duration::ZERO;
        loop {
            let mut state = self.state();
            if idle >= AWAKE {
                state.asleep = true;
                state =
                    self.some.wait_while(state, |state| state.asleep && !state.hurried).unwrap_or_else(PoisonError::into_inner);
                state.asleep = false;
            }
            // One call writes what comes meanwhile; at the end there is no time for that.
            let waited = self.some.wait_timeout_while(state, TOGETHER, |state| !state.hurried);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.waiting.is_empty() {
                idle += TOGETHER;
                // Nobody hurries what is not there.
                state.hurried = false;
                continue;
            }
            idle = Duration::ZERO;
            let (lines, lost) = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.lost));
            state.writing = lines.len();
            drop(state);
            // Where logs cannot be written there is nobody to tell.
            let _ = sink.write_all(&lines);
            if lost > 0 {
                let _ =
                    writeln!(sink, "{{\"level\":\"WARN\",\"message\":\"{lost} lines of the log are lost: nobody reads it\"}}");
            }
            self.state().writing = 0;
            self.none.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Tells what is written, and waits for leave to.
    struct Slow(mpsc::Sender<Vec<u8>>, mpsc::Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.recv().map_err(io::Error::other)?;
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whoever_logs_does_not_wait_and_is_told_what_is_lost() {
        let ((written, told), (leave, allowed)) = (mpsc::channel(), mpsc::channel());
        let mut lines = Lines::to(Slow(written, allowed));
        let line = vec![b'x'; 1 << 20];
        lines.write_all(b"first\n").unwrap();
        // More than may wait, while the first write hangs.
        std::thread::sleep(TOGETHER * 4);
        for _ in 0..6 {
            lines.write_all(&line).unwrap();
        }
        lines.finish(Duration::from_millis(20));
        (0..10).for_each(|_| leave.send(()).unwrap());
        lines.finish(Duration::from_secs(10));
        let all: Vec<u8> = told.try_iter().flatten().collect();
        assert!(all.starts_with(b"first\nxxx"), "{} bytes", all.len());
        let end = String::from_utf8_lossy(&all[all.len() - 100..]).into_owned();
        assert!(end.contains("2 lines of the log are lost"), "{end}");
    }
}
