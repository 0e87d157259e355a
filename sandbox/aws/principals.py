"""Access keys, and who is behind them: users with keys of their own, and sessions of roles."""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from dataclasses import dataclass

from . import backends
from .call import Principal
from .clock import now


@dataclass(frozen=True)
class Credentials:
    """An access key that signs, and how to sign with it."""

    principal: Principal
    secret: str
    session_token: str | None = None
    expires: datetime.datetime | None = None


# GetSessionToken's, by access key: moto answers with keys that nobody has.
_user_sessions: dict[str, Credentials] = {}


def find(access_key: str) -> Credentials | None:
    with backends.LOCK:
        if session := _user_sessions.get(access_key):
            return session
        for user in backends.iam().users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key and key.status == "Active":
                    principal = Principal(user.arn, user.id, backends.ACCOUNT, user=user.name)
                    return Credentials(principal, key.secret_access_key)
        for session in backends.sts().assumed_roles:
            if session.access_key_id == access_key:
                role = session.role_arn.split("/")[-1]
                principal = Principal(session.arn, session.user_id, backends.ACCOUNT, role=role)
                return Credentials(
                    principal,
                    session.secret_access_key,
                    session.session_token,
                    session.expiration.replace(tzinfo=datetime.UTC),
                )
    return None


def new_user(name: str) -> tuple[str, str]:
    """Makes an IAM user who may do everything, with an access key: (id, secret)."""
    with backends.LOCK:
        iam = backends.iam()
        iam.create_user("us-east-1", name)
        iam.attach_user_policy("arn:aws:iam::aws:policy/AdministratorAccess", name)
        key = iam.create_access_key(name)
    return key.access_key_id, key.secret_access_key


def new_user_session(principal: Principal, seconds: int) -> tuple[str, Credentials]:
    """A session of a user's own: (access key id, the rest)."""
    with backends.LOCK:
        key = backends.iam().create_temp_access_key()
        expires = now() + datetime.timedelta(seconds=seconds)
        session = Credentials(principal, key.secret_access_key, secrets.token_urlsafe(64), expires)
        _user_sessions[key.access_key_id] = session
    return key.access_key_id, session


def expire_sessions() -> None:
    """For tests: every session given out so far ends now."""
    with backends.LOCK:
        for session in backends.sts().assumed_roles:
            session.expiration = now().replace(tzinfo=None)
        for key, session in list(_user_sessions.items()):
            _user_sessions[key] = dataclasses.replace(session, expires=now())
