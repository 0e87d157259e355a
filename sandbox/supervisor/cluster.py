"""One EKS cluster's control plane: etcd, API server, controller manager, scheduler and AWS's cloud controller."""

import ipaddress
import json
import logging
import shutil
import threading
from pathlib import Path

from supervisor import manifests
from supervisor.kubeapi import KubeApi
from supervisor.pki import Authority, ServiceAccountKey
from supervisor.places import CLUSTER, Places, program_environment
from supervisor.process import Process, wait_until

log = logging.getLogger("cluster")

# Of each cluster, from its own base: API server, etcd's client and peer ports.
FIRST_PORT, PORTS = 6443, 10
READY_SECONDS = 60


class Cluster:
    def __init__(self, places: Places, index: int, name: str, arn: str, version: str, service_cidr: str, issuer: str, webhooks, **api_server):
        """`api_server`: flags of the API server, instead of those that a sandbox gives it."""
        if not version.startswith("1.34"):
            raise ValueError(f"Kubernetes {version}: this sandbox runs 1.34 only")
        self.name, self.index, self.region = name, index, arn.split(":")[3]
        self.directory = places.state / "clusters" / name
        self.addons: dict[str, str] = {}  # name -> version
        self.services = ipaddress.ip_network(service_cidr)
        self.dns_address = str(self.services[10])
        port = FIRST_PORT + index * PORTS
        self.endpoint = f"https://{places.address}:{port}"
        self.authority = Authority(self.directory / "pki", f"{name}-ca")
        self.service_accounts = ServiceAccountKey(self.authority.directory)
        self._places, self._processes = places, {}
        admin = self.authority.issue("admin", "kubernetes-admin", ("system:masters",))
        self.admin_kubeconfig = self.authority.kubeconfig("admin", self.endpoint, "kubernetes-admin", ("system:masters",))
        self.api = KubeApi(self.endpoint, self.authority.file, *admin)
        self._start_control_plane(port, issuer, webhooks, api_server)

    def _start_control_plane(self, port: int, issuer: str, webhooks, api_server) -> None:
        etcd = f"http://127.0.0.1:{port + 1}"
        self._run("etcd", "etcd", data_dir=self.directory / "etcd", listen_client_url=etcd, listen_peer_url=f"http://127.0.0.1:{port + 2}")
        self._run_api_server(port, etcd, issuer, webhooks, api_server)
        try:
            wait_until(f"the API server of {self.name}", self.api.ready, READY_SECONDS)
        except TimeoutError as error:
            words = self._processes["kube-apiserver"].last_words()
            self.stop()
            raise TimeoutError(f"{error}\n{words}") from None
        self._run_controllers()
        for path, manifest in manifests.bootstrap(webhooks.authority.base64, webhooks.url(self.name, "identity")):
            self.api.apply(path, manifest)

    def _run_api_server(self, port: int, etcd: str, issuer: str, webhooks, api_server) -> None:
        serving = self.authority.issue("apiserver", "kube-apiserver", names=(
            self._places.address, "127.0.0.1", str(self.services[1]),
            "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
        ))
        kubelet = self.authority.issue("apiserver-kubelet", "kube-apiserver-kubelet", ("system:masters",))
        audit = self.directory / "audit-policy.json"
        audit.write_text(json.dumps(manifests.audit_policy()))
        tokens = self.directory / "token-webhook.json"
        tokens.write_text(json.dumps(webhooks.kubeconfig(self.name, "authenticate")))
        flags = dict(
            bind_address="0.0.0.0", secure_port=port, advertise_address=self._places.address, etcd_servers=etcd,
            tls_cert_file=serving[0], tls_private_key_file=serving[1], client_ca_file=self.authority.file,
            kubelet_client_certificate=kubelet[0], kubelet_client_key=kubelet[1], kubelet_preferred_address_types="InternalIP",
            service_cluster_ip_range=self.services, allow_privileged="true",
            service_account_issuer=issuer, service_account_jwks_uri=f"{issuer}/keys", api_audiences="https://kubernetes.default.svc",
            service_account_key_file=self.service_accounts.public_file, service_account_signing_key_file=self.service_accounts.private_file,
            authorization_mode="Node,RBAC", enable_admission_plugins="NodeRestriction",
            authentication_token_webhook_config_file=tokens, authentication_token_webhook_version="v1",
            authentication_token_webhook_cache_ttl="5s",
            audit_policy_file=audit, audit_log_path=self.directory / "audit.log",
        )
        self._run("kube-apiserver", "kube-apiserver", **flags | api_server)

    def _run_controllers(self) -> None:
        self._run(
            "kube-controller-manager", "kube-controller-manager",
            kubeconfig=self._identity("controller-manager", "system:kube-controller-manager"), cluster_name=self.name,
            use_service_account_credentials="true", service_account_private_key_file=self.service_accounts.private_file,
            root_ca_file=self.authority.file, cluster_signing_cert_file=self.authority.file,
            cluster_signing_key_file=self.authority.key_file, cloud_provider="external", leader_elect="false", secure_port=0,
        )
        self._run(
            "kube-scheduler", "kube-scheduler",
            kubeconfig=self._identity("scheduler", "system:kube-scheduler"), leader_elect="false", secure_port=0,
        )

    def run_cloud_controller(self, vpc: str, subnet: str, credentials: dict[str, str]) -> None:
        """AWS's controller for nodes and balancers; with all of this known it asks no metadata service."""
        config = self.directory / "cloud.conf"
        config.write_text(f"[Global]\nRegion={self.region}\nVPC={vpc}\nSubnetID={subnet}\nKubernetesClusterID={self.name}\n")
        environment = {
            **program_environment(), "AWS_ENDPOINT_URL": self._places.aws_endpoint, "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true", **credentials,
        }
        self._run(
            "cloud-controller", "cloud-controller", environment,
            kubeconfig=self.authority.kubeconfig("cloud-controller", self.endpoint, "cloud-controller-manager", ("system:masters",)),
            cloud_provider="aws", cloud_config=config, cluster_name=self.name, configure_cloud_routes="false",
            leader_elect="false", webhook_secure_port=0, secure_port=0,
        )

    def _identity(self, file: str, user: str) -> Path:
        return self.authority.kubeconfig(file, self.endpoint, user)

    def _run(self, name: str, program: str, environment: dict[str, str] | None = None, **flags) -> None:
        command = [CLUSTER, program, *(f"--{flag.replace('_', '-')}={value}" for flag, value in flags.items())]
        self._processes[name] = Process(f"{self.name}/{name}", command, environment or program_environment(), self._places.logs)

    def processes(self) -> list[Process]:
        return list(self._processes.values())

    def stop(self) -> None:
        # Backwards, so that nobody complains about a server that is gone; at once, nothing of it is kept.
        threads = [threading.Thread(target=process.stop, args=(1,)) for process in reversed(self.processes())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._processes.clear()
        # The next cluster of this name starts from nothing. What was asked of this one can still be read.
        shutil.rmtree(self.authority.directory)
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)
