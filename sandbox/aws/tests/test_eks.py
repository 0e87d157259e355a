"""A cluster's life, and what EKS refuses."""

from __future__ import annotations

from typing import Any

from .account import NODE_POLICIES, Account, Network

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


class Clusters(Account):
    def setUp(self) -> None:
        super().setUp()
        self.eks = self.client("eks")
        self.network = Network(self)
        self.cluster_role = self.role("cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        self.node_role = self.role("node", "ec2.amazonaws.com", *NODE_POLICIES)

    def tearDown(self) -> None:
        self.delete_role("cluster")
        self.delete_role("node")
        self.network.delete()

    def create(self, **changes: Any) -> dict[str, Any]:
        params: dict[str, Any] = {
            "name": "c",
            "roleArn": self.cluster_role,
            "resourcesVpcConfig": {"subnetIds": self.network.private + self.network.public},
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            "bootstrapSelfManagedAddons": False,
            "tags": {"who": "me"},
        }
        return self.eks.create_cluster(**(params | changes))["cluster"]

    def cluster(self) -> dict[str, Any]:
        return self.eks.describe_cluster(name="c")["cluster"]

    def status_of(self, kind: str, **names: str) -> str:
        return getattr(self.eks, f"describe_{kind}")(clusterName="c", **names)[kind]["status"]

    def delete_cluster(self) -> None:
        self.eks.delete_cluster(name="c")
        self.until(lambda: "c" not in self.eks.list_clusters()["clusters"])

    def test_a_cluster_lives_and_dies(self) -> None:
        eks = self.eks
        new = self.create()
        self.assertEqual(new["status"], "CREATING")
        for absent in ("endpoint", "identity"):
            self.assertNotIn(absent, new)
        self.assertNotIn("data", new["certificateAuthority"])
        self.refused("ResourceInUseException", self.create)
        self.refused("ResourceInUseException", eks.delete_cluster, name="c")
        self.until(lambda: self.cluster()["status"] == "ACTIVE")
        cluster = self.cluster()
        self.assertEqual(cluster["accessConfig"], {"authenticationMode": "API"})
        self.assertTrue(cluster["identity"]["oidc"]["issuer"].startswith("https://oidc.eks.us-east-1.amazonaws.com/id/"))
        self.assertEqual(cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"], "10.100.0.0/16")
        group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
        found = self.network.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        self.assertIn({"Key": "kubernetes.io/cluster/c", "Value": "owned"}, found["Tags"])

        self._access()
        self._addons()
        self._nodegroup()
        update = eks.update_cluster_config(name="c", resourcesVpcConfig={"endpointPrivateAccess": True})["update"]
        self.assertEqual(self.cluster()["status"], "UPDATING")
        self.until(lambda: eks.describe_update(name="c", updateId=update["id"])["update"]["status"] == "Successful")
        self.assertTrue(self.cluster()["resourcesVpcConfig"]["endpointPrivateAccess"])
        self.refused(
            "InvalidParameterException",
            eks.update_cluster_config,
            name="c",
            resourcesVpcConfig={"endpointPrivateAccess": True},
        )
        eks.tag_resource(resourceArn=cluster["arn"], tags={"a": "b"})
        self.assertEqual(eks.list_tags_for_resource(resourceArn=cluster["arn"])["tags"], {"who": "me", "a": "b"})

        # Its interfaces hold the subnets, and nobody else may delete them.
        subnet = self.network.private[0]
        self.held("eni-", self.network.ec2.delete_subnet, SubnetId=subnet)
        self.delete_cluster()
        self.refused("ResourceNotFoundException", eks.describe_cluster, name="c")

    def _access(self) -> None:
        eks, me = self.eks, self.client("sts").get_caller_identity()["Arn"]
        entry = eks.create_access_entry(clusterName="c", principalArn=me)["accessEntry"]
        self.assertEqual((entry["type"], entry["username"]), ("STANDARD", me))
        self.refused("ResourceInUseException", eks.create_access_entry, clusterName="c", principalArn=me)
        eks.associate_access_policy(
            clusterName="c", principalArn=me, policyArn=ADMIN, accessScope={"type": "cluster"}
        )
        listed = eks.list_associated_access_policies(clusterName="c", principalArn=me)["associatedAccessPolicies"]
        self.assertEqual([policy["policyArn"] for policy in listed], [ADMIN])
        eks.disassociate_access_policy(clusterName="c", principalArn=me, policyArn=ADMIN)
        eks.delete_access_entry(clusterName="c", principalArn=me)
        self.refused("ResourceNotFoundException", eks.describe_access_entry, clusterName="c", principalArn=me)

    def _addons(self) -> None:
        eks = self.eks
        version = eks.describe_addon_versions(addonName="coredns")["addons"][0]["addonVersions"][0]["addonVersion"]
        eks.create_addon(clusterName="c", addonName="coredns", addonVersion=version, configurationValues="{}")
        self.refused("ResourceInUseException", eks.create_addon, clusterName="c", addonName="coredns")
        self.refused("InvalidParameterException", eks.create_addon, clusterName="c", addonName="no-such")
        for name in ("vpc-cni", "kube-proxy"):
            eks.create_addon(clusterName="c", addonName=name)
        for name in ("vpc-cni", "kube-proxy", "coredns"):
            self.until(lambda name=name: self.status_of("addon", addonName=name) == "ACTIVE")
        eks.delete_addon(clusterName="c", addonName="coredns")
        self.until(lambda: "coredns" not in eks.list_addons(clusterName="c")["addons"])

    def _nodegroup(self) -> None:
        eks, ec2 = self.eks, self.network.ec2
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "mine", "Value": "yes"}]}]
        disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}
        template = ec2.create_launch_template(
            LaunchTemplateName="t", LaunchTemplateData={"TagSpecifications": tags, "BlockDeviceMappings": [disk]}
        )["LaunchTemplate"]["LaunchTemplateId"]
        params: dict[str, Any] = {
            "clusterName": "c",
            "nodegroupName": "gpu",
            "nodeRole": self.node_role,
            "subnets": self.network.private,
            "scalingConfig": {"minSize": 1, "maxSize": 1, "desiredSize": 1},
            "instanceTypes": ["g4dn.xlarge"],
            "amiType": "AL2023_x86_64_NVIDIA",
            "labels": {"nvidia-gpu": "true"},
            "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
            "launchTemplate": {"id": template, "version": "1"},
        }
        self.refused("InvalidParameterException", eks.create_nodegroup, **(params | {"diskSize": 20}))
        for kind, ami in [
            ("t3.xlarge", "AL2023_x86_64_NVIDIA"),
            ("t4g.xlarge", "AL2023_x86_64_STANDARD"),
            ("t3.xlarge", "AL2023_ARM_64_STANDARD"),
        ]:
            wrong = params | {"instanceTypes": [kind], "amiType": ami}
            message = self.refused("InvalidParameterException", eks.create_nodegroup, **wrong)
            self.assertIn(f"[{kind}] is not a valid instance type for requested amiType {ami}", message)
        eks.create_nodegroup(**params)
        self.until(lambda: self.status_of("nodegroup", nodegroupName="gpu") == "ACTIVE")
        shown = eks.describe_nodegroup(clusterName="c", nodegroupName="gpu")["nodegroup"]
        self.assertEqual(shown["launchTemplate"], {"id": template, "name": "t", "version": "1"})
        self.assertEqual(shown["taints"], params["taints"])
        self.assertNotIn("diskSize", shown)
        mine = [{"Name": "tag:mine", "Values": ["yes"]}, {"Name": "instance-state-name", "Values": ["running"]}]
        reservations = ec2.describe_instances(Filters=mine)["Reservations"]
        (instance,) = reservations[0]["Instances"]
        self.assertIn(instance["SubnetId"], self.network.private)
        self.assertTrue(instance["PrivateIpAddress"].startswith("192.168."))
        cni = ec2.describe_network_interfaces(
            Filters=[{"Name": "tag:cluster.k8s.amazonaws.com/name", "Values": ["c"]}]
        )["NetworkInterfaces"]
        self.assertEqual([interface["Status"] for interface in cni], ["in-use"])
        self.server.sandbox.leak_interfaces = True
        self.refused("ResourceInUseException", eks.delete_cluster, name="c")
        self.refused("DeleteConflict", self.client("iam").delete_role, RoleName="node")
        change = eks.update_nodegroup_config(
            clusterName="c", nodegroupName="gpu", labels={"addOrUpdateLabels": {"a": "b"}}
        )["update"]["id"]
        look = {"name": "c", "nodegroupName": "gpu", "updateId": change}
        self.until(lambda: eks.describe_update(**look)["update"]["status"] == "Successful")
        eks.delete_nodegroup(clusterName="c", nodegroupName="gpu")
        self.until(lambda: not eks.list_nodegroups(clusterName="c")["nodegroups"])
        ec2.delete_launch_template(LaunchTemplateId=template)
        self.server.sandbox.leak_interfaces = False
        left = cni[0]["NetworkInterfaceId"]
        shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[left])["NetworkInterfaces"][0]
        self.assertEqual(shown["Status"], "available")
        ec2.delete_network_interface(NetworkInterfaceId=left)

    def test_the_zones_of_a_cluster_stay_what_they_were(self) -> None:
        self.create(resourcesVpcConfig={"subnetIds": self.network.private})
        self.until(lambda: self.cluster()["status"] == "ACTIVE")
        ec2 = self.network.ec2
        made = ec2.create_subnet(VpcId=self.network.vpc, CidrBlock="192.168.8.0/24", AvailabilityZone="us-east-1c")
        third = made["Subnet"]["SubnetId"]

        def update(**config: Any) -> Any:
            return self.eks.update_cluster_config(name="c", resourcesVpcConfig=config)

        code, private, public = "InvalidParameterException", self.network.private, self.network.public
        for subnets in ([*private, third], [private[0], third]):
            message = self.refused(code, update, subnetIds=subnets)
            self.assertIn("exact set of AZs 'us-east-1a,us-east-1b'", message)
        self.assertIn("two different AZs", self.refused(code, update, subnetIds=private[:1]))
        message = self.refused(code, update, subnetIds=public, endpointPrivateAccess=True)
        self.assertEqual(message, "Only one type of update can be allowed.")
        update(subnetIds=public)
        self.until(lambda: self.cluster()["status"] == "ACTIVE")
        self.assertEqual(self.cluster()["resourcesVpcConfig"]["subnetIds"], public)
        ec2.delete_subnet(SubnetId=third)
        self.delete_cluster()

    def test_a_node_group_without_its_add_ons_fails_and_the_log_says_why(self) -> None:
        self.create()
        self.until(lambda: self.cluster()["status"] == "ACTIVE")
        group = {"clusterName": "c", "nodegroupName": "n", "nodeRole": self.node_role, "subnets": self.network.private}
        with self.assertLogs("aws.eks", "INFO") as logged:
            self.eks.create_nodegroup(**group)
            self.until(lambda: self.status_of("nodegroup", nodegroupName="n") == "CREATE_FAILED")
        shown = self.eks.describe_nodegroup(clusterName="c", nodegroupName="n")["nodegroup"]
        (issue,) = shown["health"]["issues"]
        self.assertEqual(issue["code"], "NodeCreationFailure")
        self.assertEqual(issue["message"], "Instances failed to join the kubernetes cluster")
        self.assertIn("add-on vpc-cni is not installed", "\n".join(logged.output))
        self.eks.delete_nodegroup(clusterName="c", nodegroupName="n")
        self.until(lambda: not self.eks.list_nodegroups(clusterName="c")["nodegroups"])
        self.delete_cluster()

    def test_what_cannot_work_is_refused(self) -> None:
        one_zone = {"subnetIds": [self.network.private[0], self.network.public[0]]}
        self.assertIn("two different AZs", self.refused("InvalidParameterException", self.create, resourcesVpcConfig=one_zone))
        missing = self.cluster_role + "-missing"
        self.assertIn("could not be assumed", self.refused("InvalidParameterException", self.create, roleArn=missing))
        self.refused("InvalidParameterException", self.create, roleArn=self.node_role)
        self.refused("InvalidParameterException", self.create, version="1.29")
        self.refused("ResourceNotFoundException", self.eks.describe_cluster, name="nobody")
