"""A node looks like the instance type it stands for."""

import json
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from aws.world import NodeSpec

from supervisor import kubelet, runtime

G4DN_XLARGE = NodeSpec(
    "i-0123456789abcdef0", "gpu", "192.168.0.10", "ip-192-168-0-10.ec2.internal", "us-east-1a", "us-east-1", "g4dn.xlarge",
    {"nvidia-gpu": "true"}, [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}], gpus=1,
)


class Kubelet(unittest.TestCase):
    def test_a_g4dn_xlarge_reserves_what_the_eks_image_reserves(self) -> None:
        # 6 % + 1 % + 0.5 % + 0.5 % of a core; 255 MiB + 11 MiB a pod, and the 100 MiB of the eviction threshold.
        self.assertEqual(kubelet._reserved(G4DN_XLARGE), {"cpu": "80m", "memory": "674Mi", "ephemeral-storage": "1Gi"})

    def test_labels_and_taints_are_there_from_birth(self) -> None:
        command = " ".join(kubelet.command(Path("/node"), G4DN_XLARGE))
        self.assertIn("nvidia-gpu=true", command)
        self.assertIn("eks.amazonaws.com/nodegroup=gpu", command)
        cluster = SimpleNamespace(authority=SimpleNamespace(file=Path("/ca")), dns_address="10.100.0.10")
        configuration = kubelet._configuration(Path("/node"), cluster, G4DN_XLARGE)
        self.assertEqual(configuration["registerWithTaints"], [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}])
        self.assertEqual(configuration["providerID"], "aws:///us-east-1a/i-0123456789abcdef0")
        self.assertEqual(configuration["maxPods"], 29)


class Registries(unittest.TestCase):
    def test_public_names_lead_to_the_mirror_and_ours_wants_credentials(self) -> None:
        registry = SimpleNamespace(host="198.18.1.2:5000", authorization="Basic secret")
        with TemporaryDirectory() as directory:
            runtime._write_hosts(Path(directory, "mirror"), registry, "mirror/nvcr.io")
            runtime._write_hosts(Path(directory, "own"), registry, None)
            mirror, own = (Path(directory, name, "hosts.toml").read_text() for name in ("mirror", "own"))
        self.assertIn('server = "http://198.18.1.2:5000/v2/mirror/nvcr.io"', mirror)
        self.assertIn("Basic secret", mirror)
        self.assertNotIn("Basic", own)
        # Another one would be asked for what this one has not.
        self.assertNotIn("[host.", mirror + own)


class ServiceAccounts(unittest.TestCase):
    def test_the_published_key_is_the_one_that_signs(self) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        from supervisor.pki import ServiceAccountKey

        with TemporaryDirectory() as directory:
            key = ServiceAccountKey(Path(directory))
            numbers = load_pem_public_key(key.public_file.read_bytes()).public_numbers()
        published = key.jwks()["keys"][0]
        import base64

        decoded = int.from_bytes(base64.urlsafe_b64decode(published["n"] + "=="), "big")
        self.assertEqual((decoded, published["e"]), (numbers.n, "AQAB"))
        self.assertEqual(json.loads(json.dumps(published)), published)
