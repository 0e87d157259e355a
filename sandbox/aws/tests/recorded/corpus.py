"""The answers recorded from real AWS: what they say an answer must have, and what an error must say.

The corpus is not in the repository. It lies at TRITONDEPLOY_RECORDED, or beside the checkout at ../shared/recorded; its
README.md says where it is from, and how far each kind of file is to be trusted.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
# What AWS really answered; the others are shortened by their writers, or by the years.
TRUSTED = ("validated", "recorded")

Operation = tuple[str, str]  # service and operation, as botocore has them


@dataclass(frozen=True)
class Recorded:
    name: str  # of its file, within the corpus
    operation: Operation
    error: bool
    trusted: bool
    partial: bool
    status: int
    answer: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An error, as botocore parses it."""

    status: int
    code: str
    message: str
    members: frozenset[str]

    def fits(self, recorded: Refusal) -> bool:
        """Whether it is the recorded one, ids aside."""
        if (self.status, self.code) != (recorded.status, recorded.code) or not recorded.members <= self.members:
            return False
        # S3 tells who may not do what since 2025, and told nothing before.
        return words(self.message) == words(recorded.message) or recorded.message == "Access Denied"

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.message!r} {sorted(self.members)}"


def find() -> Path | None:
    if named := os.environ.get("TRITONDEPLOY_RECORDED"):
        path = Path(named)
        assert path.is_dir(), f"TRITONDEPLOY_RECORDED is no directory: {path}"
        return path
    path = ROOT.parent / "shared/recorded"
    return path if path.is_dir() else None


def load(path: Path) -> list[Recorded]:
    found = []
    for file in sorted(path.glob("*/*/*.json")):
        text = json.loads(file.read_text())
        found.append(
            Recorded(
                name=str(file.relative_to(path)),
                operation=(file.parent.parent.name, file.parent.name),
                error=text["kind"] == "error",
                trusted=text["trust"] in TRUSTED,
                partial=bool(text.get("partial")),
                status=text["status"],
                answer=text["answer"],
            )
        )
    return found


def refusal(status: int, answer: dict[str, Any]) -> Refusal:
    """The error's other members are beside it in JSON, and within it in XML."""
    error = answer["Error"]
    within = set(error) - {"Code", "Message", "Type"}
    beside = {key for key, value in answer.items() if key not in ("Error", "ResponseMetadata", "message") and value is not None}
    return Refusal(status, error["Code"], error.get("Message", ""), frozenset(within | beside))


def words(message: str) -> str:
    """The message without what differs from account to account: what is quoted, has a digit in it, or lists such."""
    message = message.split(" because no ")[0]  # AWS adds the kind of policy since 2021
    message = re.sub(r"'[^']*'|\"[^\"]*\"", "*", message)
    message = re.sub(r"[^\s,;()\[\]]*(\d|arn:)[^\s,;()\[\]]*", "*", message)
    return re.sub(r"\*(, ?\*)+", "*", message)


def keys(shape: Any, answers: list[dict[str, Any]], every: bool = True) -> dict[str, set[str]]:
    """By the path of each structure in the answers, what all that stand there have (or, not `every`, some)."""
    found: dict[str, list[set[str]]] = defaultdict(list)
    for answer in answers:
        _collect(shape, answer, "", found)
    combine = set.intersection if every else set.union
    return {path: combine(*sets) for path, sets in found.items()}


def _collect(shape: Any, value: Any, path: str, found: dict[str, list[set[str]]]) -> None:
    """Maps are not looked into: their keys are the user's."""
    if shape.type_name == "structure" and isinstance(value, dict):
        known = {key: entry for key, entry in value.items() if key in shape.members}
        found[path].append(set(known))
        for key, entry in known.items():
            _collect(shape.members[key], entry, f"{path}.{key}".strip("."), found)
    elif shape.type_name == "list" and isinstance(value, list):
        for entry in value:
            _collect(shape.member, entry, f"{path}[]", found)
