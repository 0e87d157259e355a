"""The network, from the VPC to the endpoints, and launch templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .recorder import refused, until

NONE = "0123456789abcdef0"
TAGS = [{"Key": "a", "Value": "b"}]


def tagged(kind: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": TAGS}]}


def play(client: Callable[..., Any]) -> None:
    ec2 = client("ec2")
    _zones(ec2)
    _nothing_there(ec2, client("ec2", unchecked=True))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **tagged("vpc"))["Vpc"]["VpcId"]
    ec2.describe_vpcs(VpcIds=[vpc])
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a", **tagged("subnet"))
    subnet = made["Subnet"]["SubnetId"]
    refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.0/24")
    refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.1.0.0/24")
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    ec2.describe_subnets(SubnetIds=[subnet])
    _gateways(ec2, vpc, subnet)
    _groups(ec2, vpc)
    _interfaces(ec2, subnet)
    _endpoints(ec2, vpc, subnet)
    _templates(ec2)
    ec2.create_tags(Resources=[vpc], Tags=TAGS)
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])
    refused(ec2.create_tags, Resources=[vpc], Tags=[{"Key": "aws:x", "Value": ""}])
    ec2.delete_tags(Resources=[vpc], Tags=TAGS)
    refused(ec2.delete_vpc, VpcId=vpc)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def _zones(ec2: Any) -> None:
    ec2.describe_availability_zones()
    ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.large"]}]
    )


def _nothing_there(ec2: Any, anything: Any) -> None:
    refused(anything.create_tags, Tags=TAGS)
    for call, params in (
        (ec2.describe_vpcs, {"VpcIds": [f"vpc-{NONE}"]}),
        (ec2.delete_vpc, {"VpcId": f"vpc-{NONE}"}),
        (ec2.describe_subnets, {"SubnetIds": [f"subnet-{NONE}"]}),
        (ec2.delete_subnet, {"SubnetId": f"subnet-{NONE}"}),
        (ec2.describe_addresses, {"AllocationIds": [f"eipalloc-{NONE}"]}),
        (ec2.release_address, {"AllocationId": f"eipalloc-{NONE}"}),
        (ec2.describe_internet_gateways, {"InternetGatewayIds": [f"igw-{NONE}"]}),
        (ec2.delete_internet_gateway, {"InternetGatewayId": f"igw-{NONE}"}),
        (ec2.detach_internet_gateway, {"InternetGatewayId": f"igw-{NONE}", "VpcId": f"vpc-{NONE}"}),
        (ec2.describe_nat_gateways, {"NatGatewayIds": [f"nat-{NONE}"]}),
        (ec2.delete_nat_gateway, {"NatGatewayId": f"nat-{NONE}"}),
        (ec2.describe_network_interfaces, {"NetworkInterfaceIds": [f"eni-{NONE}"]}),
        (ec2.delete_network_interface, {"NetworkInterfaceId": f"eni-{NONE}"}),
        (ec2.detach_network_interface, {"AttachmentId": f"eni-attach-{NONE}"}),
        (ec2.describe_route_tables, {"RouteTableIds": [f"rtb-{NONE}"]}),
        (ec2.delete_route_table, {"RouteTableId": f"rtb-{NONE}"}),
        (ec2.disassociate_route_table, {"AssociationId": f"rtbassoc-{NONE}"}),
        (ec2.describe_security_groups, {"GroupIds": [f"sg-{NONE}"]}),
        (ec2.delete_security_group, {"GroupId": f"sg-{NONE}"}),
        (ec2.describe_launch_templates, {"LaunchTemplateIds": [f"lt-{NONE}"]}),
        (ec2.describe_launch_template_versions, {"LaunchTemplateId": f"lt-{NONE}"}),
        (ec2.delete_launch_template, {"LaunchTemplateId": f"lt-{NONE}"}),
        (ec2.describe_vpc_endpoints, {"VpcEndpointIds": [f"vpce-{NONE}"]}),
        (ec2.create_tags, {"Resources": [f"vpc-{NONE}"], "Tags": TAGS}),
    ):
        refused(call, **params)
    ec2.describe_addresses()


def _gateways(ec2: Any, vpc: str, subnet: str) -> None:
    gateway = ec2.create_internet_gateway(**tagged("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    table = ec2.create_route_table(VpcId=vpc, **tagged("route-table"))["RouteTable"]["RouteTableId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    refused(ec2.create_route, **route, GatewayId=gateway)
    refused(ec2.create_route, **route, NatGatewayId=f"nat-{NONE}")
    refused(ec2.create_route, **route, GatewayId=f"igw-{NONE}")
    refused(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    refused(ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    ec2.describe_internet_gateways(InternetGatewayIds=[gateway])
    ec2.create_route(**route, GatewayId=gateway)
    refused(ec2.create_route, **route, GatewayId=gateway)
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    refused(ec2.delete_route_table, RouteTableId=table)
    second = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    refused(ec2.associate_route_table, RouteTableId=second, SubnetId=subnet)
    association = ec2.replace_route_table_association(AssociationId=association, RouteTableId=second)["NewAssociationId"]
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_route_table(RouteTableId=second)
    _nat(ec2, subnet, vpc, gateway)
    ec2.delete_route(**route)
    ec2.delete_route_table(RouteTableId=table)
    refused(ec2.delete_internet_gateway, InternetGatewayId=gateway)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


def _nat(ec2: Any, subnet: str, vpc: str, gateway: str) -> None:
    address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip"))["AllocationId"]
    ec2.describe_addresses()
    refused(ec2.create_nat_gateway, SubnetId=subnet)
    refused(ec2.create_nat_gateway, SubnetId=subnet, AllocationId=f"eipalloc-{NONE}")
    refused(ec2.create_nat_gateway, SubnetId=f"subnet-{NONE}", AllocationId=address)

    def create() -> str:
        made = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **tagged("natgateway"))
        return made["NatGateway"]["NatGatewayId"]

    def look(nat: str) -> dict[str, Any]:
        return ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]

    nat = create()
    until(lambda: look(nat)["State"] == "available")
    other = create()
    until(lambda: look(other)["State"] == "failed")
    failed = look(other)
    assert failed["FailureCode"] == "Resource.AlreadyAssociated", failed
    assert failed["FailureMessage"] == f"Elastic IP address [{address}] is already associated", failed
    ec2.describe_addresses()
    of_gateway = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]
    refused(ec2.detach_network_interface, AttachmentId=of_gateway[0]["Attachment"]["AttachmentId"])
    refused(ec2.release_address, AllocationId=address)
    refused(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    refused(ec2.delete_subnet, SubnetId=subnet)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    until(lambda: look(nat)["State"] == "deleted")
    ec2.release_address(AllocationId=address)


def _groups(ec2: Any, vpc: str) -> None:
    made = ec2.create_security_group(GroupName="one", Description="d", VpcId=vpc, **tagged("security-group"))
    group = made["GroupId"]
    refused(ec2.create_security_group, GroupName="one", Description="d", VpcId=vpc)
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule])
    ec2.describe_security_groups(GroupIds=[group])
    ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    refused(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[rule])
    every = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[every])
    other = ec2.create_security_group(GroupName="two", Description="d", VpcId=vpc)["GroupId"]
    pair = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": other}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[pair])
    ec2.describe_security_groups(GroupIds=[group])
    refused(ec2.delete_security_group, GroupId=other)
    default = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    refused(ec2.delete_security_group, GroupId=ec2.describe_security_groups(Filters=default)["SecurityGroups"][0]["GroupId"])
    ec2.delete_security_group(GroupId=group)
    ec2.delete_security_group(GroupId=other)


def _interfaces(ec2: Any, subnet: str) -> None:
    interface = ec2.create_network_interface(SubnetId=subnet, Description="d", **tagged("network-interface"))
    identifier = interface["NetworkInterface"]["NetworkInterfaceId"]
    ec2.describe_network_interfaces(NetworkInterfaceIds=[identifier])
    refused(ec2.delete_subnet, SubnetId=subnet)
    reservation = ec2.run_instances(ImageId="ami-0e2a6b8c9d1f35407", InstanceType="t3.large", MinCount=1, MaxCount=1, SubnetId=subnet)
    instance = reservation["Instances"][0]["InstanceId"]
    attached = ec2.attach_network_interface(NetworkInterfaceId=identifier, InstanceId=instance, DeviceIndex=1)
    ec2.describe_network_interfaces(NetworkInterfaceIds=[identifier])
    refused(ec2.delete_network_interface, NetworkInterfaceId=identifier)
    ec2.detach_network_interface(AttachmentId=attached["AttachmentId"])
    ec2.delete_network_interface(NetworkInterfaceId=identifier)
    ec2.terminate_instances(InstanceIds=[instance])
    for left in ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=left["NetworkInterfaceId"])


def _endpoints(ec2: Any, vpc: str, subnet: str) -> None:
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    service = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3"}
    refused(ec2.create_vpc_endpoint, **service | {"VpcId": f"vpc-{NONE}"})
    made = ec2.create_vpc_endpoint(**service, VpcEndpointType="Gateway", RouteTableIds=[table], **tagged("vpc-endpoint"))
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    interface = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.ecr.api", "VpcEndpointType": "Interface"}
    other = ec2.create_vpc_endpoint(**interface, SubnetIds=[subnet])["VpcEndpoint"]["VpcEndpointId"]
    until(lambda: {found["State"] for found in ec2.describe_vpc_endpoints()["VpcEndpoints"]} == {"available"})
    ec2.describe_route_tables(RouteTableIds=[table])
    ec2.describe_network_interfaces()
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[table])
    refused(ec2.delete_vpc, VpcId=vpc)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint, other, f"vpce-{NONE}"])
    until(lambda: not ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"])
    ec2.delete_route_table(RouteTableId=table)


def _templates(ec2: Any) -> None:
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", "Encrypted": True}}
    data = {"BlockDeviceMappings": [disk], "ImageId": "ami-1", "InstanceType": "t3.large", "UserData": "eA=="}
    made = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)["LaunchTemplate"]
    refused(ec2.create_launch_template, LaunchTemplateName="t", LaunchTemplateData=data)
    template = {"LaunchTemplateId": made["LaunchTemplateId"]}
    ec2.create_launch_template_version(**template, LaunchTemplateData=data, VersionDescription="v")
    ec2.describe_launch_templates()
    ec2.describe_launch_template_versions(**template)
    refused(ec2.describe_launch_template_versions, **template, Versions=["7"])
    ec2.delete_launch_template(**template)
