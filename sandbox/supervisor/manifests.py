"""Kubernetes objects that EKS puts into every cluster, and the audit policy of its API server."""

# (collection path, object)
Applied = tuple[str, dict]
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def audit_policy() -> dict:
    return {
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }


def bootstrap(webhook_authority: str, identity_url: str) -> list[Applied]:
    return [_identity_webhook(webhook_authority, identity_url), _storage_class(), *map(_access_policy, ACCESS_POLICIES)]


# EKS's access policies and the roles that come closest; its cluster administrators are Kubernetes' own system:masters.
ACCESS_POLICIES = {"AmazonEKSAdminPolicy": "admin", "AmazonEKSEditPolicy": "edit", "AmazonEKSViewPolicy": "view"}


def _access_policy(policy: str) -> Applied:
    """Binds the group that the token webhook gives to whoever has the policy for the whole cluster."""
    return f"{RBAC}/clusterrolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": f"eks:{policy}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCESS_POLICIES[policy]},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": f"eks-access-policy:{policy}"}],
    }


def _identity_webhook(authority: str, url: str) -> Applied:
    """EKS's pod identity webhook: it gives the pods of an annotated service account a web identity token."""
    return "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "pod-identity-webhook"},
        "webhooks": [{
            "name": "iam-for-pods.amazonaws.com", "failurePolicy": "Ignore", "sideEffects": "None", "timeoutSeconds": 10,
            "admissionReviewVersions": ["v1"], "reinvocationPolicy": "IfNeeded",
            "clientConfig": {"url": url, "caBundle": authority},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }],
    }


def _storage_class() -> Applied:
    return "/apis/storage.k8s.io/v1/storageclasses", {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gp2"},
        "provisioner": "kubernetes.io/aws-ebs", "parameters": {"type": "gp2", "fsType": "ext4"},
        "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    }


def coredns(image: str, version: str, dns_address: str, configuration: dict) -> list[Applied]:
    """AWS's CoreDNS add-on. A key of its configuration values replaces the default, tolerations too."""
    labels = {"eks.amazonaws.com/component": "coredns", "k8s-app": "kube-dns"}
    meta = {"name": "coredns", "namespace": "kube-system", "labels": labels}
    core, apps = "/api/v1/namespaces/kube-system", "/apis/apps/v1/namespaces/kube-system"
    return [
        (f"{core}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        (f"{RBAC}/clusterroles", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:coredns", "labels": labels},
            "rules": [
                {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            ],
        }),
        (f"{RBAC}/clusterrolebindings", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "system:coredns", "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}],
        }),
        (f"{core}/configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"Corefile": configuration.get("corefile", COREFILE)}}),
        (f"{core}/services", {
            "apiVersion": "v1", "kind": "Service", "metadata": {**meta, "name": "kube-dns"},
            "spec": {
                "clusterIP": dns_address, "selector": {"k8s-app": "kube-dns"},
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                    {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
                ],
            },
        }),
        (f"{apps}/deployments", {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {
                "replicas": configuration.get("replicaCount", 2),
                "selector": {"matchLabels": labels},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
                "template": {"metadata": {"labels": labels}, "spec": _coredns_pod(f"{image}:{version}", configuration)},
            },
        }),
    ]


def _coredns_pod(image: str, configuration: dict) -> dict:
    return {
        "serviceAccountName": "coredns", "priorityClassName": "system-cluster-critical", "dnsPolicy": "Default",
        "nodeSelector": configuration.get("nodeSelector", {}),
        "tolerations": configuration.get("tolerations", [
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
        ]),
        "containers": [{
            "name": "coredns", "image": image, "imagePullPolicy": "IfNotPresent", "args": ["-conf", "/etc/coredns/Corefile"],
            "resources": configuration.get("resources", {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}}),
            "ports": [
                {"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
                {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
            ],
            "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "initialDelaySeconds": 60, "timeoutSeconds": 5, "failureThreshold": 5},
            # AWS looks every 10 s; the sandbox's clock is faster.
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
            "securityContext": {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
        }],
        "volumes": [{"name": "config-volume", "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]}}],
    }


COREFILE = """\
.:53 {
    errors
    health {
        lameduck 5s
      }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
}
"""
