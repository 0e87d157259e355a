"""Packs a root directory as a container image in docker-archive form. Usage: image.py ROOT FILE NAME

The form: https://github.com/moby/docker-image-spec (save and load): manifest.json, the configuration and one layer.
"""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

# The machine that runs the image fills these; device nodes need not travel.
EMPTY = ("dev", "proc", "sys", "run", "tmp")
EPOCH = 1  # Times are no content: the same files give the same image.


def main() -> None:
    root, target, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    layer = target.with_name(target.name + ".layer")
    try:
        pack(root, layer)
        with layer.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        config = json.dumps(configuration(digest)).encode()
        config_name = hashlib.sha256(config).hexdigest() + ".json"
        manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
        with tarfile.open(target, "w") as archive:
            add(archive, "manifest.json", json.dumps(manifest).encode())
            add(archive, config_name, config)
            archive.add(layer, f"{digest}/layer.tar", filter=plain)
    finally:
        layer.unlink(missing_ok=True)


def configuration(layer: str) -> dict:
    """Entry, environment and labels of NVIDIA's image, as far as a pod sees them."""
    path = "/opt/tritonserver/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-10-25T00:00:00Z",
        "config": {
            "Env": [f"PATH={path}", "TRITON_SERVER_VERSION=2.51.0", "NVIDIA_TRITON_SERVER_VERSION=24.10"],
            "Cmd": ["tritonserver"],
            "WorkingDir": "/opt/tritonserver",
            "Labels": {"com.nvidia.tritonserver.version": "2.51.0"},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": "2024-10-25T00:00:00Z", "created_by": "debootstrap and nvidia-pytriton"}],
    }


def pack(root: Path, target: Path) -> None:
    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if member.name.partition("/")[0] in EMPTY and "/" in member.name:
            return None
        if member.name == "tmp":
            member.mode = 0o1777
        return plain(member, owner=(member.uid, member.gid))

    with tarfile.open(target, "w") as archive:
        for path in sorted(root.iterdir()):
            archive.add(path, path.name, filter=wanted)


def plain(member: tarfile.TarInfo, owner=(0, 0)) -> tarfile.TarInfo:
    member.mtime = EPOCH
    member.uid, member.gid = owner
    member.uname = member.gname = ""
    return member


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), EPOCH
    archive.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main()
