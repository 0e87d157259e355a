"""Amazon ECR on the real registry: repositories are moto's, images are what was really pushed."""

from . import images, repositories

__all__ = ["images", "repositories"]
