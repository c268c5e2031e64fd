"""How large an activation and its slope can get: exact suprema by SymPy where a closed form exists."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import sympy as sp

from rnnproof.equations import activations
from rnnproof.equations.activations import X, Y

Interval = tuple[Any, Any]
EVERYTHING: Interval = (-sp.oo, sp.oo)


@cache
def sup_slope(function: Any) -> Any:
    """g = sup |f'| over the reals (tanh 1, sigmoid 1/4, relu 1); infinite where f' is unbounded."""
    slope = activations.derivative(function)
    if slope.of_output is not None:
        return _largest(slope.of_output, Y, image(function))
    return _largest(slope.of_input, X, EVERYTHING)


@cache
def image(function: Any) -> Interval:
    """The interval that holds every value of the function: from its limits and stationary points."""
    definition = activations.of(function).definition
    values = _extremes(definition, X, EVERYTHING)
    return (sp.Min(*values), sp.Max(*values))


def _largest(expression: Any, variable: Any, interval: Interval) -> Any:
    return sp.Max(*(abs(value) for value in _extremes(expression, variable, interval)))


def _extremes(expression: Any, variable: Any, interval: Interval) -> list[Any]:
    """Limits at the ends, values at the joints of the pieces and at the stationary points."""
    pieces = [piece for piece, _ in expression.args] if isinstance(expression, sp.Piecewise) else [expression]
    joints = {
        relation.rhs if relation.lhs == variable else relation.lhs
        for piece in expression.atoms(sp.Piecewise)
        for _, condition in piece.args
        for relation in condition.atoms(sp.core.relational.Relational)
    }
    if any(_poles(piece, partial(_chooses, expression, variable, piece)) for piece in pieces):
        return [-sp.oo, sp.oo]
    values = []
    for end in interval:
        far = end if end.is_finite else sp.sign(end) * 10**6  # beyond every joint
        values.append(sp.limit(written_out(_piece_at(expression, variable, far)), variable, end))
    for piece in pieces:
        values += [written_out(piece).subs(variable, joint) for joint in joints]
        values += [
            written_out(piece).subs(variable, root)
            for root in _stationary(written_out(piece), variable, partial(_chooses, expression, variable, piece))
            if interval[0] <= root <= interval[1]
        ]
    return [sp.N(value) if value.has(sp.Float) else sp.simplify(value) for value in values]


def written_out(expression: Any) -> Any:
    """Registered functions written out, so that SymPy can take limits."""
    for entry in map(activations.find, activations.names()):
        if entry is not None and entry.function is not sp.tanh and entry.function is not sp.exp:
            expression = expression.replace(entry.function, lambda value, entry=entry: entry.definition.subs(X, value))
    return expression


def _piece_at(expression: Any, variable: Any, at: Any) -> Any:
    """The branch that holds at a point."""
    if not isinstance(expression, sp.Piecewise):
        return expression
    return next(branch for branch, condition in expression.args if condition.subs(variable, at) == sp.true)


def _chooses(expression: Any, variable: Any, piece: Any, at: Any) -> bool:
    return bool(_piece_at(expression, variable, at) == piece)


def _poles(piece: Any, holds: Callable[[Any], bool]) -> list[Any]:
    """Where a rational branch is infinite."""
    (variable,) = piece.free_symbols or {X}
    below = sp.denom(sp.together(piece))
    if not below.is_polynomial(variable):
        return []
    return [root for root in sp.real_roots(below, variable) if holds(root)] if below.has(variable) else []


def _stationary(expression: Any, variable: Any, holds: Callable[[Any], bool]) -> list[Any]:
    """Where the derivative is zero and the branch holds: solved, or else bracketed on a grid and refined to 15 digits."""
    slope = sp.diff(expression, variable)
    if not slope.has(variable):
        return []
    if slope.is_polynomial(variable):
        return [root for root in sp.solve(slope, variable) if root.is_real and holds(root)]
    value = sp.lambdify(variable, slope, "mpmath")
    grid = [sp.Rational(k, 8) for k in range(-80, 82) if holds(sp.Rational(k, 8))]
    signs = [sp.sign(sp.Float(value(float(at)))) for at in grid]
    roots = []
    for left, right, before, after in zip(grid, grid[1:], signs, signs[1:], strict=False):
        if before == 0:
            roots.append(left)
        elif before * after < 0:
            roots.append(sp.nsolve(slope, variable, (float(left), float(right)), solver="bisect", tol=1e-15, verify=False))
    return roots
