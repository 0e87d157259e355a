"""The answers that API servers get: who a token is, and what a pod's web identity looks like."""

import base64
import json
import unittest
from datetime import UTC, datetime
from types import SimpleNamespace

from supervisor import webhooks

ROLE = "arn:aws:iam::123456789012:role/models"


class Api:
    def __init__(self, annotations: dict | None, created: str = "2026-01-01T00:00:00Z"):
        self.annotations, self.created = annotations, created

    def get(self, path: str) -> dict | None:
        assert path == "/api/v1/namespaces/triton/serviceaccounts/reader", path
        if self.annotations is None:
            return None
        return {"metadata": {"annotations": self.annotations, "creationTimestamp": self.created}}


def patch_of(annotations: dict | None, spec: dict, **more) -> list[dict] | None:
    review = {"apiVersion": "admission.k8s.io/v1", "request": {"uid": "1", "namespace": "triton", "object": {"spec": spec}}}
    response = webhooks.mutate(review, SimpleNamespace(api=Api(annotations), region="eu-west-1"), **more)["response"]
    assert response["allowed"] and response["uid"] == "1"
    return json.loads(base64.b64decode(response["patch"])) if "patch" in response else None


class Identity(unittest.TestCase):
    def spec(self) -> dict:
        return {
            "serviceAccountName": "reader", "volumes": [{"name": "models"}],
            "initContainers": [{"name": "sync"}],
            "containers": [{"name": "gateway", "env": [{"name": "AWS_REGION", "value": "us-west-2"}]}],
        }

    def test_pods_of_other_service_accounts_stay_as_they_are(self) -> None:
        self.assertIsNone(patch_of({}, self.spec()))
        self.assertIsNone(patch_of(None, self.spec()))

    def test_a_pod_comes_without_identity_where_the_cache_does_not_have_its_service_account(self) -> None:
        made = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
        for cached_until, there in ((made - 1, False), (made + 1, True)):
            patch = patch_of({webhooks.ROLE: ROLE}, self.spec(), knows=lambda created: created < cached_until)
            self.assertEqual(patch is not None, there)

    def test_every_container_gets_role_token_and_region(self) -> None:
        patch = {step["path"]: step["value"] for step in patch_of({webhooks.ROLE: ROLE}, self.spec())}
        token = patch["/spec/volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
        self.assertEqual(token["audience"], "sts.amazonaws.com")
        self.assertEqual(patch["/spec/volumes"][1], {"name": "models"})
        environment = {entry["name"]: entry["value"] for entry in patch["/spec/initContainers/0/env"]}
        self.assertEqual(environment["AWS_ROLE_ARN"], ROLE)
        self.assertEqual(environment["AWS_REGION"], "eu-west-1")
        self.assertEqual(environment["AWS_WEB_IDENTITY_TOKEN_FILE"], f"{webhooks.TOKENS}/{token['path']}")
        self.assertTrue(patch["/spec/containers/0/volumeMounts"][0]["readOnly"])

    def test_what_a_container_sets_itself_stays(self) -> None:
        patch = {step["path"]: step["value"] for step in patch_of({webhooks.ROLE: ROLE}, self.spec())}
        regions = [entry["value"] for entry in patch["/spec/containers/0/env"] if entry["name"] == "AWS_REGION"]
        self.assertEqual(regions, ["us-west-2"])


class Tokens(unittest.TestCase):
    REVIEW = {"apiVersion": "authentication.k8s.io/v1", "spec": {"token": "t"}}

    def test_nobodys_token_is_refused(self) -> None:
        self.assertEqual(webhooks.authenticate(self.REVIEW, None)["status"], {"authenticated": False})

    def test_an_identity_becomes_a_user(self) -> None:
        who = SimpleNamespace(arn="arn:a", user_id="AIDA", username="u", groups=["g"])
        status = webhooks.authenticate(self.REVIEW, who)["status"]
        self.assertTrue(status["authenticated"])
        self.assertEqual(status["user"], {"username": "u", "uid": "AIDA", "groups": ["g"], "extra": {"arn": ["arn:a"]}})
