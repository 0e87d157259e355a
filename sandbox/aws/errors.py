"""An error as AWS names it. It is written out in the protocol of the call that it answers."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):
    """Further arguments become members of the error's shape, where the model has them."""

    def __init__(self, code: str, message: str, status: int | None = None, **members: Any) -> None:
        super().__init__(code, message)
        self.status = status  # None: the model's, else 400
        self.members = members
        self.headers: dict[str, str] = {}
        for name, value in members.items():
            setattr(self, name, value)
