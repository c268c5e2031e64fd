"""Interval arithmetic on a Program."""

from __future__ import annotations

import sympy as sp

from rnnproof.calculus.bounds import EVERYTHING, Interval
from rnnproof.calculus.program import Program
from rnnproof.calculus.variables import Var

_TELLING = 10**6  # a larger bound says nothing, and repeated products would give it any number of digits


def intervals(program: Program) -> dict[Var, Interval]:
    """For each value that a step makes an interval that holds its every entry."""
    known: dict[Var, Interval] = {}
    for step in program.steps:
        low, high = step.math.interval(*(known.get(arg, EVERYTHING) for arg in step.args))
        known[step.target] = (low if low > -_TELLING else -sp.oo, high if high < _TELLING else sp.oo)
    return known
