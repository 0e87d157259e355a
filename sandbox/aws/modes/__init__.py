"""How AWS is for as long as a test wants it so: short of capacity, slow to show what was made, throttling (docs/sandbox.md)."""

from .modes import Modes

__all__ = ["Modes"]
