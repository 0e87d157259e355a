"""AWS IAM, where moto is kinder than AWS. Importing it registers the rules."""

from . import policies, providers, roles

__all__ = ["policies", "providers", "roles"]
