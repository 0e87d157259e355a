"""Requests and answers are held to botocore's models of the services."""

from __future__ import annotations

import json
from typing import Any

from aws import hooks
from aws.models import answers

from .account import Account


class Requests(Account):
    def test_what_the_model_does_not_allow_is_refused_as_the_service_refuses_it(self) -> None:
        ec2, iam, eks = (self.client(service, unchecked=True) for service in ("ec2", "iam", "eks"))
        message = self.refused("MissingParameter", ec2.create_tags, Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(message, "The request must contain the parameter resourceIdSet")
        self.refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="10.0.0.0/16", InstanceTenancy="whatever")
        message = self.refused("ValidationError", iam.create_role, RoleName="x" * 65, AssumeRolePolicyDocument="{}")
        self.assertIn("at 'roleName' failed to satisfy constraint: Member must have length less than", message)
        self.assertIn("pattern", self.refused("ValidationError", iam.get_role, RoleName="a b"))
        self.refused("InvalidParameterException", eks.create_cluster, name="c")
        self.refused("InvalidParameterException", self.client("ecr", unchecked=True).create_repository, repositoryName="UPPER")
        self.refused("ValidationError", self.client("elbv2", unchecked=True).create_load_balancer)
        self.refused("InvalidParameterException", self.client("resourcegroupstaggingapi", unchecked=True).get_resources, ResourcesPerPage="x")

    def test_what_nobody_knows_is_refused(self) -> None:
        def add(params: dict[str, Any], **_: Any) -> None:
            if isinstance(params["body"], dict):
                params["body"]["Filter.1.Nome"] = "x"
            else:
                params["body"] = json.dumps({**json.loads(params["body"]), "Nome": "x"}).encode()

        for service, operation, code in (
            ("ec2", "describe_vpcs", "UnknownParameter"),
            ("iam", "list_roles", "ValidationError"),
            ("ecr", "describe_repositories", "InvalidParameterException"),
        ):
            client = self.client(service)
            client.meta.events.register("before-call", add)
            self.refused(code, getattr(client, operation))


class Answers(Account):
    def test_an_answer_that_aws_could_not_give_is_an_error_here(self) -> None:
        key = ("sts", "GetCallerIdentity")
        handler = hooks.handlers[key]
        self.addCleanup(hooks.handlers.__setitem__, key, handler)
        sts = self.client("sts")
        sts.get_caller_identity()
        original = answers.problems
        self.addCleanup(setattr, answers, "problems", original)
        answers.problems = lambda call, response: ["it was tried"]  # type: ignore[assignment]
        with self.assertLogs("aws", "ERROR") as logged:
            self.assertIn("it was tried", self.refused("InternalFailure", sts.get_caller_identity))
        self.assertIn("BUG of the sandbox: its answer to sts:GetCallerIdentity", logged.output[0])

    def test_unknown_members_wrong_types_and_wrong_words_are_found(self) -> None:
        found: list[list[str]] = []
        original = answers.problems
        self.addCleanup(setattr, answers, "problems", original)

        def change(old: bytes, new: bytes) -> None:
            def changed(call: Any, response: Any) -> list[str]:
                assert old in response.get_data(), response.get_data()
                response.set_data(response.get_data().replace(old, new))
                found.append(original(call, response))
                return []

            answers.problems = changed  # type: ignore[assignment]

        ec2, eks = self.client("ec2"), self.client("eks")
        for old, new, problem in (
            (b"<isDefault>true", b"<isDefault>True", ".vpcSet[].isDefault is no boolean: 'True'"),
            (b"dhcpOptionsId>", b"dhcpOptionId>", ".vpcSet[].dhcpOptionId is not in the model"),
            (b"<state>available", b"<state>ready", ".vpcSet[].state is none of the model's values: 'ready'"),
        ):
            change(old, new)
            ec2.describe_vpcs()
            self.assertEqual(found.pop(), [problem])
        for old, new, problem in (
            (b'"defaultVersion": true', b'"defaultVersion": "true"', ".clusterVersions[].defaultVersion is no boolean: 'true'"),
            (b'"clusterType"', b'"type"', ".clusterVersions[].type is not in the model"),
        ):
            change(old, new)
            eks.describe_cluster_versions()
            self.assertEqual(found.pop(), [problem])
