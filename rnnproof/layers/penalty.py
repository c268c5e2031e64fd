"""The l1 and l2 penalties as equations, and the module generated from them."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import sympy as sp

from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell
from rnnproof.generation import build


def cell() -> Cell:
    """penalty = l1 * sum |w| + l2 * sum w^2 of a vector w; |w| has the slope 0 at 0."""
    entries = sp.Symbol("entries", integer=True, positive=True)
    w = sp.MatrixSymbol("w", entries, 1)
    size = sp.MatrixSymbol("size", entries, 1)
    l1, l2, penalty = sp.symbols("l1 l2 penalty")
    equations = {
        size: expressions.apply(activations.named("abs"), w),
        penalty: l1 * expressions.Dot(sp.OneMatrix(entries, 1), size) + l2 * expressions.Dot(w, w),
    }
    return Cell.from_sympy("penalty", equations, previous={penalty: None}, inputs=[w])


@cache
def module() -> ModuleType:
    """The generated module of `cell`."""
    return build(cell())
