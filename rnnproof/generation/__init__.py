"""From a Cell to NumPy code."""

from rnnproof.generation.build import build
from rnnproof.generation.module import generate
from rnnproof.generation.source_map import annotate

__all__ = ["annotate", "build", "generate"]
