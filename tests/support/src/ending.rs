//! The end of a process of ours.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Triton ends its models first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks it to end, and waits. Killed, which is what comes after that, Triton may leave a model's process and its shared memory.
pub fn end(child: &mut Child) {
    let asked = matches!(child.try_wait(), Ok(None)) && signal(child, "TERM");
    let start = Instant::now();
    while asked && matches!(child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
}

/// Sends it a signal; whether that went.
pub fn signal(child: &Child, name: &str) -> bool {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).stderr(Stdio::null()).status();
    sent.as_ref().is_ok_and(ExitStatus::success)
}

/// The last lines of what it said.
pub fn last_words(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
