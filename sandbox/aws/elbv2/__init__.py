"""Elastic Load Balancing v2: balancers that take time, hold network interfaces and really forward."""

from . import balancers, forwarding, refusals, tags, target_health

__all__ = ["balancers", "forwarding", "refusals", "tags", "target_health"]
