"""What happens on the machine itself: a sandbox is started, looked at, and taken away without a trace.

Everything of a sandbox lives in namespaces whose death takes it along. Only a link, cgroup directories, marked lines of
/etc/hosts and the state directory can outlive them; `stop` and every `start` remove those of the dead.
"""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from supervisor import cgroups, hosts
from supervisor.places import CACHE, CLUSTER, COREDNS, IMAGES, PYTHON, SOURCE, TINI, Places
from supervisor.process import run, wait_until

READY = "ready.json"
START_SECONDS = 60


class Failed(Exception):
    """An expected failure: what happened and what to do."""


@contextmanager
def locked(file: Path):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def machine():
    """Held while links, cgroups and /etc/hosts change: sandboxes share those."""
    return locked(CACHE / ".sandbox.lock")


MARK = re.compile(rb"\0supervisor\0--state\0([^\0]+)\0--number\0(\d+)\0$")


def _processes() -> list[tuple[int, Places]]:
    """The outer processes of every sandbox, told by their command lines: unlike a pid file these cannot lie."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                match = MARK.search((process / "cmdline").read_bytes())
            except OSError:
                continue
            if match:
                found.append((int(process.name), Places(Path(os.fsdecode(match[1])), int(match[2]))))
    return found


def running(state: Path) -> Places | None:
    return next((places for _, places in _processes() if places.state == state), None)


def start(state: Path) -> dict:
    with locked(state / ".lock"):
        if running(state):
            return ready(state)
        _check(state)
        with machine():
            _sweep()
            _empty(state)
            places = _reserve(state)
            shutil.rmtree(places.logs, ignore_errors=True)
            places.logs.mkdir()
            outer = _spawn(places)
        try:
            _wait_until_up(places, outer)
        except BaseException as error:
            _kill(state)
            if isinstance(error, KeyboardInterrupt):
                raise
            log = places.logs / "supervisor.log"
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
            raise Failed(f"the sandbox did not start: {error}\n{tail}\nlogs: {places.logs}") from error
        return ready(state)


def stop(state: Path) -> None:
    with locked(state / ".lock"):
        left = _kill(state)
        if left:
            raise Failed("stopped, but could not remove: " + ", ".join(left))


def ready(state: Path) -> dict:
    """What the supervisor told when it was up: endpoint, credentials, Docker socket."""
    if running(state) and (state / READY).exists():
        return json.loads((state / READY).read_text())
    raise Failed(f"no sandbox runs in {state}; start it: sandbox/run -s {state} start")


def _check(state: Path) -> None:
    if os.geteuid() != 0:
        raise Failed("the sandbox makes namespaces and network links: run it as root")
    missing = [str(path) for path in (TINI, CLUSTER, COREDNS, PYTHON, IMAGES / "registry") if not path.exists()]
    if missing:
        raise Failed(f"not built yet ({', '.join(missing)} missing); build it: sandbox/run build")
    if len(str(state)) > 80:
        raise Failed(f"{state} is too long: sockets lie in it, and their paths end at 107 characters")


def _reserve(state: Path) -> Places:
    """Make the link to the sandbox: its name is the reservation of a number."""
    taken = {address["local"].rsplit(".", 1)[0] for link in json.loads(run("ip", "-j", "-4", "addr")) for address in link["addr_info"]}
    for number in range(1, 255):
        places = Places(state, number)
        if f"198.18.{number}" in taken:
            continue
        try:
            run("ip", "link", "add", places.link, "type", "veth", "peer", "name", f"{places.link}p")
        except RuntimeError as error:
            if "File exists" in str(error):
                continue
            raise Failed(f"cannot make a network link: {error}") from error
        try:
            run("ip", "addr", "add", f"{places.host_address}/24", "dev", places.link)
            run("ip", "link", "set", places.link, "up")
        except RuntimeError:
            run("ip", "link", "del", places.link)
            raise
        return places
    raise Failed("all of 198.18.1.0/24 to 198.18.254.0/24 are in use on this machine")


def _spawn(places: Places) -> subprocess.Popen:
    """Start the namespaces with the supervisor in them, and hand them their end of the link."""
    unshare = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    supervisor = [str(PYTHON), "-m", "supervisor", "--state", str(places.state), "--number", str(places.number)]
    passed = {name: value for name, value in os.environ.items() if name.startswith("SANDBOX_")}
    environment = {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": str(Path.home()), "PYTHONPATH": str(SOURCE),
        "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(CACHE.parent), **passed,
    }
    try:
        with (places.logs / "supervisor.log").open("ab") as log:
            outer = subprocess.Popen(
                [*cgroups.entering(places.cgroup), *unshare, str(TINI), "--", *supervisor],
                env=environment, cwd="/", start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )

        def inner() -> int:
            if outer.poll() is not None:
                raise RuntimeError(f"unshare ended with status {outer.returncode}")
            return int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()[0])

        wait_until("the namespaces", inner, 10, every=0.01)
        run("ip", "link", "set", f"{places.link}p", "netns", str(inner()), "name", "eth0")
    except BaseException:
        run("ip", "link", "del", places.link)
        raise
    return outer


def _wait_until_up(places: Places, outer: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (places.state / READY).exists():
        if outer.poll() is not None:
            raise RuntimeError("the supervisor ended")
        if time.monotonic() > deadline:
            raise RuntimeError(f"not up within {START_SECONDS} s")
        time.sleep(0.05)


def _kill(state: Path) -> list[str]:
    """End the sandbox at once (nothing of its state is kept) and clean; returns what would not go."""

    def gone() -> bool:
        mine = [pid for pid, places in _processes() if places.state == state]
        for pid in mine:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not mine

    wait_until("the end of the sandbox's processes", gone, 30)
    with machine():
        left = _sweep()
        _empty(state)
    return left


def _sweep() -> list[str]:
    """Take away what dead sandboxes left on the machine; returns what would not go."""
    alive = [places for _, places in _processes()]
    states, links, groups = {str(p.state) for p in alive}, {p.link for p in alive}, {p.cgroup for p in alive}
    for owner in hosts.owners() - states:
        hosts.change(owner, {})
    for link in {path.name for path in Path("/sys/class/net").glob("tdsb*")} - links - {f"{link}p" for link in links}:
        # Both ends go with either; the kernel may also be about to remove them by itself.
        subprocess.run(["ip", "link", "del", link], check=False, stderr=subprocess.DEVNULL)
    left = []
    for group in cgroups.named("tritondeploy-sandbox-") - groups:
        left += cgroups.remove(group)
    return left


def _empty(state: Path) -> None:
    """Remove all but the logs, which tell why a sandbox ended."""
    for entry in state.iterdir() if state.exists() else ():
        if entry.name in (".lock", "logs"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
