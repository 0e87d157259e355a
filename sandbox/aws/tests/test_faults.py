"""Faults on demand: what each does to a call, and which calls it takes."""

from __future__ import annotations

import threading
import time
from typing import Any

import requests
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from .account import Account

VPC = {"CidrBlock": "10.0.0.0/16"}


class Kinds(Account):
    def setUp(self) -> None:
        super().setUp()
        self.ec2 = self.client("ec2")
        self.addCleanup(self.delete_vpcs)

    def vpcs(self) -> list[str]:
        return [vpc["VpcId"] for vpc in self.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]

    def delete_vpcs(self) -> None:
        self.control("DELETE", "faults")
        for vpc in self.vpcs():
            self.ec2.delete_vpc(VpcId=vpc)

    def fired(self, identifier: str) -> list[dict[str, Any]]:
        return next(fault for fault in self.control("GET", "faults")["faults"] if fault["id"] == identifier)["firings"]

    def test_an_error_is_written_as_each_service_writes_it_and_nothing_is_done(self) -> None:
        calls = {
            "ec2": lambda: self.ec2.create_vpc(**VPC),
            "eks": self.client("eks").list_clusters,
            "iam": self.client("iam").list_roles,
            "s3": self.client("s3").list_buckets,
            "ecr": self.client("ecr").describe_repositories,
        }
        for service, call in calls.items():
            with self.subTest(service):
                effect = {"kind": "error", "code": "InternalError", "status": 500, "message": "An internal error."}
                identifier = self.fault(effect, match={"service": service}, times=1)
                with self.assertRaises(ClientError) as caught:
                    call()
                told = caught.exception.response
                error = {key: told["Error"][key] for key in ("Code", "Message")}
                self.assertEqual(error, {"Code": "InternalError", "Message": "An internal error."})
                self.assertEqual(told["ResponseMetadata"]["HTTPStatusCode"], 500)
                [firing] = self.fired(identifier)
                self.assertEqual(firing["request_id"], told["ResponseMetadata"]["RequestId"])
                self.control("DELETE", f"faults/{identifier}")
        self.assertEqual(self.vpcs(), [])

    def test_an_error_may_come_after_the_call_was_applied(self) -> None:
        self.fault({"kind": "error", "code": "InternalError", "status": 500, "when": "after"}, match={"operation": "CreateVpc"})
        self.refused("InternalError", self.ec2.create_vpc, **VPC)
        self.assertEqual(len(self.vpcs()), 1)

    def test_an_answer_may_be_another_one_as_if_by_aws_or_by_what_lies_between(self) -> None:
        self.fault({"kind": "answer", "status": 404, "body": "<html></html>", "stamped": False}, match={"operation": "DescribeVpcs"}, times=1)
        with self.assertRaises(ClientError) as raised:
            self.ec2.describe_vpcs()
        told = raised.exception.response["ResponseMetadata"]
        self.assertEqual((told["HTTPStatusCode"], told.get("RequestId")), (404, None))
        self.fault({"kind": "answer", "body": "{}"}, match={"operation": "ListClusters"}, times=1)
        answer = self.client("eks").list_clusters()
        self.assertEqual((answer.get("clusters"), len(answer["ResponseMetadata"]["RequestId"])), (None, 36))
        self.fault({"kind": "answer", "when": "after"}, match={"operation": "CreateVpc"}, times=1)
        with self.assertRaises(ResponseParserError):
            self.ec2.create_vpc(**VPC)
        self.assertEqual(len(self.vpcs()), 1)

    def test_a_lost_answer_is_of_a_call_that_was_applied(self) -> None:
        self.fault("lost", match={"operation": "CreateVpc"}, times=1)
        with self.assertRaises(ConnectionClosedError):
            self.ec2.create_vpc(**VPC)
        self.assertEqual(len(self.vpcs()), 1)
        self.ec2.create_vpc(**VPC)

    def test_a_reset_call_was_not_applied(self) -> None:
        self.fault("reset", match={"operation": "CreateVpc"})
        with self.assertRaises(ConnectionClosedError):
            self.ec2.create_vpc(**VPC)
        with self.assertRaises(requests.ConnectionError) as caught:
            self.get(10)
        self.assertIn("Connection reset by peer", str(caught.exception))
        self.assertEqual(self.vpcs(), [])

    def test_a_delay_is_of_the_sandboxs_clock(self) -> None:
        self.fault({"kind": "delay", "seconds": 300}, match={"operation": "CreateVpc"})
        began = time.monotonic()
        self.ec2.create_vpc(**VPC)
        self.assertGreaterEqual(time.monotonic() - began, 0.49)  # at 600 times AWS's speed

    def test_what_hangs_is_applied_when_the_fault_ends_if_its_client_still_waits(self) -> None:
        identifier = self.fault("hang", match={"operation": "CreateVpc"})
        waiting = threading.Thread(target=lambda: self.ec2.create_vpc(**VPC))
        waiting.start()
        self.until(lambda: self.fired(identifier))
        self.assertEqual(self.vpcs(), [])
        self.control("DELETE", f"faults/{identifier}")
        waiting.join()
        self.assertEqual(len(self.vpcs()), 1)

        identifier = self.fault("hang", match={"operation": "CreateVpc"})
        with self.assertRaises(requests.ReadTimeout):
            # As one that has given up: what it asked for is not done behind its back.
            self.get(0.3)
        self.control("DELETE", f"faults/{identifier}")
        time.sleep(0.3)
        self.assertEqual(len(self.vpcs()), 1)

    def get(self, timeout: float) -> None:
        """The same call below the SDK."""
        requests.get(self.ec2.generate_presigned_url("create_vpc", Params=VPC, HttpMethod="GET"), timeout=timeout)

    def test_each_service_throttles_in_its_own_words(self) -> None:
        told = {
            "ec2": ("describe_vpcs", "RequestLimitExceeded", "Request limit exceeded.", 503),
            "s3": ("list_buckets", "SlowDown", "Please reduce your request rate.", 503),
            "eks": ("list_clusters", "ThrottlingException", "Rate exceeded", 429),
            "iam": ("list_roles", "Throttling", "Rate exceeded", 400),
            "sts": ("get_caller_identity", "Throttling", "Rate exceeded", 400),
            "elbv2": ("describe_load_balancers", "Throttling", "Rate exceeded", 400),
            "ecr": ("describe_repositories", "ThrottlingException", "Rate exceeded", 400),
            "resourcegroupstaggingapi": ("get_resources", "ThrottledException", "Rate exceeded", 400),
        }
        self.fault("throttle")
        for service, (call, code, message, status) in told.items():
            with self.subTest(service), self.assertRaises(ClientError) as caught:
                getattr(self.client(service), call)()
            answer = caught.exception.response
            error, got = answer["Error"], answer["ResponseMetadata"]["HTTPStatusCode"]
            self.assertEqual((error["Code"], error["Message"], got), (code, message, status))


