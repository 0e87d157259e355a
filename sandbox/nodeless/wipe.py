"""A cluster as if it were new: what an account left in the control plane goes, without a controller's leave."""

from __future__ import annotations

from supervisor.kubeapi import KubeApi, NotFound

SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease")
CORE, APPS = "/api/v1/namespaces", "/apis/apps/v1/namespaces"
# Makers before what they make.
KINDS = (
    (APPS, "deployments"), (APPS, "daemonsets"), (APPS, "replicasets"), (APPS, "controllerrevisions"), (CORE, "pods"), (CORE, "services"),
    (CORE, "configmaps"), (CORE, "serviceaccounts"), (CORE, "endpoints"), (CORE, "events"),
    ("/apis/discovery.k8s.io/v1/namespaces", "endpointslices"), ("/apis/events.k8s.io/v1/namespaces", "events"),
)
IN_SYSTEM = (*KINDS[:5], KINDS[9])


def wipe(api: KubeApi) -> None:
    for space in api.call("GET", CORE)["items"]:
        name = space["metadata"]["name"]
        if name in SYSTEM:
            for base, kind in IN_SYSTEM:
                _empty(api, f"{base}/{name}/{kind}")
            continue
        api.delete(f"{CORE}/{name}")  # from here on nothing is made in it
        for base, kind in KINDS:
            _empty(api, f"{base}/{name}/{kind}")
        try:
            api.call("PUT", f"{CORE}/{name}/finalize", {**space, "metadata": {"name": name}, "spec": {"finalizers": []}})
        except NotFound:
            pass  # its controller was quicker
    _empty(api, "/api/v1/nodes")


def _empty(api: KubeApi, place: str) -> None:
    for found in api.call("GET", place)["items"]:
        at = f"{place}/{found['metadata']['name']}"
        try:
            if found["metadata"].get("finalizers"):
                api.call("PATCH", at, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
            api.delete(f"{at}?gracePeriodSeconds=0&propagationPolicy=Background")
        except NotFound:
            pass
