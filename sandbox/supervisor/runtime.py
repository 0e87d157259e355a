"""A node's containerd: its configuration, and where it finds registries."""

import json
from pathlib import Path

from supervisor.places import DEBS, program_environment
from supervisor.process import run

# Public registries, which nodes reach in the sandbox's own one, under mirror/HOST/.
PUBLIC = ("nvcr.io", "registry.k8s.io", "public.ecr.aws", "docker.io", "quay.io", "ghcr.io")
EKS_ACCOUNT = "602401143452"
PLUGINS = f"{DEBS}/usr/lib/cni"


def eks_registry(region: str) -> str:
    """Where EKS's own images are; every region has a copy."""
    return f"{EKS_ACCOUNT}.dkr.ecr.{region}.amazonaws.com"


def write(directory: Path, registry, region: str, gpus: Path) -> None:
    registries = directory / "registries"
    for host in PUBLIC:
        _write_hosts(registries / host, registry, f"mirror/{host}")
    _write_hosts(registries / eks_registry(region), registry, "mirror/eks")
    _write_hosts(registries / registry.host, registry, None)
    (directory / "cni").mkdir()
    (directory / "base-spec.json").write_text(json.dumps(_base_spec(gpus)))
    data = directory / "containerd"
    data.mkdir()
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    (directory / "containerd.toml").write_text(f"""\
version = 2
root = "{data}"
state = "/run/containerd"
disabled_plugins = [{", ".join(f'"io.containerd.snapshotter.v1.{name}"' for name in ("devmapper", "btrfs", "zfs", "aufs"))}]
[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"
[grpc]
  address = "/run/containerd/containerd.sock"
[{cri}]
  sandbox_image = "{eks_registry(region)}/eks/pause:3.10"
  restrict_oom_score_adj = true
  disable_apparmor = true
[{cri}.registry]
  config_path = "{registries}"
[{cri}.cni]
  bin_dir = "{PLUGINS}"
  conf_dir = "{directory}/cni"
[{cri}.containerd]
  snapshotter = "{snapshotter(directory)}"
  default_runtime_name = "runc"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = "{directory}/base-spec.json"
""")


def _write_hosts(directory: Path, registry, mirror: str | None) -> None:
    """Our registry speaks plain HTTP; a mirror's reader gets in as a public registry lets everybody in.

    It is the server itself, and no host before it: of an image that a host has not, containerd would ask the server of that
    name next, which nobody reaches from here, and tell of that. Version 1.6 wants a table of hosts all the same.
    """
    directory.mkdir(parents=True)
    lines = [f'server = "http://{registry.host}"', 'capabilities = ["pull", "resolve"]']
    if mirror is not None:
        lines = [f'server = "http://{registry.host}/v2/{mirror}"', lines[1], "override_path = true"]
        lines += ["[header]", f'  Authorization = ["{registry.authorization}"]']
    lines.append("[host]")
    (directory / "hosts.toml").write_text("\n".join(lines) + "\n")


def _base_spec(gpus: Path) -> dict:
    """What every container starts from: runc's usual spec, and the node's GPUs where NVIDIA's runtime mounts its driver."""
    spec = json.loads(run("ctr", "oci", "spec", environment=program_environment()))
    spec["mounts"].append({"destination": "/run/nvidia/gpus", "type": "bind", "source": str(gpus), "options": ["rbind", "ro"]})
    return spec


def snapshotter(directory: Path) -> str:
    """overlayfs, unless the state directory lies on an overlay itself, as in a container."""
    return "native" if run("stat", "-f", "-c", "%T", str(directory)).strip() == "overlayfs" else "overlayfs"
