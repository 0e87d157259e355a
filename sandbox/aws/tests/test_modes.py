"""Modes of the account as a whole: its clock, its pace, and when it shows what was made."""

from __future__ import annotations

import json
import time

import requests

from aws.modes import kinds

from .account import LONG, Account, Network

VPC = {"CidrBlock": "10.0.0.0/16"}


class Control(Account):
    def test_modes_are_told_replaced_and_ended(self) -> None:
        self.mode("capacity", zone="us-east-1a")
        self.mode("capacity", zone="us-east-1b", instance_type="g4dn.xlarge")
        self.mode("visibility-delay", seconds=5)
        self.mode("visibility-delay")
        on = [
            {"mode": "capacity", "zone": "us-east-1a"},
            {"mode": "capacity", "zone": "us-east-1b", "instance_type": "g4dn.xlarge"},
            {"mode": "visibility-delay", "seconds": 10.0},
        ]
        self.assertEqual(self.control("GET", "modes"), {"modes": on})
        self.assertEqual(self.control("DELETE", "modes/capacity"), {"modes": on[:2]})
        self.assertEqual(self.control("DELETE", "modes"), {"modes": on[2:]})
        url = f"http://127.0.0.1:{self.server.port}/_sandbox/modes"
        self.assertEqual(requests.delete(url + "/capacity").status_code, 404)
        for body, why in [
            ({}, "mode: is missing"),
            ({"mode": "fast"}, "mode: 'fast' is none of quota, capacity"),
            ({"mode": "capacity"}, "zone: is missing"),
            ({"mode": "guardduty", "seconds": 1}, "seconds: is not known here"),
            ({"mode": "throttling", "share": 0}, "share: 0 is not from 0.001 to 1"),
            ({"mode": "deletion-fails", "kind": "vpc"}, "kind: 'vpc' is none of node-group, cluster"),
        ]:
            answer = requests.post(url, json=body)
            self.assertEqual(answer.status_code, 400, body)
            self.assertTrue(answer.json()["error"].startswith(why), answer.text)

    def test_a_quota_is_a_mode_by_both_ways(self) -> None:
        def value() -> float:
            quotas = self.client("service-quotas")
            return quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")["Quota"]["Value"]

        self.mode("quota", code="L-DB2E81BA", vcpus=3)
        self.assertEqual(value(), 3)
        self.control("POST", "quota?code=L-DB2E81BA&vcpus=0")
        self.assertEqual((value(), len(self.control("GET", "modes")["modes"])), (0, 1))
        self.control("DELETE", "modes/quota")
        self.assertEqual(value(), 64)


    def test_a_stopped_cache_has_the_service_accounts_from_before(self) -> None:
        knows = self.server.sandbox.modes.knows_service_account
        moment = time.time()
        self.mode("cached-service-account")
        self.assertEqual((knows(moment - 2), knows(moment + 1)), (True, False))
        self.control("DELETE", "modes/cached-service-account")
        self.assertTrue(knows(moment + 1))


class Clock(Account):
    def test_a_signature_of_another_time_is_refused_as_each_service_refuses_it(self) -> None:
        calls = {
            "sts": ("get_caller_identity", "SignatureDoesNotMatch"),
            "iam": ("list_roles", "SignatureDoesNotMatch"),
            "eks": ("list_clusters", "InvalidSignatureException"),
            "ec2": ("describe_vpcs", "RequestExpired"),
            "s3": ("list_buckets", "RequestTimeTooSkewed"),
        }
        words = {
            5400: r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min.\)",
            -5400: r"Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 15 min.\)",
        }
        for seconds, pattern in words.items():
            self.mode("clock-skew", seconds=seconds)
            for service, (call, code) in calls.items():
                with self.subTest(service, seconds=seconds):
                    message = self.refused(code, getattr(self.client(service), call))
                    if service not in ("ec2", "s3"):
                        self.assertRegex(message, f"^{pattern}$")
        self.mode("clock-skew", seconds=600)
        self.client("sts").get_caller_identity()


class Throttling(Account):
    def test_a_bucket_of_an_api_runs_dry_and_fills_again(self) -> None:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(**VPC)["Vpc"]["VpcId"]
        self.mode("throttling", share=0.25)  # of 4
        make = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3"}
        made = [ec2.create_vpc_endpoint(**make)["VpcEndpoint"]["VpcEndpointId"]]
        self.refused("RequestLimitExceeded", ec2.create_vpc_endpoint, **make)
        ec2.describe_vpcs()  # another API has its own
        self.assertEqual(self.control("GET", "modes")["modes"][0]["refused"], {"ec2:CreateVpcEndpoint": 1})
        throttling = self.server.sandbox.modes.one(kinds.Throttling)
        assert throttling is not None
        # As if 14 s had passed: 0.3 tokens a second, and a quarter of it for us.
        throttling.buckets = {bucket: (tokens, last - 14) for bucket, (tokens, last) in throttling.buckets.items()}
        made.append(ec2.create_vpc_endpoint(**make)["VpcEndpoint"]["VpcEndpointId"])
        self.control("DELETE", "modes")
        ec2.delete_vpc_endpoints(VpcEndpointIds=made)
        self.until(lambda: not ec2.describe_vpc_endpoints(VpcEndpointIds=[])["VpcEndpoints"])
        ec2.delete_vpc(VpcId=vpc)

    def test_others_in_the_account_leave_a_share(self) -> None:
        self.mode("throttling", share=0.001)  # never less than a call
        ec2 = self.client("ec2")
        filters = [{"Name": "group-name", "Values": ["default"]}]
        for params in ({}, {"Filters": filters}):  # what is filtered or comes in pages has a bucket of its own
            ec2.describe_security_groups(**params)
            self.refused("RequestLimitExceeded", ec2.describe_security_groups, **params)
        self.refused("RequestLimitExceeded", ec2.describe_security_groups, MaxResults=5)


