"""Faults on demand: a test says which calls are refused, lost, delayed, held up, cut off or throttled (docs/sandbox.md)."""

from .faults import Answered, Faults

__all__ = ["Answered", "Faults"]
