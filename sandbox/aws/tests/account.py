"""A running AWS with a client for each service, and the reference deployment's network and roles on it."""

from __future__ import annotations

import difflib
import json
import time
import unittest
from collections.abc import Callable
from typing import Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from aws.offline import OfflineWorld
from aws.server import Server, serve

ACCOUNT_ID = "123456789012"
LONG = 24 * 3600.0  # AWS seconds; more than any test takes, however busy the machine is
MANAGED = "arn:aws:iam::aws:policy/"
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy")


class Account(unittest.TestCase):
    """One server for all tests of the process: moto's state is the process's."""

    server: Server
    _shared: Server | None = None

    @classmethod
    def setUpClass(cls) -> None:
        if Account._shared is None:
            Account._shared = serve(OfflineWorld(pretend=True), "127.0.0.1", 0, speed=600, strict=True)
        cls.server = Account._shared

    def setUp(self) -> None:
        self.maxDiff = None
        before = self.dump()
        self.addCleanup(lambda: self._nothing_is_left(before))

    def dump(self) -> str:
        return requests.get(f"http://127.0.0.1:{self.server.port}/_sandbox/dump").text

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = requests.request(method, f"http://127.0.0.1:{self.server.port}/_sandbox/{path}", json=body)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def fault(self, effect: dict[str, Any] | str, **more: Any) -> str:
        """Until the test ends; its id. A kind alone is enough where it needs nothing else."""
        effect = {"kind": effect} if isinstance(effect, str) else effect
        identifier = self.control("POST", "faults", {"fault": effect} | more)["id"]
        self.addCleanup(lambda: self.control("DELETE", "faults"))
        return identifier

    def mode(self, name: str, **what: Any) -> None:
        """Until the test ends."""
        self.control("POST", "modes", {"mode": name} | what)
        self.addCleanup(lambda: self.control("DELETE", "modes"))

    def hours_pass(self) -> None:
        """All at once: what takes LONG is over."""
        self.server.sandbox.clock.skip(LONG)

    def _nothing_is_left(self, before: str) -> None:
        """After every test the account is as it was; what goes in its own time is waited for."""
        end = time.monotonic() + 5
        while self.dump() != before and time.monotonic() < end:
            time.sleep(0.1)
        after = self.dump()
        if after != before:
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", "", "", 3, "")
            self.fail("something is left:\n" + "\n".join(lines))

    def client(self, service: str, unchecked: bool = False, **other: str) -> Any:
        """Unchecked: it sends whatever it is given."""
        keys = {"aws_access_key_id": self.server.access_key, "aws_secret_access_key": self.server.secret_key}
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.server.port}",
            config=Config(
                retries={"total_max_attempts": 1},
                signature_version="s3v4" if service == "s3" else None,
                parameter_validation=not unchecked,
            ),
            **({"region_name": "us-east-1"} | keys | other),
        )

    def refused(self, code: str, call: Callable[..., Any], **params: Any) -> str:
        with self.assertRaises(ClientError) as caught:
            call(**params)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        return error["Message"]

    def held(self, by: str, call: Callable[..., Any], **params: Any) -> str:
        """Refused for what depends on it; the log names that."""
        with self.assertLogs("aws", "INFO") as logged:
            message = self.refused("DependencyViolation", call, **params)
        self.assertIn(by, "\n".join(line for line in logged.output if "held by" in line))
        self.assertNotIn("held by", message)
        return message

    def until(self, look: Callable[[], Any], seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := look():
                return value
            time.sleep(0.05)
        self.fail("it did not come")

    def role(self, name: str, service: str, *policies: str) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        iam = self.client("iam")
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        for policy in policies:
            iam.attach_role_policy(RoleName=name, PolicyArn=MANAGED + policy)
        return arn

    def delete_role(self, name: str) -> None:
        iam = self.client("iam")
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=name)


class Network:
    """Two public and two private subnets, an internet gateway and a NAT gateway."""

    def __init__(self, test: Account) -> None:
        self.test, self.ec2 = test, test.client("ec2")
        ec2 = self.ec2
        self.vpc = ec2.create_vpc(CidrBlock="192.168.0.0/20")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.private = [self._subnet("192.168.0.0/24", "a"), self._subnet("192.168.2.0/24", "b")]
        self.public = [self._subnet("192.168.4.0/24", "a"), self._subnet("192.168.6.0/24", "b")]
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.tables: list[str] = []
        self.associations: list[str] = []
        self._table(self.public, GatewayId=self.gateway)
        self.address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        created = ec2.create_nat_gateway(SubnetId=self.public[0], AllocationId=self.address)
        self.nat = created["NatGateway"]["NatGatewayId"]
        test.until(lambda: self.nat_state() == "available")
        self._table(self.private, NatGatewayId=self.nat)

    def nat_state(self) -> str:
        return self.ec2.describe_nat_gateways(NatGatewayIds=[self.nat])["NatGateways"][0]["State"]

    def _subnet(self, cidr: str, zone: str) -> str:
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=f"us-east-1{zone}")
        return subnet["Subnet"]["SubnetId"]

    def _table(self, subnets: list[str], **target: str) -> None:
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        for subnet in subnets:
            association = self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
            self.associations.append(association["AssociationId"])
        self.tables.append(table)

    def delete(self) -> None:
        ec2 = self.ec2
        ec2.delete_nat_gateway(NatGatewayId=self.nat)
        self.test.until(lambda: self.nat_state() == "deleted")
        ec2.release_address(AllocationId=self.address)
        for association in self.associations:
            ec2.disassociate_route_table(AssociationId=association)
        for table in self.tables:
            ec2.delete_route_table(RouteTableId=table)
        ec2.detach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        ec2.delete_internet_gateway(InternetGatewayId=self.gateway)
        for subnet in self.private + self.public:
            ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=self.vpc)
