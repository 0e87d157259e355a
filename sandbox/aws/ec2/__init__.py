"""Amazon EC2, where moto is kinder than AWS. Importing it registers the rules."""

from . import (
    addresses,
    births,
    deletes,
    disks,
    endpoints,
    groups,
    interfaces,
    launch_templates,
    members,
    nat_gateways,
    routes,
    tags,
    topology,
    words,
)

__all__ = [
    "addresses",
    "births",
    "deletes",
    "disks",
    "endpoints",
    "groups",
    "interfaces",
    "launch_templates",
    "members",
    "nat_gateways",
    "routes",
    "tags",
    "topology",
    "words",
]
