"""From a Cell to code: passes, lowering, schedule and layout in memory, which know no language; a folder for each target."""

from rnnproof.generation.build import build
from rnnproof.generation.generate import generate
from rnnproof.generation.source_map import annotate

__all__ = ["annotate", "build", "generate"]
