"""Amazon EC2, where moto is kinder than AWS. Importing it registers the rules."""

from . import addresses, deletes, disks, endpoints, interfaces, launch_templates, nat_gateways, routes, tags, topology

__all__ = [
    "addresses",
    "deletes",
    "disks",
    "endpoints",
    "interfaces",
    "launch_templates",
    "nat_gateways",
    "routes",
    "tags",
    "topology",
]
