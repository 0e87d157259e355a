"""Service Quotas: how many vCPUs of a family of instances may run. Importing it registers the rules."""

from . import vcpus

__all__ = ["vcpus"]
