//! Control groups, version 1 or 2. One limits the attacker's processor time: on a machine of two cores an unlimited attacker
//! would slow the polite client down by itself. The other gives the gateway the memory limit of its pod: an attack that works
//! would take the whole machine's memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Doing, Failure};

/// Names of ours, followed by the id of the process that made the group.
const PREFIX: &str = "tritondeploy-hostile-";

/// The period of the quota, in microseconds. With the kernel's default of 100 ms a limited process attacks in long bursts.
const PERIOD: u64 = 20_000;

/// What a group limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// A share of one processor.
    Processor(f64),
    /// Bytes.
    Memory(u64),
}

impl Limit {
    fn controller(self) -> &'static str {
        match self {
            Self::Processor(_) => "cpu",
            Self::Memory(_) => "memory",
        }
    }

    /// Files and what is written into them.
    fn settings(self, version: Version) -> Vec<(&'static str, String)> {
        match (self, version) {
            (Self::Processor(share), Version::One) => vec![
                ("cpu.cfs_period_us", PERIOD.to_string()),
                ("cpu.cfs_quota_us", ((PERIOD as f64 * share) as u64).to_string()),
            ],
            (Self::Processor(share), Version::Two) => {
                vec![("cpu.max", format!("{} {PERIOD}", (PERIOD as f64 * share) as u64))]
            }
            (Self::Memory(bytes), Version::One) => vec![("memory.limit_in_bytes", bytes.to_string())],
            (Self::Memory(bytes), Version::Two) => vec![("memory.max", bytes.to_string())],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A group; removed when dropped.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
}

impl Group {
    /// Makes one for a limit.
    pub(crate) fn new(limit: Limit) -> Result<Self, Failure> {
        let mounts = fs::read_to_string("/proc/self/mounts").doing("reading /proc/self/mounts")?;
        let controllers = |root: &Path| fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        let (root, version) = hierarchy(&mounts, limit.controller(), controllers)
            .ok_or_else(|| Failure(format!("no control group hierarchy has the controller {}", limit.controller())))?;
        remove_abandoned(&root);
        if version == Version::Two {
            // An error here shows below: without the controller the new group has none of the files.
            drop(fs::write(root.join("cgroup.subtree_control"), format!("+{}", limit.controller())));
        }
        let folder = root.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&folder).doing(format!("making the control group {}", folder.display()))?;
        let group = Self { folder };
        for (file, value) in limit.settings(version) {
            let file = group.folder.join(file);
            fs::write(&file, value).doing(format!("writing {}", file.display()))?;
        }
        Ok(group)
    }

    /// Takes a process in, with what it starts from then on.
    pub(crate) fn add(&self, pid: u32) -> Result<(), Failure> {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string()).doing("moving a process into its control group")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel may count a process for a moment after it was waited for.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() || !self.folder.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Where a controller's groups are.
fn hierarchy(mounts: &str, controller: &str, controllers: impl Fn(&Path) -> String) -> Option<(PathBuf, Version)> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (folder, kind, options) = (Path::new(fields.next()?), fields.next()?, fields.next()?);
        match kind {
            "cgroup" if options.split(',').any(|option| option == controller) => Some((folder.to_owned(), Version::One)),
            "cgroup2" if controllers(folder).split_whitespace().any(|name| name == controller) => {
                Some((folder.to_owned(), Version::Two))
            }
            _ => None,
        }
    })
}

/// Removes groups whose maker was killed.
fn remove_abandoned(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|pid| pid.parse::<u32>().ok());
        if maker.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Refused while a process is in it.
            drop(fs::remove_dir(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "cgroup /sys/fs/cgroup/cpuacct cgroup rw,relatime,cpuacct 0 0\n\
                       cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n\
                       cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
    const TWO: &str = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";

    #[test]
    fn the_hierarchy_of_either_version_is_found() {
        let one = hierarchy(ONE, "cpu", |_| String::new());
        assert_eq!(one, Some((PathBuf::from("/sys/fs/cgroup/cpu"), Version::One)));
        let two = hierarchy(TWO, "memory", |_| "cpuset cpu io memory pids".to_owned());
        assert_eq!(two, Some((PathBuf::from("/sys/fs/cgroup"), Version::Two)));
        assert_eq!(hierarchy(ONE, "memory", |_| String::new()), None);
        assert_eq!(hierarchy(TWO, "cpu", |_| "cpuset".to_owned()), None);
    }

    #[test]
    fn a_limit_is_written_as_either_version_wants_it() {
        let settings = |limit: Limit, version| limit.settings(version);
        let quota = [("cpu.cfs_period_us", "20000".to_owned()), ("cpu.cfs_quota_us", "10000".to_owned())];
        assert_eq!(settings(Limit::Processor(0.5), Version::One), quota);
        assert_eq!(settings(Limit::Processor(0.5), Version::Two), [("cpu.max", "10000 20000".to_owned())]);
        assert_eq!(settings(Limit::Memory(7), Version::Two), [("memory.max", "7".to_owned())]);
    }
}
