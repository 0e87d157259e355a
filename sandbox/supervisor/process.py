"""Programs that a sandbox keeps running: each with a log of its own, started again when it ends by itself."""

import logging
import os
import subprocess
import threading
import time
from pathlib import Path

log = logging.getLogger("process")


class Process:
    def __init__(self, name: str, command: list, environment: dict[str, str], logs: Path, restart: bool = True):
        self.name, self.command, self.environment = name, [str(part) for part in command], environment
        self._restart = restart
        self.logfile = logs / f"{name}.log"
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._start()
        self._watcher = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)
        self._watcher.start()

    def _start(self) -> None:
        self.logfile.parent.mkdir(parents=True, exist_ok=True)
        with self.logfile.open("ab") as output:
            self._child = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def _watch(self) -> None:
        pause = 0.5
        while True:
            status = self._child.wait()
            with self._lock:
                if self._stopping.is_set():
                    return
            again = "; starting it again" if self._restart else ""
            log.warning("%s ended with status %s, see %s%s", self.name, status, self.logfile, again)
            if not self._restart:
                return
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, 10)
            with self._lock:
                if not self._stopping.is_set():
                    self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def stop(self, patience: float = 5) -> None:
        with self._lock:
            self._stopping.set()
            self._child.terminate()
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def last_words(self, lines: int = 8) -> str:
        """The end of its log, for an error message."""
        try:
            return "\n".join(self.logfile.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""


def run(*command: str, environment: dict[str, str] | None = None, stdin: str | None = None) -> str:
    """Run a program to its end; its own words become the error."""
    done = subprocess.run(command, env=environment or dict(os.environ), input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {words}")
    return done.stdout


def wait_until(what: str, true, timeout: float, every: float = 0.05) -> None:
    """Wait until `true()`; the last exception or a plain time-out becomes the error."""
    deadline, why = time.monotonic() + timeout, ""
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except Exception as error:  # noqa: BLE001 - whatever stands in the way now may be gone at the next look
            why = f": {error}"
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {timeout:.0f} s{why}")
