"""Keeps what the local AWS answers to the clients that it is put on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from .corpus import Operation, Refusal, refusal


class Recorder:
    def __init__(self) -> None:
        self.answers: dict[Operation, list[dict[str, Any]]] = defaultdict(list)
        self.refusals: dict[Operation, list[Refusal]] = defaultdict(list)

    def watch(self, client: Any) -> Any:
        """Every answer of its, those too that botocore acts on by itself (S3 in another region)."""
        service = client.meta.service_model.service_name

        def keep(event_name: str, parsed_response: dict[str, Any] | None, exception: Exception | None, **_: Any) -> None:
            assert parsed_response is not None, f"{event_name}: {exception!r}"
            operation = (service, event_name.rsplit(".", 1)[-1])
            status = parsed_response["ResponseMetadata"]["HTTPStatusCode"]
            if status < 300:
                self.answers[operation].append(parsed_response)
            else:
                self.refusals[operation].append(refusal(status, parsed_response))

        client.meta.events.register("response-received", keep)
        return client


# Calls that AWS refuses and ours did not.
accepted: list[str] = []


def refused(call: Callable[..., Any], **params: Any) -> None:
    """The call fails; how is for the recorder."""
    try:
        call(**params)
    except ClientError:
        return
    accepted.append(f"{call.__name__} {params}")


def until(look: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def asked(call: Callable[..., Any], **params: Any) -> None:
    """The call may fail: botocore may have made it again elsewhere."""
    try:
        call(**params)
    except ClientError:
        pass
