"""When things were done is told by the time at which they were, not by that of the next call."""

from __future__ import annotations

import time

import requests

from .account import Account, Network


class Timeline(Account):
    def entries(self, name: str) -> list[dict]:
        answer = requests.get(f"http://127.0.0.1:{self.server.port}/_sandbox/timeline").json()
        return [entry for entry in answer["entries"] if entry["name"] == name]

    def test_a_nat_gateway_is_available_and_deleted_once_each_when_it_is_due(self) -> None:
        began = time.time()
        net = Network(self)
        seen_available = time.time()
        net.delete()
        seen_deleted = time.time()
        available, deleted = self.entries(net.nat)
        self.assertEqual((available["kind"], available["state"]), ("nat-gateway", "available"))
        self.assertEqual((deleted["kind"], deleted["state"]), ("nat-gateway", "deleted"))
        moments = [began, available["at"], seen_available, deleted["at"], seen_deleted]
        self.assertEqual(moments, sorted(moments))

    def test_a_cluster_is_active_and_gone(self) -> None:
        net = Network(self)
        role = self.role("cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        eks = self.client("eks")
        eks.create_cluster(name="timed", roleArn=role, resourcesVpcConfig={"subnetIds": net.private})
        self.until(lambda: eks.describe_cluster(name="timed")["cluster"]["status"] == "ACTIVE")
        eks.create_addon(clusterName="timed", addonName="vpc-cni")
        self.until(lambda: self.entries("vpc-cni"))
        eks.delete_cluster(name="timed")
        self.until(lambda: not eks.list_clusters()["clusters"])
        self.assertEqual([entry["state"] for entry in self.entries("timed")], ["ACTIVE", "gone"])
        self.assertEqual(self.entries("vpc-cni")[0]["state"], "ACTIVE")
        self.delete_role("cluster")
        net.delete()
