"""Updates of clusters, node groups and add-ons: DescribeUpdate, ListUpdates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox
from . import state, work
from .state import Update

# What it is called, its parameters as shown, and what applies it once its time has come.
Change = tuple[str, list[tuple[str, Any]], Callable[[], None]]


def begin(
    sandbox: Sandbox,
    updates: dict[str, Update],
    kind: str,
    params: list[tuple[str, Any]],
    aws_seconds: float,
    done: Callable[[], None],
    work_first: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Answers at once with an update InProgress. `work_first` runs off the lock, `done` under it."""
    update = Update(kind, [{"type": name, "value": _text(value)} for name, value in params])
    updates[update.id] = update
    due = sandbox.clock.due(aws_seconds)

    def run() -> None:
        work_first()
        sandbox.clock.wait(due)
        with backends.LOCK:
            done()
            update.status = "Successful"

    def failed(why: str) -> None:
        with backends.LOCK:
            done()
            update.status = "Failed"
            update.errors = [{"errorCode": "Unknown", "errorMessage": why, "resourceIds": []}]

    work.begin(f"update {kind}", run, failed)
    return {"update": update.shown()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@handles("eks", "DescribeUpdate")
def describe_update(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    wanted = call.params["updateId"]
    found = _updates(call).get(wanted)
    if found is None:
        raise AwsError("ResourceNotFoundException", f"No update found for ID: {wanted}")
    return {"update": found.shown()}


@handles("eks", "ListUpdates")
def list_updates(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    ids, token = state.page(list(_updates(call)), call.params)
    return {"updateIds": ids, "nextToken": token}


def _updates(call: Call) -> dict[str, Update]:
    name = call.params["name"]
    if group := call.params.get("nodegroupName"):
        return state.nodegroup(call.region, name, group).updates
    if addon := call.params.get("addonName"):
        return state.addon(call.region, name, addon).updates
    return state.cluster(call.region, name).updates
