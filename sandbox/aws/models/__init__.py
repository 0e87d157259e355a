"""Requests and answers held to botocore's models of the services."""

from . import answers, requests

__all__ = ["answers", "requests"]
