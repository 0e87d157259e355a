"""Elastic Load Balancing v2: balancers that take time, hold network interfaces and really forward."""

from . import balancers, forwarding, tags, target_health

__all__ = ["balancers", "forwarding", "tags", "target_health"]