class Which(Account):
    def setUp(self) -> None:
        super().setUp()
        self.ec2 = self.client("ec2")

    def outcomes(self, calls: int, **params: Any) -> str:
        """A letter a call: x where it was refused."""
        marks = ""
        for _ in range(calls):
            try:
                self.ec2.describe_vpcs(**params)
                marks += "."
            except ClientError:
                marks += "x"
        return marks

    def test_skip_and_times_count_matches(self) -> None:
        identifier = self.fault("throttle", match={"service": "ec2", "operation": "Describe*"}, skip=2, times=3)
        self.client("eks").list_clusters()
        self.assertEqual(self.outcomes(8), "..xxx...")
        [fault] = self.control("DELETE", f"faults/{identifier}")["faults"]
        self.assertEqual((fault["matched"], fault["fired"], len(fault["firings"])), (8, 3, 3))

    def test_chance_is_drawn_from_the_seed(self) -> None:
        drawn = []
        for seed in (7, 7, 8):
            identifier = self.fault("throttle", match={"service": "ec2"}, percent=30, seed=seed)
            drawn.append(self.outcomes(60))
            self.control("DELETE", f"faults/{identifier}")
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])
        for marks in drawn:
            self.assertTrue(8 <= marks.count("x") <= 30, marks)

    def test_params_match_a_part_of_the_calls(self) -> None:
        filters = [{"Name": "vpc-id", "Values": ["vpc-1", "vpc-2"]}, {"Name": "state", "Values": ["available"]}]
        wanted = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-2"]}]}
        self.fault("throttle", match={"service": "ec2", "params": wanted})
        self.assertEqual(self.outcomes(1, Filters=filters) + self.outcomes(1, Filters=filters[1:]) + self.outcomes(1), "x..")

    def test_who_is_the_end_of_an_arn_and_mutating_leaves_reads_alone(self) -> None:
        self.fault("throttle", match={"who": ":user/nobody"})
        self.fault("throttle", match={"mutating": True})
        self.assertEqual(self.outcomes(1), ".")
        self.refused("RequestLimitExceeded", self.ec2.create_vpc, **VPC)
        self.fault("throttle", match={"who": ":user/sandbox"})
        self.assertEqual(self.outcomes(1), "x")

    def test_each_counts_every_call_apart_though_its_token_changes(self) -> None:
        self.fault("throttle", match={"mutating": True}, times=1, each=True)
        made = []
        for block in ("10.0.0.0/16", "10.1.0.0/16"):
            self.refused("RequestLimitExceeded", self.ec2.create_vpc, CidrBlock=block)
            made.append(self.ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"])
        self.control("DELETE", "faults")
        for vpc in made:
            self.ec2.delete_vpc(VpcId=vpc)

    def test_what_does_not_fit_is_refused_by_its_key(self) -> None:
        lost = {"kind": "lost"}
        wrong: list[tuple[Any, str]] = [
            ([], "the body: "),
            ({}, "fault: is missing"),
            ({"fault": {}}, "fault.kind: is missing"),
            ({"fault": {"kind": "slow"}}, "fault.kind: 'slow' is none of error, answer, lost"),
            ({"fault": {"kind": "error"}}, "fault.code: is missing"),
            ({"fault": {"kind": "error", "code": "X", "status": 200}}, "fault.status: 200 is not from 400 to 599"),
            ({"fault": {"kind": "lost", "code": "X"}}, "fault.code: is not known here"),
            ({"fault": {"kind": "hang", "seconds": 301}}, "fault.seconds: 301 is not from 0 to 300"),
            ({"fault": lost, "times": True}, "times: must be a whole number"),
            ({"fault": lost, "percent": 101}, "percent: 101 is not from 0 to 100"),
            ({"fault": lost, "match": {"service": "ec3"}}, "match.service: there is no service ec3"),
            ({"fault": lost, "match": {"service": "ec2", "operation": "MakeVpc"}}, "match.operation: ec2 has no MakeVpc"),
            ({"fault": lost, "match": {"parms": {}}}, "match.parms: is not known here"),
            ({"fault": lost, "skip": -1}, "skip: -1 is not from 0 to inf"),
        ]
        url = f"http://127.0.0.1:{self.server.port}/_sandbox/"
        for body, why in wrong:
            answer = requests.post(url + "faults", json=body)
            self.assertEqual(answer.status_code, 400, body)
            self.assertTrue(answer.json()["error"].startswith(why), answer.text)
        self.assertEqual(self.control("GET", "faults"), {"faults": []})
        self.assertEqual(requests.post(url + "faults", data="{").json()["error"][:20], "the body: is no JSON")
        self.assertEqual(requests.delete(url + "faults/99999").status_code, 404)

    def test_fail_is_a_fault_of_this_name(self) -> None:
        requests.post(
            f"http://127.0.0.1:{self.server.port}/_sandbox/fail?action=ec2:DescribeVpcs&times=2&when=before&code=X&status=400"
        )
        self.addCleanup(lambda: self.control("DELETE", "faults"))
        self.assertEqual(self.outcomes(3), "xx.")
        self.assertEqual(self.control("GET", "faults")["faults"][0]["id"], "fail")
