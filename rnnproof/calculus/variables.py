"""Variables of a Program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Expression = Any  # a SymPy expression; SymPy has no types
Shape = tuple[Expression, ...]  # () scalar, (n,) column, (m, n) matrix


@dataclass(frozen=True)
class Var:
    """One array; `tex` is its printed symbol, empty for a value that has no name in the equations."""

    name: str
    shape: Shape
    per_step: bool = False
    per_sample: bool = False
    tex: str = ""

    def __str__(self) -> str:
        return self.name
