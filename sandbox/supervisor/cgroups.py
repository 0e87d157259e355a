"""A subtree of every cgroup hierarchy for each sandbox and each node, so that nothing of theirs lies outside it.

Works on cgroup v1 (one hierarchy a controller) and v2. A process that enters a subtree and then a cgroup namespace
sees the subtree as the root: kubelets and Docker daemons find no trace of each other or of the machine.
"""

import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def _mounts() -> list[tuple[Path, str, str]]:
    """Where this process sees hierarchies: (mount point, file system, controllers)."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            named = [o for o in options.split(",") if o not in ("rw", "ro") and not o.startswith(("release_agent=", "clone"))]
            found.append((Path(before.split(" ")[4]), kind, ",".join(named)))
    return found


def entering(name: str) -> list[str]:
    """Make the subtree `name` below what we see as the root; returns the words before a command that shall see it as
    its own root, in a cgroup namespace.
    """
    enter, step_aside = [], []
    for point, kind, _ in _mounts():
        directory = point / name
        if kind == "cgroup2":
            _delegate(point)
        directory.mkdir(parents=True, exist_ok=True)
        if (directory / "cpuset.cpus").exists() and kind == "cgroup":
            # A new v1 cpuset is empty, and takes no process before it is filled.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (directory / file).write_text((point / file).read_text())
        enter.append(f"echo $$ >{directory}/cgroup.procs")
        if kind == "cgroup2":
            # v2 lets no process stay beside delegated children: once the namespace has its root, make room there.
            (directory / "outer").mkdir(exist_ok=True)
            step_aside.append(f"echo $$ >{directory}/outer/cgroup.procs")
    inner = " && ".join([*step_aside, 'exec "$@"'])
    outer = " && ".join([*enter, f"exec unshare --cgroup sh -c '{inner}' sh \"$@\""])
    return ["sh", "-c", outer, "sh"]


def _delegate(directory: Path) -> None:
    """cgroup v2: hand every controller to the children."""
    for controller in (directory / "cgroup.controllers").read_text().split():
        try:
            (directory / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            pass  # A controller that real-time processes hold, for one: the rest will do.


def mount(run) -> None:
    """Inside a fresh mount and cgroup namespace: replace /sys by one that shows our network and only our subtree."""
    seen = _mounts()
    run("umount", "-R", "/sys")
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    if [kind for _, kind, _ in seen] == ["cgroup2"]:
        run("mount", "-t", "cgroup2", "cgroup2", str(ROOT))
        _delegate(ROOT)
        return
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(ROOT))
    for point, kind, options in seen:
        point.mkdir(exist_ok=True)
        run("mount", "-t", kind, *(["-o", options] if kind == "cgroup" else []), kind, str(point))


def named(prefix: str) -> set[str]:
    """The subtrees that exist in any hierarchy."""
    return {path.name for point, _, _ in _mounts() for path in point.glob(prefix + "*")}


def remove(name: str) -> list[str]:
    """Remove the subtree everywhere, deepest first; returns what would not go."""
    left = []
    for point, _, _ in _mounts():
        top = point / name
        deepest_first = sorted((Path(d) for d, _, _ in os.walk(top)), key=lambda d: -len(d.parts)) if top.exists() else []
        for directory in deepest_first:
            if not _rmdir(directory):
                left.append(str(directory))
    return left


def _rmdir(directory: Path) -> bool:
    # Processes that were killed may take a moment to leave.
    for _ in range(50):
        try:
            directory.rmdir()
            return True
        except FileNotFoundError:
            return True
        except OSError:
            time.sleep(0.1)
    return False
