"""Balancers become active in their time, hold their subnets, and follow their targets."""

from __future__ import annotations

import ipaddress
from typing import Any

from aws import offline
from aws.world import Listener

from .account import Account


class Balancers(Account):
    def setUp(self) -> None:
        super().setUp()
        self.started: dict[str, list[Listener]] = {}
        self.healthy: set[tuple[str, int]] = set()
        world = offline.OfflineWorld(pretend=True)
        world.start_balancer = self.started.__setitem__  # type: ignore[method-assign]
        world.stop_balancer = lambda name: self.started.pop(name, None)  # type: ignore[assignment]
        world.target_healthy = lambda ip, port: (ip, port) in self.healthy  # type: ignore[method-assign]
        self.before, self.server.sandbox.world = self.server.sandbox.world, world

    def tearDown(self) -> None:
        self.server.sandbox.world = self.before

    def test_a_balancer_lives_and_dies(self) -> None:
        ec2, elb = self.client("ec2"), self.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        tags = [{"Key": "a", "Value": "b"}]
        made = elb.create_load_balancer(
            Name="a1", Subnets=[subnet], Type="network", Scheme="internet-facing", Tags=tags
        )
        balancer = made["LoadBalancers"][0]
        arn, name = balancer["LoadBalancerArn"], balancer["DNSName"]
        self.assertEqual(balancer["State"]["Code"], "provisioning")
        self.assertRegex(name, r"^a1-[0-9a-f]{16}\.elb\.us-east-1\.amazonaws\.com$")
        group = elb.create_target_group(Name="t", Protocol="TCP", Port=30001, VpcId=vpc, TargetType="ip", Tags=tags)
        group_arn = group["TargetGroups"][0]["TargetGroupArn"]
        forward = [{"Type": "forward", "TargetGroupArn": group_arn}]
        elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=forward)
        elb.register_targets(TargetGroupArn=group_arn, Targets=[{"Id": "10.0.0.9"}])
        described = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]
        self.assertEqual(described["Tags"], tags)
        self.assertEqual(self.health(elb, group_arn), "initial")
        self.until(lambda: elb.describe_load_balancers()["LoadBalancers"][0]["State"]["Code"] == "active")
        self.until(lambda: self.started.get(name) == [Listener(80, (("10.0.0.9", 30001),))])
        self.until(lambda: self.health(elb, group_arn) == "unhealthy")
        self.healthy.add(("10.0.0.9", 30001))
        self.until(lambda: self.health(elb, group_arn) == "healthy")

        self.held("ELB net/a1/", ec2.delete_subnet, SubnetId=subnet)
        held = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]
        self.assertTrue(held[0]["RequesterManaged"])
        self.assertIn(ipaddress.ip_address(held[0]["PrivateIpAddress"]), ipaddress.ip_network("10.0.0.0/24"))
        eni = held[0]["NetworkInterfaceId"]
        self.refused("OperationNotPermitted", ec2.delete_network_interface, NetworkInterfaceId=eni)
        self.refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)

        self.refused("ResourceInUse", elb.delete_target_group, TargetGroupArn=group_arn)
        elb.delete_load_balancer(LoadBalancerArn=arn)
        elb.delete_target_group(TargetGroupArn=group_arn)
        self.until(lambda: name not in self.started)
        self.until(lambda: not ec2.describe_network_interfaces(NetworkInterfaceIds=[])["NetworkInterfaces"])
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway)
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)

    def test_a_target_group_has_fifty_tags_and_no_more(self) -> None:
        ec2, elb = self.client("ec2"), self.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = elb.create_target_group(Name="tags", Protocol="TCP", Port=30001, VpcId=vpc)
        group = made["TargetGroups"][0]["TargetGroupArn"]
        tags = [{"Key": str(number), "Value": "x"} for number in range(50)]
        elb.add_tags(ResourceArns=[group], Tags=tags)
        elb.add_tags(ResourceArns=[group], Tags=[{"Key": "0", "Value": "y"}])
        more = [{"Key": "one more", "Value": ""}]
        self.refused("TooManyTags", elb.add_tags, ResourceArns=[group], Tags=more)
        elb.remove_tags(ResourceArns=[group], TagKeys=["1"])
        elb.add_tags(ResourceArns=[group], Tags=more)
        self.refused("ValidationError", elb.remove_tags, ResourceArns=[group], TagKeys=["aws:x"])
        self.refused("DuplicateTagKeys", elb.add_tags, ResourceArns=[group], Tags=more * 2)
        shown = {tag["Key"]: tag["Value"] for tag in elb.describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"]}
        self.assertEqual((len(shown), shown["0"], shown["one more"], "1" in shown), (50, "y", "", False))
        elb.delete_target_group(TargetGroupArn=group)
        ec2.delete_vpc(VpcId=vpc)

    def health(self, elb: Any, group: str) -> str:
        (description,) = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return description["TargetHealth"]["State"]
