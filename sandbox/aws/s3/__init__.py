"""Amazon S3, where moto is kinder than AWS. Importing it registers the rules."""

from . import buckets, checksums, listings, objects

__all__ = ["buckets", "checksums", "listings", "objects"]
