"""Configuration values of add-ons, held to a schema: DescribeAddonConfiguration. Small ones: what the real add-ons of these
names take, as far as somebody here may want it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import yaml

from ..call import Call
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox
from . import versions

OBJECT: dict[str, Any] = {"type": "object"}
LIST: dict[str, Any] = {"type": "array"}
NUMBER: dict[str, Any] = {"type": "integer"}
# Of the VPC CNI, by their names in its README.
ENVIRONMENT = (
    "ADDITIONAL_ENI_TAGS ANNOTATE_POD_IP AWS_VPC_CNI_NODE_PORT_SUPPORT AWS_VPC_ENI_MTU AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG "
    "AWS_VPC_K8S_CNI_EXTERNALSNAT AWS_VPC_K8S_CNI_LOGLEVEL DISABLE_TCP_EARLY_DEMUX ENABLE_POD_ENI ENABLE_PREFIX_DELEGATION "
    "ENI_CONFIG_LABEL_DEF MAX_ENI MINIMUM_IP_TARGET WARM_ENI_TARGET WARM_IP_TARGET "
    "WARM_PREFIX_TARGET NETWORK_POLICY_ENFORCING_MODE"
).split()


def _closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


SCHEMAS: dict[str, dict[str, Any]] = {
    "coredns": _closed(
        affinity=OBJECT,
        autoScaling=_closed(enabled={"type": "boolean"}, minReplicas=NUMBER, maxReplicas=NUMBER),
        computeType={"type": "string"},
        corefile={"type": "string"},
        nodeSelector=OBJECT,
        podAnnotations=OBJECT,
        podDisruptionBudget=OBJECT,
        podLabels=OBJECT,
        replicaCount=NUMBER,
        resources=OBJECT,
        tolerations=LIST,
        topologySpreadConstraints=LIST,
    ),
    "kube-proxy": _closed(
        ipvs=OBJECT, mode={"enum": ["iptables", "ipvs", "nftables"]}, podAnnotations=OBJECT, podLabels=OBJECT, resources=OBJECT
    ),
    "vpc-cni": _closed(
        affinity=OBJECT,
        enableNetworkPolicy={"enum": ["true", "false"]},
        enableWindowsIpam={"enum": ["true", "false"]},
        env=_closed(**dict.fromkeys(ENVIRONMENT, {"type": "string"})),
        init=OBJECT,
        livenessProbeTimeoutSeconds=NUMBER,
        nodeAgent=OBJECT,
        nodeSelector=OBJECT,
        podAnnotations=OBJECT,
        podLabels=OBJECT,
        resources=OBJECT,
        tolerations=LIST,
    ),
}


def read(addon: str, text: str | None) -> dict[str, Any]:
    """The values of an add-on; refused unless its schema has them."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise AwsError("InvalidParameterException", f"ConfigurationValue is not in a valid format: {error}") from None
    if not isinstance(value, dict):
        raise AwsError("InvalidParameterException", "ConfigurationValue is not in a valid format: an object is wanted")
    problems = [problem for error in jsonschema.Draft7Validator(SCHEMAS[addon]).iter_errors(value) for problem in _words(error)]
    if problems:
        message = f"ConfigurationValue provided in request is not supported [{', '.join(problems)}]"
        raise AwsError("InvalidParameterException", message)
    return value


def _words(error: jsonschema.ValidationError) -> Iterator[str]:
    """As EKS's own validator has them."""
    path = ".".join(["$", *map(str, error.absolute_path)])
    if error.validator != "additionalProperties":
        yield f"{path}: {error.message}"
        return
    for name in error.instance:
        if name not in error.schema["properties"]:
            yield f"{path}.{name}: is not defined in the schema and the schema does not allow additional properties"


@handles("eks", "DescribeAddonConfiguration")
def describe_addon_configuration(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    name, version = call.params["addonName"], call.params["addonVersion"]
    if name not in SCHEMAS or version not in versions.ADDONS[name]:
        message = f"Addon {name} with version {version} not found."
        raise AwsError("ResourceNotFoundException", message, addonName=name)
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **SCHEMAS[name]}
    return {
        "addonName": name,
        "addonVersion": version,
        "configurationSchema": json.dumps(schema),
        "podIdentityConfiguration": [],
    }