class Visibility(Account):
    def test_what_was_made_is_seen_later_and_is_not_to_be_used_before(self) -> None:
        ec2 = self.client("ec2")
        self.mode("visibility-delay", seconds=LONG)
        vpc = ec2.create_vpc(**VPC)["Vpc"]["VpcId"]
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        self.assertEqual(ec2.describe_vpcs(Filters=filters)["Vpcs"], [])
        for described in (ec2.describe_security_groups, ec2.describe_route_tables, ec2.describe_network_acls):
            self.assertEqual(list(described(Filters=filters).values())[0], [])
        self.refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc])
        subnet = {"VpcId": vpc, "CidrBlock": "10.0.0.0/24"}
        self.refused("InvalidVpcID.NotFound", ec2.create_subnet, **subnet)
        self.refused("InvalidVpcID.NotFound", ec2.delete_vpc, VpcId=vpc)
        self.hours_pass()
        self.assertEqual([found["VpcId"] for found in ec2.describe_vpcs(Filters=filters)["Vpcs"]], [vpc])
        made = ec2.create_subnet(**subnet)["Subnet"]["SubnetId"]
        self.assertEqual(ec2.describe_subnets(Filters=filters)["Subnets"], [])
        # What hangs from it is known where it is decided, if not where it is shown.
        self.refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
        self.hours_pass()
        self.assertEqual(len(ec2.describe_subnets(Filters=filters)["Subnets"]), 1)
        ec2.delete_subnet(SubnetId=made)
        ec2.delete_vpc(VpcId=vpc)

    def test_a_name_that_is_taken_is_taken_though_it_is_not_seen(self) -> None:
        iam, ec2 = self.client("iam"), self.client("ec2")
        self.mode("visibility-delay", seconds=LONG)
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = {"RoleName": "r", "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [trust]})}
        iam.create_role(**role)
        self.refused("NoSuchEntity", iam.get_role, RoleName="r")
        self.refused("EntityAlreadyExists", iam.create_role, **role)
        policy = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
        self.refused("NoSuchEntity", iam.attach_role_policy, RoleName="r", PolicyArn=policy)
        template = {"LaunchTemplateName": "ttt", "LaunchTemplateData": {"InstanceType": "t3.large"}}
        ec2.create_launch_template(**template)
        self.assertEqual(ec2.describe_launch_templates()["LaunchTemplates"], [])
        self.refused("InvalidLaunchTemplateName.AlreadyExistsException", ec2.create_launch_template, **template)
        address = ec2.allocate_address()["AllocationId"]
        shown = [{"Name": "allocation-id", "Values": [address]}]
        self.assertEqual(ec2.describe_addresses(Filters=shown)["Addresses"], [])
        self.hours_pass()
        self.assertEqual(len(ec2.describe_addresses(Filters=shown)["Addresses"]), 1)
        iam.get_role(RoleName="r")
        ec2.release_address(AllocationId=address)
        ec2.delete_launch_template(LaunchTemplateName="ttt")
        iam.delete_role(RoleName="r")
        # A name that is used again is hidden again.
        iam.create_role(**role)
        self.refused("NoSuchEntity", iam.get_role, RoleName="r")
        self.control("DELETE", "modes")
        iam.delete_role(RoleName="r")

    def test_a_cluster_is_seen_later_with_its_tags(self) -> None:
        network = Network(self)
        role = self.role("cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        eks, tags = self.client("eks"), self.client("resourcegroupstaggingapi")
        make = {"name": "c", "roleArn": role, "resourcesVpcConfig": {"subnetIds": network.private}, "tags": {"late": "yes"}}
        self.mode("visibility-delay", seconds=LONG)
        eks.create_cluster(**make)
        late = [{"Key": "late"}]
        self.refused("ResourceNotFoundException", eks.describe_cluster, name="c")
        self.assertEqual(eks.list_clusters()["clusters"], [])
        self.assertEqual(tags.get_resources(TagFilters=late)["ResourceTagMappingList"], [])
        self.refused("ResourceInUseException", eks.create_cluster, **make)
        self.hours_pass()
        self.assertEqual(eks.list_clusters()["clusters"], ["c"])
        self.assertEqual(len(tags.get_resources(TagFilters=late)["ResourceTagMappingList"]), 1)
        self.control("DELETE", "modes")
        self.until(lambda: eks.describe_cluster(name="c")["cluster"]["status"] == "ACTIVE")
        eks.delete_cluster(name="c")
        self.until(lambda: not eks.list_clusters()["clusters"])
        self.delete_role("cluster")
        network.delete()
