"""From a Cell to NumPy code."""

from rnnproof.generation.build import build
from rnnproof.generation.module import generate

__all__ = ["build", "generate"]
