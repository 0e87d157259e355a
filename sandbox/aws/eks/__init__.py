"""Amazon EKS: moto has only a stub of it, so this is a backend of its own. Importing it registers its operations."""

from . import access, addons, clusters, nodegroups, tags, updates, versions

__all__ = ["access", "addons", "clusters", "nodegroups", "tags", "updates", "versions"]
