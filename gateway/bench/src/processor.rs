//! What processes have used of the processors, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::failure::{Doing, Failure};

/// Linux tells times in hundredths of a second to every program, whatever its own tick is.
const TICK: Duration = Duration::from_millis(10);

/// A process and all that it has started, under the name that a report gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) role: Role,
    pub(crate) pid: u32,
}

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    Gateway,
    Triton,
    Objects,
    /// This process: the clients, and the loops without a gateway.
    Tool,
}

/// Processor time since the start of each, and of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    by_role: HashMap<Role, Duration>,
    machine: Duration,
}

impl Times {
    /// As of now.
    pub(crate) fn now(watched: &[Watched]) -> Result<Self, Failure> {
        let mut processes = HashMap::new();
        for entry in fs::read_dir("/proc").doing("reading /proc")?.flatten() {
            // One that ends meanwhile is none of ours: ours are waited for.
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            if let Some(process) = fs::read_to_string(entry.path().join("stat")).ok().and_then(|stat| parse(&stat)) {
                processes.insert(pid, process);
            }
        }
        let machine = fs::read_to_string("/proc/stat").doing("reading /proc/stat")?;
        let machine = busy(&machine).ok_or_else(|| Failure("/proc/stat has no line of all processors".to_owned()))?;
        Ok(Self { by_role: add_up(watched, &processes), machine })
    }

    /// What a role used since `before`.
    pub(crate) fn used(&self, before: &Self, role: Role) -> Duration {
        let of = |times: &Self| times.by_role.get(&role).copied().unwrap_or_default();
        of(self).saturating_sub(of(before))
    }

    /// What everything that is not watched used since `before`: the rest of the machine.
    pub(crate) fn others(&self, before: &Self) -> Duration {
        let ours: Duration = self.by_role.keys().map(|role| self.used(before, *role)).sum();
        self.machine.saturating_sub(before.machine).saturating_sub(ours)
    }
}

struct Process {
    parent: u32,
    ticks: u32,
}

fn add_up(watched: &[Watched], processes: &HashMap<u32, Process>) -> HashMap<Role, Duration> {
    let mut sums: HashMap<Role, Duration> = watched.iter().map(|w| (w.role, Duration::ZERO)).collect();
    for (pid, process) in processes {
        // The nearest watched ancestor has it: Triton is a child of this tool, and still not the tool.
        let mut at = *pid;
        let owner = loop {
            if let Some(found) = watched.iter().find(|w| w.pid == at) {
                break Some(found.role);
            }
            match processes.get(&at).map(|p| p.parent) {
                Some(parent) if parent != at => at = parent,
                _ => break None,
            }
        };
        if let Some(role) = owner {
            *sums.entry(role).or_default() += TICK * process.ticks;
        }
    }
    sums
}

/// The parent, and user plus system time, of a line of proc_pid_stat(5).
fn parse(stat: &str) -> Option<Process> {
    // The name in parentheses may hold anything, parentheses too.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
    Some(Process { parent: number(4)?, ticks: number(14)? + number(15)? })
}

/// Time that was not idle, of the first line of proc_stat(5): all but idle (4th) and iowait (5th); guests are in user.
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u32> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    Some(TICK * ticks.iter().enumerate().filter(|(i, _)| !matches!(i, 3 | 4) && *i < 8).map(|(_, t)| t).sum::<u32>())
}

/// Resident memory of one process, in bytes: what is its own, and what it shares (files, shared memory).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) own: u64,
    pub(crate) shared: u64,
}

impl Resident {
    /// As of now.
    pub(crate) fn of(pid: u32) -> Result<Self, Failure> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).doing("reading a process's status")?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
        };
        let told = || Some(Self { own: bytes("RssAnon")?, shared: bytes("RssFile")? + bytes("RssShmem")? });
        told().ok_or_else(|| Failure(format!("process {pid} does not tell its memory: it ended")))
    }

    pub(crate) fn all(self) -> u64 {
        self.own + self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "77 (a (strange) name) S 12 77 77 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 3 0 1 2 3";

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let process = parse(LINE).unwrap();
        assert_eq!((process.parent, process.ticks), (12, 200));
        assert!(parse("77 (short) S 1").is_none());
    }

    #[test]
    fn children_count_for_their_nearest_watched_ancestor() {
        let process = |parent, ticks| Process { parent, ticks };
        let processes = HashMap::from([
            (1, process(0, 1000)),
            (10, process(1, 7)),
            (20, process(10, 100)),
            (21, process(20, 30)),
            (22, process(21, 3)),
            (99, process(1, 500)),
        ]);
        let watched = [Watched { role: Role::Tool, pid: 10 }, Watched { role: Role::Triton, pid: 20 }];
        let sums = add_up(&watched, &processes);
        assert_eq!(sums[&Role::Tool], TICK * 7);
        assert_eq!(sums[&Role::Triton], TICK * 133);
    }

    #[test]
    fn the_machine_is_busy_but_for_idle_and_waiting() {
        assert_eq!(busy("cpu  10 1 5 1000 100 2 3 4 50 0\ncpu0 1 1 1 1 1"), Some(TICK * 25));
        assert_eq!(busy("intr 5"), None);
    }

    #[test]
    fn this_process_is_seen_to_work() {
        let watched = [Watched { role: Role::Tool, pid: std::process::id() }];
        let before = Times::now(&watched).unwrap();
        let start = std::time::Instant::now();
        while Times::now(&watched).unwrap().used(&before, Role::Tool) < TICK * 3 {
            assert!(start.elapsed() < Duration::from_secs(60), "no processor time is seen");
        }
        assert!(Resident::of(std::process::id()).unwrap().all() > 1 << 20);
    }
}
