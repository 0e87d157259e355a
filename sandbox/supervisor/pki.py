"""A cluster's certificate authority, its certificates and kubeconfigs, and its service account key."""

import base64
import datetime
import hashlib
import ipaddress
import json
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = datetime.timedelta(days=365)


class Authority:
    """Makes key and certificate files in a directory; a file that exists is kept."""

    def __init__(self, directory: Path, name: str):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._lock = threading.Lock()
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        self._certificate = (
            _builder(subject, subject, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = directory / "ca.crt"
        self.key_file = directory / "ca.key"
        self.file.write_bytes(_pem(self._certificate))
        _write_key(self.key_file, self._key)

    @property
    def base64(self) -> str:
        return base64.b64encode(_pem(self._certificate)).decode()

    def issue(self, file: str, user: str, groups: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> tuple[Path, Path]:
        """A certificate for a Kubernetes user, and for a server if it has names; returns (certificate, key)."""
        certificate_file, key_file = self.directory / f"{file}.crt", self.directory / f"{file}.key"
        with self._lock:
            if not certificate_file.exists():
                self._sign(certificate_file, key_file, user, groups, names)
        return certificate_file, key_file

    def _sign(self, certificate_file: Path, key_file: Path, user: str, groups, names) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])
        builder = (
            _builder(_name(user, groups), self._certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        _write_key(key_file, key)
        certificate_file.write_bytes(_pem(certificate))

    def kubeconfig(self, file: str, server: str, user: str, groups: tuple[str, ...] = ()) -> Path:
        certificate, key = self.issue(file, user, groups)
        path = self.directory / f"{file}.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
            "clusters": [{"name": "cluster", "cluster": {"server": server, "certificate-authority": str(self.file)}}],
            "users": [{"name": user, "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
            "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": user}}],
        }))
        return path


class ServiceAccountKey:
    """What signs service account tokens; `jwks` is its public half, as the cluster's OIDC issuer publishes it."""

    def __init__(self, directory: Path):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.private_file, self.public_file = directory / "sa.key", directory / "sa.pub"
        _write_key(self.private_file, key)
        public = key.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public_file.write_bytes(public.public_bytes(serialization.Encoding.PEM, form))
        der = public.public_bytes(serialization.Encoding.DER, form)
        numbers = public.public_numbers()
        self._jwk = {
            "use": "sig", "kty": "RSA", "alg": "RS256",
            "kid": _base64url(hashlib.sha256(der).digest()),  # as the API server derives it
            "n": _base64url(numbers.n.to_bytes(256, "big")),
            "e": _base64url(numbers.e.to_bytes(3, "big")),
        }

    def jwks(self) -> dict:
        return {"keys": [dict(self._jwk)]}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _name(user: str, groups: tuple[str, ...] = ()) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups] + [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: x509.Name, issuer: x509.Name, key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + LIFE)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(file: Path, key) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.touch(mode=0o600)
    file.write_bytes(pem)
