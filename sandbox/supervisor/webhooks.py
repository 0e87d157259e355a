"""The webhooks that EKS runs beside every API server: who owns a bearer token, and web identity for pods."""

import base64
import json
import logging
import ssl
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from supervisor.pki import Authority

log = logging.getLogger("webhooks")

PORT = 9443
ROLE = "eks.amazonaws.com/role-arn"
TOKENS = "/var/run/secrets/eks.amazonaws.com/serviceaccount"


class Address:
    """Where API servers find their webhooks, and how they know them: at /CLUSTER/authenticate and /CLUSTER/identity."""

    def __init__(self, directory: Path, host: str = "127.0.0.1"):
        self.host, self.authority = host, Authority(directory, "sandbox-webhooks")
        self.certificate, self.key = self.authority.issue("server", "webhooks", names=(host,))

    def url(self, cluster: str, what: str) -> str:
        return f"https://{self.host}:{PORT}/{cluster}/{what}"

    def kubeconfig(self, cluster: str, what: str) -> dict:
        """How an API server is told of a token webhook."""
        server = {"server": self.url(cluster, what), "certificate-authority": str(self.authority.file)}
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "webhook",
            "clusters": [{"name": "webhook", "cluster": server}], "users": [{"name": "api-server", "user": {}}],
            "contexts": [{"name": "webhook", "context": {"cluster": "webhook", "user": "api-server"}}],
        }


class Webhooks(Address):
    """One HTTPS server for all clusters."""

    def __init__(self, directory: Path, identify, cluster_of):
        """`identify(token, cluster)`: an identity or None; `cluster_of(name)`: the running cluster."""
        super().__init__(directory)
        # Whether the identity webhook's cache has a service account that was made at this Unix time; a test may stop it.
        self.knows = lambda created: True
        listen(self.host, self.certificate, self.key, identify, cluster_of, lambda created: self.knows(created))


def listen(host: str, certificate: Path, key: Path, identify, cluster_of, knows) -> None:
    """Answers the API servers that were told of this address, for as long as this process lives."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    answers = {
        "authenticate": lambda cluster, review: authenticate(review, identify(review["spec"]["token"], cluster)),
        "identity": lambda cluster, review: mutate(review, cluster_of(cluster), knows),
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            try:
                _, cluster, what = self.path.split("?")[0].split("/")
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body, status = json.dumps(answers[what](cluster, review)).encode(), 200
            except Exception as error:  # noqa: BLE001 - the API server must get an answer, and the log the reason
                log.exception("%s", self.path)
                body, status = str(error).encode(), 500
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, PORT), Handler)
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, name="webhooks", daemon=True).start()


def authenticate(review: dict, identity) -> dict:
    """Answers a TokenReview."""
    status = {"authenticated": False}
    if identity is not None:
        status = {"authenticated": True, "user": {
            "username": identity.username, "uid": identity.user_id, "groups": list(identity.groups), "extra": {"arn": [identity.arn]},
        }}
    return {"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status}


def mutate(review: dict, cluster, knows=lambda created: True) -> dict:
    """Answers an AdmissionReview of a pod with the patch that gives it the web identity of its service account.

    Of one that its cache does not have yet, EKS's webhook knows no annotations: the pod is let in without (`knows`).
    """
    request = review["request"]
    pod = request["object"]
    response = {"uid": request["uid"], "allowed": True}
    name = pod["spec"].get("serviceAccountName") or "default"
    account = cluster.api.get(f"/api/v1/namespaces/{request['namespace']}/serviceaccounts/{name}")
    metadata = (account or {}).get("metadata", {})
    known = "creationTimestamp" not in metadata or knows(datetime.fromisoformat(metadata["creationTimestamp"]).timestamp())
    annotations = metadata.get("annotations", {}) if known else {}
    if ROLE in annotations:
        patch = json.dumps(_identity_patch(pod["spec"], annotations, cluster.region)).encode()
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}


def _identity_patch(spec: dict, annotations: dict, region: str) -> list[dict]:
    role = annotations[ROLE]
    regional = annotations.get("eks.amazonaws.com/sts-regional-endpoints", "true") == "true"
    environment = {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional" if regional else "legacy", "AWS_DEFAULT_REGION": region, "AWS_REGION": region,
        "AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{TOKENS}/token",
    }
    volume = {"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": {
        "audience": annotations.get("eks.amazonaws.com/audience", "sts.amazonaws.com"),
        "expirationSeconds": int(annotations.get("eks.amazonaws.com/token-expiration", 86400)), "path": "token",
    }}]}}
    patch = []
    if all(existing["name"] != volume["name"] for existing in spec.get("volumes", [])):
        patch.append({"op": "add", "path": "/spec/volumes", "value": [volume, *spec.get("volumes", [])]})
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(kind, [])):
            at = f"/spec/{kind}/{number}"
            own = container.get("env", [])
            # What the container sets itself stays, as with EKS's webhook.
            added = [{"name": n, "value": v} for n, v in environment.items() if all(e["name"] != n for e in own)]
            patch.append({"op": "add", "path": f"{at}/env", "value": own + added})
            mounts = container.get("volumeMounts", [])
            if all(mount["mountPath"] != TOKENS for mount in mounts):
                mount = {"name": volume["name"], "mountPath": TOKENS, "readOnly": True}
                patch.append({"op": "add", "path": f"{at}/volumeMounts", "value": [*mounts, mount]})
    return patch
