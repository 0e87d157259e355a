"""Lines in a hosts file that carry a mark, so that only what a sandbox wrote is ever taken away again."""

import fcntl
from pathlib import Path

FILE = Path("/etc/hosts")
MARK = "# tritondeploy sandbox "


def change(owner: str, add: dict[str, str], file: Path = FILE) -> None:
    """Replace the lines of `owner` (a sandbox's state directory) by `add`: name -> address."""
    with file.open("r+") as opened:
        # In place and under a lock: the file may be a mount of its own, and sandboxes run side by side.
        fcntl.flock(opened, fcntl.LOCK_EX)
        text = opened.read()
        kept = [line for line in text.splitlines(keepends=True) if not line.rstrip("\n").endswith(MARK + owner)]
        if add and kept and not kept[-1].endswith("\n"):
            kept[-1] += "\n"
        new = "".join(kept) + "".join(f"{address} {name} {MARK}{owner}\n" for name, address in sorted(add.items()))
        if new == text:
            return
        opened.seek(0)
        opened.write(new)
        opened.truncate()


def owners(file: Path = FILE) -> set[str]:
    """The state directories that have lines in the file."""
    return {line.split(MARK, 1)[1] for line in file.read_text().splitlines() if MARK in line}
