"""EC2 refuses what AWS refuses, and takes its time."""

from __future__ import annotations

import threading

from .account import Account, Network


class Order(Account):
    def test_the_network_comes_apart_only_in_order(self) -> None:
        net = Network(self)
        ec2 = net.ec2
        self.held(net.gateway, ec2.delete_vpc, VpcId=net.vpc)
        self.held(net.nat, ec2.delete_subnet, SubnetId=net.public[0])
        self.refused("AuthFailure", ec2.release_address, AllocationId=net.address)
        detach = {"InternetGatewayId": net.gateway, "VpcId": net.vpc}
        self.assertIn("mapped public address", self.refused("DependencyViolation", ec2.detach_internet_gateway, **detach))
        self.refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=net.gateway)
        self.refused("DependencyViolation", ec2.delete_route_table, RouteTableId=net.tables[0])
        self.refused(
            "Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=net.tables[0], SubnetId=net.private[0]
        )
        taken = ec2.create_nat_gateway(SubnetId=net.public[0], AllocationId=net.address)["NatGateway"]
        self.assertEqual(taken["State"], "pending")
        look = lambda: ec2.describe_nat_gateways(NatGatewayIds=[taken["NatGatewayId"]])["NatGateways"][0]  # noqa: E731
        self.until(lambda: look()["State"] == "failed")
        self.assertEqual(look()["FailureCode"], "Resource.AlreadyAssociated")
        net.delete()
        self.refused("InvalidNatGatewayID.NotFound", lambda: self._route_to(net))

    def _route_to(self, net: Network) -> None:
        vpc = net.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        table = net.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        try:
            net.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=net.nat)
        finally:
            net.ec2.delete_route_table(RouteTableId=table)
            net.ec2.delete_vpc(VpcId=vpc)

    def test_a_nat_gateway_without_an_internet_gateway_fails(self) -> None:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
        self.assertEqual(nat["State"], "pending")
        self.assertTrue(nat["NatGatewayAddresses"][0]["PrivateIp"].startswith("10.0.0."))
        wanted = [nat["NatGatewayId"]]
        mine = [{"Name": "tag:a", "Values": ["b*"]}]
        self.assertEqual(ec2.describe_nat_gateways(Filters=mine)["NatGateways"], [])
        ec2.create_tags(Resources=wanted, Tags=[{"Key": "a", "Value": "bc"}])
        self.assertEqual(len(ec2.describe_nat_gateways(Filters=mine)["NatGateways"]), 1)
        self.refused("NatGatewayNotFound", ec2.describe_nat_gateways, NatGatewayIds=["nat-00000000000000000"])
        look = lambda: ec2.describe_nat_gateways(NatGatewayIds=wanted)["NatGateways"][0]  # noqa: E731
        self.until(lambda: look()["State"] == "failed")
        self.assertEqual(look()["FailureCode"], "Gateway.NotAttached")
        ec2.release_address(AllocationId=address)
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)

    def test_security_groups_are_held_by_who_uses_or_names_them(self) -> None:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        one, two = (
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("one", "two")
        )
        rule = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": one}]}]
        ec2.authorize_security_group_ingress(GroupId=two, IpPermissions=rule)
        eni = ec2.create_network_interface(SubnetId=subnet, Groups=[two])["NetworkInterface"]["NetworkInterfaceId"]
        self.held(two, ec2.delete_security_group, GroupId=one)
        self.held(eni, ec2.delete_security_group, GroupId=two)
        ec2.delete_network_interface(NetworkInterfaceId=eni)
        ec2.delete_security_group(GroupId=two)
        ec2.delete_security_group(GroupId=one)
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)

    def test_an_endpoint_goes_with_or_without_its_route_table(self) -> None:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for first in ("endpoint", "table"):
            table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
            endpoint = ec2.create_vpc_endpoint(
                VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=[table]
            )["VpcEndpoint"]["VpcEndpointId"]
            self.held(endpoint, ec2.delete_vpc, VpcId=vpc)
            if first == "table":
                ec2.delete_route_table(RouteTableId=table)
            ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
            if first == "endpoint":
                routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
                self.assertEqual([route["DestinationCidrBlock"] for route in routes], ["10.0.0.0/16"])
                ec2.delete_route_table(RouteTableId=table)
            # On a busy machine it is gone by now.
            states = {found["State"] for found in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
            self.assertLessEqual(states, {"deleting"})
            self.until(lambda: not ec2.describe_vpc_endpoints()["VpcEndpoints"])
        ec2.delete_vpc(VpcId=vpc)

    def test_vpcs_and_subnets_are_pending_for_a_moment(self) -> None:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
        subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.0.0/24")["Subnet"]
        self.assertEqual((vpc["State"], subnet["State"]), ("pending", "pending"))
        self.until(lambda: ec2.describe_subnets(SubnetIds=[subnet["SubnetId"]])["Subnets"][0]["State"] == "available")
        self.until(lambda: ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["State"] == "available")
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=vpc["VpcId"])


class Requests(Account):
    def test_a_client_token_makes_one_thing(self) -> None:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        make = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "ClientToken": "token"}
        ids = {ec2.create_vpc_endpoint(**make)["VpcEndpoint"]["VpcEndpointId"] for _ in range(2)}
        self.assertEqual(len(ids), 1)
        changed = make | {"ServiceName": "com.amazonaws.us-east-1.dynamodb"}
        self.refused("IdempotentParameterMismatch", ec2.create_vpc_endpoint, **changed)
        ec2.delete_vpc_endpoints(VpcEndpointIds=list(ids))
        self.until(lambda: not ec2.describe_vpc_endpoints()["VpcEndpoints"])
        ec2.delete_vpc(VpcId=vpc)

    def test_a_dry_run_makes_nothing(self) -> None:
        ec2 = self.client("ec2")
        before = len(ec2.describe_vpcs()["Vpcs"])
        self.refused("DryRunOperation", ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
        self.assertEqual(len(ec2.describe_vpcs()["Vpcs"]), before)

    def test_a_launch_template_shows_the_tags_that_it_has_now(self) -> None:
        ec2 = self.client("ec2")
        own = [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "1"}]}]
        data = {"InstanceType": "t3.large"}
        made = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=own)
        template = made["LaunchTemplate"]["LaunchTemplateId"]
        self.assertEqual(made["LaunchTemplate"]["Tags"], [{"Key": "a", "Value": "1"}])
        ec2.create_tags(Resources=[template], Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
        ec2.delete_tags(Resources=[template], Tags=[{"Key": "a"}])
        shown = ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"][0]
        self.assertEqual(shown["Tags"], [{"Key": "b", "Value": ""}])
        for call in (ec2.create_tags, ec2.delete_tags):
            self.refused("InvalidParameterValue", call, Resources=[template], Tags=[{"Key": "AWS:x", "Value": ""}])
        ec2.delete_launch_template(LaunchTemplateId=template)

    def test_parallel_calls_lose_nothing(self) -> None:
        made: list[str] = []

        def make() -> None:
            ec2 = self.client("ec2")
            for _ in range(10):
                made.append(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ec2 = self.client("ec2")
        self.assertEqual(len(ec2.describe_vpcs(VpcIds=made)["Vpcs"]), 80)
        for vpc in made:
            ec2.delete_vpc(VpcId=vpc)
