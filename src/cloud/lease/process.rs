//! Which process holds a lease, so that another on the same machine can tell that it is dead.

use std::io::ErrorKind;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process of one boot of one machine. A process id alone is soon another's, and means something else in each container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// What Linux calls this boot; empty where it does not tell.
    pub boot_id: String,
    /// The namespace in which `pid` counts, as `/proc/self/ns/pid` names it; empty where it does not tell.
    pub pid_namespace: String,
    /// Its id.
    pub pid: u32,
    /// When it was started, in clock ticks since boot; 0 where Linux does not tell.
    pub process_start: u64,
}

/// What Linux says of a process.
struct Stat {
    is_over: bool,
    start: u64,
}

impl Process {
    /// This one.
    pub fn this() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let pid_namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let pid = std::process::id();
        Self {
            boot_id: boot_id.trim().to_owned(),
            pid_namespace: pid_namespace.display().to_string(),
            pid,
            process_start: stat(pid).ok().flatten().map_or(0, |stat| stat.start),
        }
    }

    /// It ran on this machine since it was booted, in the namespace in which we run, and does not run any more. Whatever
    /// cannot be told is no proof of that.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        let here = Self::this();
        let known = !self.boot_id.is_empty() && !self.pid_namespace.is_empty() && self.process_start > 0;
        let same = self.boot_id == here.boot_id && self.pid_namespace == here.pid_namespace;
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let (Some(pid), true) = (pid, known && same) else { return false };
        // /proc may hide the processes of others (hidepid), which is no sign of death; a signal's check does not hide them.
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return true;
        }
        matches!(stat(self.pid), Ok(Some(stat)) if stat.is_over || stat.start != self.process_start)
    }
}

/// None: what Linux says is not understood.
fn stat(pid: u32) -> std::io::Result<Option<Stat>> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(line) => Ok(parsed(&line)),
        Err(why) if why.kind() == ErrorKind::InvalidData => Ok(None),
        Err(why) => Err(why),
    }
}

/// Of `PID (NAME) STATE ...`: the third field and the 22nd. A name may hold anything, parentheses too.
fn parsed(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    // A zombie, or one that is being removed: it does nothing any more, and waits for its parent to look.
    Some(Stat { is_over: matches!(state, "Z" | "X" | "x"), start: fields.nth(18)?.parse().ok()? })
}

/// The host's name.
#[must_use]
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Since boot, the time included in which the machine slept: a lease ends in that time, too.
#[must_use]
pub(super) fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn of(pid: u32) -> Process {
        Process { pid, process_start: stat(pid).unwrap().unwrap().start, ..Process::this() }
    }

    #[test]
    fn a_process_is_dead_once_it_was_killed_even_before_its_parent_looks() {
        assert!(!Process::this().is_dead());
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let process = of(child.id());
        assert!(!process.is_dead());
        child.kill().unwrap();
        while !process.is_dead() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(process.is_dead());
    }

    #[test]
    fn another_process_with_its_id_is_not_it() {
        let earlier = Process { process_start: Process::this().process_start - 1, ..Process::this() };
        assert!(earlier.is_dead());
    }

    #[test]
    fn what_runs_elsewhere_or_cannot_be_told_is_not_known_to_be_dead() {
        let nobody = Process { pid: u32::try_from(i32::MAX).unwrap(), ..Process::this() };
        assert!(nobody.is_dead());
        for elsewhere in [
            Process { boot_id: "of another machine".to_owned(), ..nobody.clone() },
            Process { pid_namespace: "pid:[1]".to_owned(), ..nobody.clone() },
            Process { boot_id: String::new(), ..nobody.clone() },
            Process { process_start: 0, ..nobody.clone() },
            Process { pid: 0, ..nobody },
            Process::default(),
        ] {
            assert!(!elsewhere.is_dead(), "{elsewhere:?}");
        }
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_move_the_fields() {
        let fields: Vec<String> = (3..=52).map(|field| field.to_string()).collect();
        let line = format!("7 (a) S 1 (b) R {}\n", fields[1..].join(" "));
        let stat = parsed(&line).unwrap();
        assert!(!stat.is_over && stat.start == 22);
        assert!(parsed("7 (a) Z 1 2").is_none() && parsed("").is_none());
    }
}
