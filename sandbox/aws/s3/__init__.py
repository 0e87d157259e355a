"""Amazon S3, where moto is kinder than AWS. Importing it registers the rules."""

from . import answers, buckets, checksums, conditions, listings, objects, regions, uploads

__all__ = ["answers", "buckets", "checksums", "conditions", "listings", "objects", "regions", "uploads"]
