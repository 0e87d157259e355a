"""Amazon S3, where moto is kinder than AWS. Importing it registers the rules."""

from . import buckets, checksums

__all__ = ["buckets", "checksums"]
