"""Access keys, and who is behind them: users with keys of their own, and sessions of roles."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from . import backends
from .call import Principal


@dataclass(frozen=True)
class Credentials:
    """An access key that signs, and how to sign with it."""

    principal: Principal
    secret: str
    session_token: str | None = None
    expires: datetime.datetime | None = None


def find(access_key: str) -> Credentials | None:
    with backends.LOCK:
        for user in backends.iam().users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key and key.status == "Active":
                    return Credentials(Principal(user.arn, user.id, backends.ACCOUNT), key.secret_access_key)
        for session in backends.sts().assumed_roles:
            if session.access_key_id == access_key:
                role = session.role_arn.split("/")[-1]
                principal = Principal(session.arn, session.user_id, backends.ACCOUNT, role)
                return Credentials(
                    principal,
                    session.secret_access_key,
                    session.session_token,
                    session.expiration.replace(tzinfo=datetime.UTC),
                )
    return None


def new_user(name: str) -> tuple[str, str]:
    """Makes an IAM user with an access key of its own: (id, secret)."""
    with backends.LOCK:
        backends.iam().create_user("us-east-1", name)
        key = backends.iam().create_access_key(name)
    return key.access_key_id, key.secret_access_key
