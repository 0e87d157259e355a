"""DescribeImages, ListImages, BatchGetImage, BatchDeleteImage: asked of the registry."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox
from . import repositories
from .registry import Image, Registry, pushed_at


@handles("ecr", "DescribeImages", locked=False)
def describe_images(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    name, images = _images(sandbox, call)
    if wanted := call.params.get("imageIds"):
        chosen = []
        for identifier in wanted:
            image = _pick(images, identifier)
            if image is None:
                raise AwsError(
                    "ImageNotFoundException",
                    f"The image with imageId {_words(identifier)} does not exist within the repository with name "
                    f"'{name}' in the registry with id '{backends.ACCOUNT}'",
                )
            if image not in chosen:
                chosen.append(image)
        images = chosen
    details = [
        {
            "registryId": backends.ACCOUNT,
            "repositoryName": name,
            "imageDigest": image.digest,
            "imageTags": sorted(image.tags) or None,
            "imageSizeInBytes": image.size,
            "imagePushedAt": pushed_at(name, image.digest),
            "imageManifestMediaType": image.media_type,
            "artifactMediaType": image.artifact_type,
        }
        for image in _tagged(images, call)
    ]
    return {"imageDetails": details}


@handles("ecr", "ListImages", locked=False)
def list_images(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    _, images = _images(sandbox, call)
    return {"imageIds": [identifier for image in _tagged(images, call) for identifier in _identifiers(image)]}


@handles("ecr", "BatchGetImage", locked=False)
def batch_get_image(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    name, images = _images(sandbox, call)
    found, failures = [], []
    for identifier in call.params["imageIds"]:
        image = _pick(images, identifier)
        if image is None:
            failures.append(_failure(identifier))
            continue
        found.append(
            {
                "registryId": backends.ACCOUNT,
                "repositoryName": name,
                "imageId": {"imageDigest": image.digest, "imageTag": identifier.get("imageTag")},
                "imageManifest": image.text,
                "imageManifestMediaType": image.media_type,
            }
        )
    return {"images": found, "failures": failures}


@handles("ecr", "BatchDeleteImage", locked=False)
def batch_delete_image(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """By digest only: the registry cannot take away one tag of several, so that is refused, not pretended."""
    name, images = _images(sandbox, call)
    registry = Registry(sandbox.world)
    deleted, failures = [], []
    for identifier in call.params["imageIds"]:
        image = _pick(images, identifier)
        if image is None:
            failures.append(_failure(identifier))
            continue
        if "imageDigest" not in identifier and len(image.tags) > 1:
            message = f"The sandbox's registry cannot take one of the tags {image.tags} away; delete by digest."
            raise AwsError("InvalidParameterException", message)
        registry.delete(name, image.digest)
        images.remove(image)
        deleted += _identifiers(image)
    return {"imageIds": deleted, "failures": failures}


def _images(sandbox: Sandbox, call: Call) -> tuple[str, list[Image]]:
    repository = repositories.find(call)
    return repository.name, Registry(sandbox.world).images(repository.name)


def _pick(images: list[Image], identifier: dict[str, str]) -> Image | None:
    digest, tag = identifier.get("imageDigest"), identifier.get("imageTag")
    for image in images:
        if (digest is None or image.digest == digest) and (tag is None or tag in image.tags):
            return image
    return None


def _tagged(images: list[Image], call: Call) -> list[Image]:
    status = call.params.get("filter", {}).get("tagStatus", "ANY")
    return [image for image in images if status == "ANY" or (status == "TAGGED") == bool(image.tags)]


def _identifiers(image: Image) -> list[dict[str, str]]:
    if not image.tags:
        return [{"imageDigest": image.digest}]
    return [{"imageDigest": image.digest, "imageTag": tag} for tag in sorted(image.tags)]


def _failure(identifier: dict[str, str]) -> dict[str, Any]:
    return {"imageId": identifier, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}


def _words(identifier: dict[str, str]) -> str:
    digest, tag = identifier.get("imageDigest"), identifier.get("imageTag")
    return f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
