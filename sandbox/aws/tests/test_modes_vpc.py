"""Modes of what is in a VPC and in a cluster: nodes that do not come, and things that do not go."""

from __future__ import annotations

from typing import Any

from aws import sts

from . import test_sts
from .account import LONG, NODE_POLICIES, Account, Network

KIND = "g4dn.xlarge"


class Endpoints(Account):
    def setUp(self) -> None:
        super().setUp()
        self.ec2 = self.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def tearDown(self) -> None:
        self.ec2.delete_vpc(VpcId=self.vpc)

    def test_an_endpoint_lingers_with_its_route(self) -> None:
        ec2 = self.ec2
        table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        make = {"VpcId": self.vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": [table]}
        endpoint = ec2.create_vpc_endpoint(**make)["VpcEndpoint"]["VpcEndpointId"]
        self.mode("lingering-endpoint", seconds=LONG)

        def shown() -> list[dict[str, Any]]:
            return ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["VpcEndpoints"]

        for _ in range(2):  # the second delete neither fails nor prolongs it
            self.assertEqual(ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"], [])
            self.assertEqual([found["State"] for found in shown()], ["deleting"])
        self.assertEqual(len(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]), 2)
        self.refused("DependencyViolation", ec2.delete_vpc, VpcId=self.vpc)
        self.hours_pass()
        self.assertEqual(shown(), [])
        self.assertEqual(len(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]), 1)
        ec2.delete_route_table(RouteTableId=table)

    def test_an_interface_is_in_use_though_it_is_available(self) -> None:
        ec2 = self.ec2
        subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        self.mode("interface-in-use", seconds=LONG)
        shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
        self.assertEqual(shown["Status"], "available")
        message = self.refused("InvalidParameterValue", ec2.delete_network_interface, NetworkInterfaceId=eni)
        self.assertEqual(message, f"Network interface '{eni}' is currently in use.")

        self.hours_pass()
        ec2.delete_network_interface(NetworkInterfaceId=eni)
        ec2.delete_subnet(SubnetId=subnet)


