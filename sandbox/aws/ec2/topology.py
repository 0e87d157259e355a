"""DescribeInstanceTopology, which moto does not have: no instance type of ours is in it on AWS either."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..hooks import handles
from ..sandbox import Sandbox


@handles("ec2", "DescribeInstanceTopology")
def describe_instance_topology(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    return {"Instances": []}
