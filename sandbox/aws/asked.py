"""What a test asks of the sandbox, as JSON: read key by key, and refused by the key's name where it does not fit."""

from __future__ import annotations

from typing import Any

NEEDED: Any = object()  # as a default: the key has to be there


class Refused(Exception):
    """The message begins with the key."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")


class Asked:
    """One object of a request. `close` refuses the keys that nobody read: a key that is misspelt must not be ignored."""

    def __init__(self, value: Any, at: str = "") -> None:
        if not isinstance(value, dict):
            raise Refused(at or "the body", "must be a JSON object")
        self._value, self._at, self._read = value, at, set[str]()

    def name(self, key: str) -> str:
        return f"{self._at}.{key}" if self._at else key

    def text(self, key: str, default: Any = NEEDED, among: tuple[str, ...] = ()) -> Any:
        value = self._get(key, default, str, "a string")
        if among and value not in among:
            raise Refused(self.name(key), f"{value!r} is none of {', '.join(among)}")
        return value

    def flag(self, key: str, default: Any = NEEDED) -> Any:
        return self._get(key, default, bool, "true or false")

    def number(self, key: str, default: Any = NEEDED, least: float = 0, most: float = float("inf")) -> Any:
        return self._between(key, self._get(key, default, int | float, "a number"), least, most)

    def whole(self, key: str, default: Any = NEEDED, least: float = 0, most: float = float("inf")) -> Any:
        return self._between(key, self._get(key, default, int, "a whole number"), least, most)

    def mapping(self, key: str) -> dict[str, Any]:
        return self._get(key, {}, dict, "an object")

    def part(self, key: str, default: Any = NEEDED) -> Asked:
        return Asked(self._get(key, default, dict, "an object"), self.name(key))

    def close(self) -> None:
        for key in self._value:
            if key not in self._read:
                raise Refused(self.name(key), f"is not known here; known are {', '.join(sorted(self._read))}")

    def _get(self, key: str, default: Any, kind: Any, what: str) -> Any:
        self._read.add(key)
        value = self._value.get(key)
        if value is None:
            if default is NEEDED:
                raise Refused(self.name(key), "is missing")
            return default
        # JSON's true is an int in Python.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Refused(self.name(key), f"must be {what}")
        return value

    def _between(self, key: str, value: Any, least: float, most: float) -> Any:
        if value is not None and not least <= value <= most:
            raise Refused(self.name(key), f"{value} is not from {least:g} to {most:g}")
        return value
