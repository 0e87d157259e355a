//! What a Triton that crashed leaves behind: its models' processes, and their shared memory.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Everything that has this at the beginning of its shared memory's name goes when this is dropped.
#[derive(Debug)]
pub struct Leftovers {
    prefix: String,
}

impl Default for Leftovers {
    /// For a Triton that this process starts.
    fn default() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { prefix: format!("tritondeploy-triton-{}-{number}-", std::process::id()) }
    }
}

impl Leftovers {
    /// What Triton is told: a backend that is written in Python asks under its own name.
    pub fn arguments(&self) -> [String; 2] {
        ["python", "onnxruntime"].map(|backend| format!("--backend-config={backend},shm-region-prefix-name={}", self.prefix))
    }

    /// Ends the processes, and removes the memory, of a Triton that does not run.
    pub fn clear(&self) {
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) =
                process.file_name().to_str().filter(|name| name.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned)
            else {
                continue;
            };
            let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
            // Our own regions are an argument of the Python backend's processes, and of nothing else.
            if words.split(|byte| *byte == 0).any(|word| word.starts_with(self.prefix.as_bytes())) {
                drop(Command::new("kill").args(["-KILL", &pid]).stderr(Stdio::null()).status());
            }
        }
        for region in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if region.file_name().to_string_lossy().starts_with(&self.prefix) {
                drop(fs::remove_file(region.path()));
            }
        }
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_goes_and_what_is_not_stays() {
        let leftovers = Leftovers::default();
        let (ours, others) = (format!("/dev/shm/{}x", leftovers.prefix), format!("/dev/shm/bench-other-{}", std::process::id()));
        fs::write(&ours, "x").unwrap();
        fs::write(&others, "x").unwrap();
        // It waits for words that never come, without a child that would live on.
        let waits = ["-c", "read words", &format!("{}y", leftovers.prefix)];
        let mut orphan = Command::new("sh").args(waits).stdin(Stdio::piped()).spawn().unwrap();
        // The kernel lets a parent go on before the child's words can be read.
        let words = format!("/proc/{}/cmdline", orphan.id());
        while !String::from_utf8_lossy(&fs::read(&words).unwrap()).contains(&leftovers.prefix) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        drop(leftovers);
        assert!(!fs::exists(&ours).unwrap() && fs::exists(&others).unwrap());
        assert!(!orphan.wait().unwrap().success());
        fs::remove_file(others).unwrap();
    }
}
