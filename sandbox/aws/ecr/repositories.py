"""Repositories, and the token that the registry takes."""

from __future__ import annotations

import base64
import datetime
from typing import Any

from moto.ecr.models import ECRBackend, Repository

from .. import backends
from ..call import Call
from ..clock import now
from ..errors import AwsError
from ..hooks import after, handles
from ..sandbox import Sandbox
from .registry import Registry

TOKEN_LIFETIME = datetime.timedelta(hours=12)


def install(sandbox: Sandbox) -> None:
    """A repository's URI names the registry that really holds it."""
    moto_create = ECRBackend.create_repository

    def create(self: ECRBackend, *args: Any, **kwargs: Any) -> Repository:
        repository = moto_create(self, *args, **kwargs)
        repository.uri = f"{sandbox.world.registry_host}/{repository.name}"
        return repository

    ECRBackend.create_repository = create  # type: ignore[method-assign]


@handles("ecr", "GetAuthorizationToken")
def get_authorization_token(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    token = base64.b64encode(f"AWS:{sandbox.world.registry_password}".encode()).decode()
    data = {
        "authorizationToken": token,
        "expiresAt": now() + TOKEN_LIFETIME,
        "proxyEndpoint": f"http://{sandbox.world.registry_host}",
    }
    return {"authorizationData": [data]}


@handles("ecr", "DeleteRepository", locked=False)
def delete_repository(sandbox: Sandbox, call: Call) -> Any:
    name = call.params["repositoryName"]
    repository = find(call)
    registry = Registry(sandbox.world)
    images = registry.images(name)
    if images and not call.params.get("force"):
        raise AwsError(
            "RepositoryNotEmptyException",
            f"The repository with name '{name}' in registry with id '{backends.ACCOUNT}' cannot be deleted because it "
            "still contains images",
        )
    for image in images:
        registry.delete(name, image.digest)
    with backends.LOCK:
        backends.ecr(call.region).delete_repository(name, force=True)
    return {"repository": repository}


@after("ecr", "CreateRepository")
def forget_images(sandbox: Sandbox, call: Call, response: Any) -> None:
    """What somebody pushed under that name before it was a repository is not in it."""
    registry = Registry(sandbox.world)
    for image in registry.images(call.params["repositoryName"]):
        registry.delete(call.params["repositoryName"], image.digest)


def find(call: Call) -> Repository:
    name = call.params["repositoryName"]
    with backends.LOCK:
        repository = backends.ecr(call.region).repositories.get(name)
    if repository is None:
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{backends.ACCOUNT}'",
        )
    return repository
