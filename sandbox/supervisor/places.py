"""Where things lie: the cache that all sandboxes share, the state of one sandbox, and its addresses."""

import os
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tritondeploy"
DEBS = CACHE / "debs"
CLUSTER = CACHE / "bin" / "cluster"
COREDNS = CACHE / "bin" / "coredns"
IMAGES = CACHE / "images"
PYTHON = CACHE / "venv/bin/python"
TINI = DEBS / "usr/bin/tini-static"
SOURCE = Path(__file__).resolve().parent.parent

AWS_PORT = 4566
REGISTRY_PORT = 5000


def program_environment() -> dict[str, str]:
    """The environment of unpacked Debian programs: their folders first, their libraries, iptables' extensions."""
    libraries = DEBS / "usr/lib/x86_64-linux-gnu"
    return {
        "PATH": f"{DEBS}/usr/sbin:{DEBS}/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LD_LIBRARY_PATH": str(libraries),
        "XTABLES_LIBDIR": str(libraries / "xtables"),
    }


@dataclass(frozen=True)
class Places:
    """One sandbox. `number` is free on this machine: it names the link to it and its network."""

    state: Path
    number: int

    @property
    def link(self) -> str:
        return f"tdsb{self.number}"

    @property
    def host_address(self) -> str:
        return f"198.18.{self.number}.1"

    @property
    def address(self) -> str:
        return f"198.18.{self.number}.2"

    @property
    def aws_endpoint(self) -> str:
        return f"http://{self.address}:{AWS_PORT}"

    @property
    def registry_host(self) -> str:
        return f"{self.address}:{REGISTRY_PORT}"

    @property
    def cgroup(self) -> str:
        return f"tritondeploy-sandbox-{self.number}"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def docker_socket(self) -> Path:
        return self.state / "docker.sock"