class Clusters(Account):
    def setUp(self) -> None:
        super().setUp()
        self.eks = self.client("eks")
        self.network = Network(self)
        role = self.role("cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        self.node_role = self.role("node", "ec2.amazonaws.com", *NODE_POLICIES)
        self.eks.create_cluster(
            name="c",
            roleArn=role,
            resourcesVpcConfig={"subnetIds": self.network.private},
            accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        )
        self.until(lambda: self.cluster()["status"] == "ACTIVE")

    def tearDown(self) -> None:
        if self.eks.list_clusters()["clusters"]:
            self.delete_cluster()
        self.delete_role("cluster")
        self.delete_role("node")
        self.network.delete()

    def cluster(self) -> dict[str, Any]:
        return self.eks.describe_cluster(name="c")["cluster"]

    def delete_cluster(self) -> None:
        self.eks.delete_cluster(name="c")
        self.until(lambda: "c" not in self.eks.list_clusters()["clusters"])

    def nodes(self, *subnets: str) -> dict[str, Any]:
        """A node group there, once it is no longer on its way; its status and health."""
        self.eks.create_nodegroup(
            clusterName="c",
            nodegroupName="n",
            nodeRole=self.node_role,
            subnets=list(subnets),
            scalingConfig={"minSize": 2, "maxSize": 2, "desiredSize": 2},
            instanceTypes=[KIND],
            amiType="AL2023_x86_64_NVIDIA",
        )
        return self.until(lambda: self.settled())

    def settled(self) -> dict[str, Any] | None:
        shown = self.eks.describe_nodegroup(clusterName="c", nodegroupName="n")["nodegroup"]
        return None if shown["status"] in ("CREATING", "DELETING") else shown

    def delete_nodes(self) -> None:
        self.eks.delete_nodegroup(clusterName="c", nodegroupName="n")
        self.until(lambda: not self.eks.list_nodegroups(clusterName="c")["nodegroups"])

    def test_a_zone_without_capacity_fails_only_who_has_no_other(self) -> None:
        self.mode("capacity", zone="us-east-1a")
        one, other = self.network.private
        shown = self.nodes(one)
        self.assertEqual(shown["status"], "CREATE_FAILED")
        launch, joined = shown["health"]["issues"]
        self.assertEqual((launch["code"], joined["code"]), ("AsgInstanceLaunchFailures", "NodeCreationFailure"))
        self.assertEqual(
            launch["message"],
            f"Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient {KIND} "
            "capacity in the Availability Zone you requested (us-east-1a). Our system will be working on provisioning additional "
            f"capacity. You can currently get {KIND} capacity by not specifying an Availability Zone in your request or choosing "
            "us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f. Launching EC2 instance failed.",
        )
        self.assertTrue(all(name.startswith("DUMMY_") for name in joined["resourceIds"]))
        self.delete_nodes()
        self.assertEqual(self.nodes(one, other)["status"], "ACTIVE")
        running = [{"Name": "instance-state-name", "Values": ["running"]}]
        reservations = self.network.ec2.describe_instances(Filters=running)["Reservations"]
        self.assertEqual({instance["SubnetId"] for found in reservations for instance in found["Instances"]}, {other})
        self.delete_nodes()
        self.control("DELETE", "modes")
        self.mode("capacity", zone="us-east-1a", instance_type="p3.2xlarge")
        self.assertEqual(self.nodes(one)["status"], "ACTIVE")
        self.delete_nodes()

    def test_nodes_that_never_join_fail_the_group_after_23_minutes(self) -> None:
        self.mode("node-creation-failure")
        began = self.server.sandbox.clock.time()
        shown = self.nodes(*self.network.private)
        self.assertGreaterEqual(self.server.sandbox.clock.time() - began, 23 * 60)
        [issue] = shown["health"]["issues"]
        self.assertEqual((shown["status"], issue["code"]), ("CREATE_FAILED", "NodeCreationFailure"))
        self.assertEqual(issue["message"], "Instances failed to join the kubernetes cluster")
        self.assertTrue(all(name.startswith("i-") for name in issue["resourceIds"]) and len(issue["resourceIds"]) == 2)
        self.delete_nodes()

    def test_a_degraded_group_says_why_and_is_not_updated(self) -> None:
        self.nodes(*self.network.private)
        self.mode("degraded")
        shown = self.eks.describe_nodegroup(clusterName="c", nodegroupName="n")["nodegroup"]
        [issue] = shown["health"]["issues"]
        self.assertEqual((shown["status"], issue["code"], len(issue["resourceIds"])), ("DEGRADED", "AccessDenied", 2))
        update = {"clusterName": "c", "nodegroupName": "n", "labels": {"addOrUpdateLabels": {"a": "b"}}}
        self.refused("ResourceInUseException", self.eks.update_nodegroup_config, **update)
        self.control("DELETE", "modes")
        self.assertEqual(self.eks.describe_nodegroup(clusterName="c", nodegroupName="n")["nodegroup"]["status"], "ACTIVE")
        self.delete_nodes()

    def test_a_deletion_fails_and_then_does_not(self) -> None:
        self.mode("deletion-fails", kind="node-group")
        self.mode("deletion-fails", kind="cluster")
        self.nodes(*self.network.private)
        self.eks.delete_nodegroup(clusterName="c", nodegroupName="n")
        shown = self.until(lambda: self.settled())
        [issue] = shown["health"]["issues"]
        self.assertEqual((shown["status"], issue["code"]), ("DELETE_FAILED", "Ec2SecurityGroupDeletionFailure"))
        self.assertEqual(issue["message"], "DependencyViolation - resource has a dependent object")
        self.delete_nodes()
        self.eks.delete_cluster(name="c")
        self.until(lambda: self.cluster()["status"] == "FAILED")
        self.assertIn("DependencyViolation", self.cluster()["health"]["issues"][0]["message"])
        self.delete_cluster()

    def test_an_access_entry_takes_effect_later(self) -> None:
        me = self.client("sts").get_caller_identity()["Arn"]
        self.mode("slow-access-entry", seconds=LONG)
        self.eks.create_access_entry(clusterName="c", principalArn=me)
        self.assertEqual(self.eks.describe_access_entry(clusterName="c", principalArn=me)["accessEntry"]["principalArn"], me)
        token = test_sts.Tokens.token(self, "c")
        self.assertIsNone(sts.identify(token, "c"))
        self.hours_pass()
        identity = sts.identify(token, "c")
        self.assertEqual(identity and identity.username, me)

    def test_guard_duty_comes_into_the_vpc_and_stays(self) -> None:
        ec2, vpc = self.network.ec2, self.network.vpc
        self.mode("guardduty")
        here = [{"Name": "vpc-id", "Values": [vpc]}]
        [endpoint] = ec2.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
        self.assertEqual((endpoint["ServiceName"], endpoint["State"]), ("com.amazonaws.us-east-1.guardduty-data", "available"))
        self.assertEqual(endpoint["VpcEndpointType"], "Interface")
        groups = ec2.describe_security_groups(Filters=here)["SecurityGroups"]
        [group] = [group for group in groups if group["GroupName"] == f"GuardDutyManagedSecurityGroup-{vpc}"]
        tag = {"Key": "GuardDutyManaged", "Value": "true"}
        self.assertEqual((group["Tags"], endpoint["Tags"]), ([tag], [tag]))
        interfaces = ec2.describe_network_interfaces(NetworkInterfaceIds=endpoint["NetworkInterfaceIds"])["NetworkInterfaces"]
        self.assertEqual({found["SubnetId"] for found in interfaces}, set(self.network.private))
        self.delete_cluster()
        self.refused("DependencyViolation", ec2.delete_security_group, GroupId=group["GroupId"])
        self.refused("DependencyViolation", ec2.delete_subnet, SubnetId=self.network.private[0])
        ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
        ec2.delete_security_group(GroupId=group["GroupId"])
