"""AWS STS: who is calling, and sessions of roles. Importing it registers its operations."""

from . import caller, web_identity
from .identity import Identity, identify

__all__ = ["Identity", "caller", "identify", "web_identity"]
