"""The Resource Groups Tagging API: what carries tags, of every service but IAM, whenever it has noticed."""

from . import resources

__all__ = ["resources"]
