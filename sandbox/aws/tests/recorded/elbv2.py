"""Balancers and target groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .recorder import refused, until


def play(client: Callable[..., Any]) -> None:
    ec2, elb = client("ec2"), client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    tags = [{"Key": "a", "Value": "b"}]
    arns = []
    for kind in ("network", "application"):
        made = elb.create_load_balancer(Name=kind, Subnets=subnets, Type=kind, Scheme="internet-facing", Tags=tags)
        arns.append(made["LoadBalancers"][0]["LoadBalancerArn"])
    elb.describe_load_balancers()
    elb.describe_tags(ResourceArns=arns)
    health = {"HealthCheckProtocol": "HTTP", "HealthCheckPath": "/", "Matcher": {"HttpCode": "200"}}
    made = elb.create_target_group(Name="one", Protocol="TCP", Port=80, VpcId=vpc, TargetType="ip", Tags=tags)
    group = made["TargetGroups"][0]["TargetGroupArn"]
    made = elb.create_target_group(Name="two", Protocol="HTTP", Port=80, VpcId=vpc, **health)
    other = made["TargetGroups"][0]["TargetGroupArn"]
    elb.describe_target_groups()
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.9"}])
    elb.describe_target_health(TargetGroupArn=group)
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    listener = {"LoadBalancerArn": arns[0], "Protocol": "TCP", "Port": 80, "DefaultActions": forward}
    elb.create_listener(**listener)
    refused(elb.create_listener, **listener)
    elb.describe_listeners(LoadBalancerArn=arns[0])
    elb.describe_target_groups()
    elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "10.0.0.10", "Port": 8081}])
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.9"}])
    elb.describe_target_health(TargetGroupArn=group)
    refused(elb.delete_target_group, TargetGroupArn=group)
    protection = {"Key": "deletion_protection.enabled", "Value": "true"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=arns[0], Attributes=[protection])
    refused(elb.delete_load_balancer, LoadBalancerArn=arns[0])
    elb.modify_load_balancer_attributes(LoadBalancerArn=arns[0], Attributes=[protection | {"Value": "false"}])
    elb.describe_load_balancer_attributes(LoadBalancerArn=arns[0])
    for arn in arns:
        elb.delete_load_balancer(LoadBalancerArn=arn)
    for arn in (group, other):
        elb.delete_target_group(TargetGroupArn=arn)
    refused(elb.describe_load_balancers, LoadBalancerArns=arns[:1])
    refused(elb.describe_target_groups, TargetGroupArns=[group])
    refused(elb.describe_target_health, TargetGroupArn=group)
    _leave(ec2, vpc, subnets, gateway)


def _leave(ec2: Any, vpc: str, subnets: list[str], gateway: str) -> None:
    """The interfaces of balancers stay a while."""
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    until(lambda: not ec2.describe_network_interfaces(Filters=of_vpc)["NetworkInterfaces"])
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
