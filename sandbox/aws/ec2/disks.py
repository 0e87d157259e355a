"""The key that encrypts new disks by default, which moto has no call to read."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..hooks import handles
from ..sandbox import Sandbox

OF_AWS = "alias/aws/ebs"


def _answer(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    return {"KmsKeyId": sandbox.disk_keys.get(call.region, OF_AWS)}


@handles("ec2", "GetEbsDefaultKmsKeyId")
def get_ebs_default_kms_key_id(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    return _answer(sandbox, call)


@handles("ec2", "ModifyEbsDefaultKmsKeyId")
def modify_ebs_default_kms_key_id(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    sandbox.disk_keys[call.region] = call.params["KmsKeyId"]
    return _answer(sandbox, call)


@handles("ec2", "ResetEbsDefaultKmsKeyId")
def reset_ebs_default_kms_key_id(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    sandbox.disk_keys.pop(call.region, None)
    return _answer(sandbox, call)
