"""GetResources as AWS answers it: of every service, by region, in pages, and late."""

from __future__ import annotations

import requests

from .account import Account

TAGS = {"deployment": "one", "region": "us-east-1"}


class Tagging(Account):
    def found(self, at: str = "us-east-1", **filters: list[str]) -> list[str]:
        client = self.client("resourcegroupstaggingapi", region_name=at)
        wanted = [{"Key": key, "Values": values} for key, values in filters.items()]
        pages = client.get_paginator("get_resources").paginate(TagFilters=wanted, ResourcesPerPage=1)
        return [found["ResourceARN"] for page in pages for found in page["ResourceTagMappingList"]]

    def test_what_carries_the_tags_is_found_in_every_service_and_nothing_else(self) -> None:
        ec2, s3, ecr = self.client("ec2"), self.client("s3"), self.client("ecr")
        pairs = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        s3.create_bucket(Bucket="tagged-bucket", CreateBucketConfiguration={"Tags": pairs})
        s3.create_bucket(Bucket="untagged-bucket")
        elsewhere = {"Tags": pairs, "LocationConstraint": "eu-west-1"}
        self.client("s3", region_name="eu-west-1").create_bucket(
            Bucket="elsewhere", CreateBucketConfiguration=elsewhere
        )
        repository = ecr.create_repository(repositoryName="tagged", tags=pairs)["repository"]["repositoryArn"]
        specification = [{"ResourceType": "elastic-ip", "Tags": pairs[:1]}]
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=specification)["AllocationId"]
        wanted = ["arn:aws:s3:::tagged-bucket", repository]
        self.assertEqual(sorted(self.found(deployment=["one"], region=["us-east-1"])), sorted(wanted))
        of_one = self.found(deployment=["one", "two"])
        self.assertEqual(len(of_one), 3)
        self.assertTrue(any(arn.endswith(f":elastic-ip/{address}") for arn in of_one), of_one)
        self.assertEqual(self.found(at="eu-west-1", deployment=[]), ["arn:aws:s3:::elsewhere"])
        self.assertEqual(self.found(deployment=["two"]), [])
        ec2.release_address(AllocationId=address)
        ecr.delete_repository(repositoryName="tagged")
        for bucket in ("tagged-bucket", "untagged-bucket", "elsewhere"):
            s3.delete_bucket(Bucket=bucket)
        self.assertEqual(self.found(deployment=["one"]), [])

    def test_it_notices_late_what_was_made_and_what_is_gone(self) -> None:
        ecr = self.client("ecr")
        tags = [{"Key": "deployment", "Value": "late"}]
        gone = ecr.create_repository(repositoryName="gone", tags=tags)["repository"]["repositoryArn"]
        self.freeze("true")
        ecr.delete_repository(repositoryName="gone")
        new = ecr.create_repository(repositoryName="new", tags=tags)["repository"]["repositoryArn"]
        self.assertEqual(self.found(deployment=["late"]), [gone])
        self.freeze("false")
        self.assertEqual(self.found(deployment=["late"]), [new])
        ecr.delete_repository(repositoryName="new")

    def freeze(self, on: str) -> None:
        requests.post(f"http://127.0.0.1:{self.server.port}/_sandbox/freeze-tags?on={on}").raise_for_status()

    def test_who_may_not_is_told_the_action(self) -> None:
        key, secret = self.server.new_user("nobody")
        iam = self.client("iam")
        for policy in iam.list_attached_user_policies(UserName="nobody")["AttachedPolicies"]:
            iam.detach_user_policy(UserName="nobody", PolicyArn=policy["PolicyArn"])
        client = self.client(
            "resourcegroupstaggingapi", aws_access_key_id=key, aws_secret_access_key=secret
        )
        self.assertIn("tag:GetResources", self.refused("AccessDeniedException", client.get_resources))
        iam.delete_access_key(UserName="nobody", AccessKeyId=key)
        iam.delete_user(UserName="nobody")
