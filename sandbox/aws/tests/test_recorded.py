"""The local AWS beside recordings of the real one: keys, codes, statuses, and words of messages.

Whatever is recorded of an operation that we have, ours is asked for in the same situation (recorded/). What still differs
stands in recorded/exceptions.py, each with its reason, and only as long as it differs.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

from moto.core.utils import get_service_model

from aws import hooks

from .account import Account
from .recorded import corpus, ec2, eks, elbv2, exceptions, iam, others, s3, sts
from .recorded.corpus import Operation, Recorded
from .recorded.recorder import Recorder, accepted

CORPUS = corpus.find()
SITUATIONS = (ec2, s3, iam, sts, others, elbv2, eks)


class Recordings(Account):
    def test_the_local_aws_answers_as_the_real_one_did(self) -> None:
        """Without the recordings the situations are played all the same: what AWS refuses is refused, nothing is left."""
        self.recorder = Recorder()
        for situation in SITUATIONS:
            with self.subTest(situation.__name__.rsplit(".", 1)[-1]):
                situation.play(self.watched)
        with self.subTest("what AWS refuses"):
            self.assertEqual(accepted, [])
            told = [(operation, found) for operation, refusals in self.recorder.refusals.items() for found in refusals]
            broken = [f"{operation} {found}" for operation, found in told if found.code == "InternalFailure"]
            self.assertEqual(broken, [], "the sandbox itself failed")
        if CORPUS is None:
            message = "NOT COMPARED WITH AWS: no recordings at ../shared/recorded, nor is TRITONDEPLOY_RECORDED set"
            print(f"\n{'=' * len(message)}\n{message}\n{'=' * len(message)}", file=sys.stderr)
            self.skipTest(message)
        by_operation: dict[Operation, list[Recorded]] = defaultdict(list)
        for recorded in corpus.load(CORPUS):
            by_operation[recorded.operation].append(recorded)
        compared = {"answers": 0, "errors": 0}
        for operation, recordings in by_operation.items():
            if operation in exceptions.NOT_HERE:
                continue
            with self.subTest(f"{operation[0]} {operation[1]}"):
                compared["answers"] += self._compare_keys(operation, [found for found in recordings if not found.error])
            for recorded in (found for found in recordings if found.error):
                with self.subTest(recorded.name):
                    compared["errors"] += self._compare_error(recorded)
        self._check_exceptions()
        print(f"\ncompared with AWS: {compared['answers']} operations, {compared['errors']} errors", file=sys.stderr)

    def watched(self, service: str, unwatched: bool = False, **other: Any) -> Any:
        client = self.client(service, **other)
        return client if unwatched else self.recorder.watch(client)

    def _compare_keys(self, operation: Operation, recordings: list[Recorded]) -> int:
        """Every key that all trusted answers have; where there is none of them, all that are documented."""
        shape = get_service_model(operation[0]).operation_model(operation[1]).output_shape
        whole = [found for found in recordings if not found.partial]
        best = [found.answer for found in whole if found.trusted] or [found.answer for found in whole]
        if not best or shape is None:
            return 0
        ours = self.recorder.answers[operation]
        self.assertTrue(ours, "there is no situation for this operation in tests/recorded")
        there = corpus.keys(shape, ours)
        missing = []
        for path, wanted in corpus.keys(shape, best).items():
            for key in sorted(wanted - there.get(path, wanted)):
                name = f"{path}.{key}".strip(".")
                if name not in exceptions.KEYS.get(operation, {}):
                    missing.append(name)
        self.assertEqual(missing, [], "AWS's answers have these keys, ours lack them")
        return 1

    def _compare_error(self, recorded: Recorded) -> int:
        wanted = corpus.refusal(recorded.status, recorded.answer)
        if (recorded.operation, wanted.code) in exceptions.ERRORS:
            return 0
        ours = self.recorder.refusals[recorded.operation]
        alike = [found for found in ours if found.code == wanted.code] or ours
        self.assertTrue(
            any(found.fits(wanted) for found in ours), f"AWS: {wanted}\nours:\n" + "\n".join(sorted({str(found) for found in alike}))
        )
        return 1

    def _check_exceptions(self) -> None:
        """What does not differ any more is no exception."""
        for operation, names in exceptions.KEYS.items():
            shape = get_service_model(operation[0]).operation_model(operation[1]).output_shape
            there = corpus.keys(shape, self.recorder.answers[operation])
            for name in names:
                path, _, key = name.rpartition(".")
                with self.subTest(f"exception {operation} {name}"):
                    self.assertNotIn(key, there.get(path, set()), "ours has this key: the exception is not needed")
        for service, name in exceptions.NOT_HERE:
            with self.subTest(f"exception {service} {name}"):
                here = (service, name) in hooks.handlers or (service, name) in self.recorder.answers
                self.assertFalse(here, "the sandbox has this operation: the exception is not needed")
        for (operation, code), _ in exceptions.ERRORS.items():
            with self.subTest(f"exception {operation} {code}"):
                codes = {found.code for found in self.recorder.refusals[operation]}
                self.assertNotIn(code, codes, "ours has this error: the exception is not needed")
