"""Every activation's slope, in terms of its input and of its output, is SymPy's derivative of its definition."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import sympy as sp

from rnnproof.calculus.bounds import written_out
from rnnproof.equations import activations
from rnnproof.equations.activations import Activation, X, Y
from rnnproof.proofs.proof_report import Kind, ProofRow

# Constants such as SELU's are stored with 32 digits; a product of two of them is rounded there once more.
_ROUNDING = sp.Rational(1, 10**30)


def slope_rows() -> Iterator[ProofRow]:
    """One row for each registered activation."""
    for name in activations.names():
        entry = activations.find(name)
        if entry is not None:
            yield slope_row(entry)


def slope_row(entry: Activation) -> ProofRow:
    """Between any two kinks, f' as stated minus the derivative of f is 0; at a kink itself there is no derivative."""
    started = time.perf_counter()
    count, failure = 0, ""
    for where, what, gap in _gaps(entry):
        count += 1
        if not _is_zero(gap):
            failure = failure or f"{what} at {where} is off by {gap}"
    return ProofRow(Kind.SLOPE, entry.name, "all x", count, time.perf_counter() - started, failure)


def _gaps(entry: Activation) -> Iterator[tuple[str, str, Any]]:
    stated = activations.derivative(entry.function)
    definition = written_out(entry.definition)
    for point in _points(definition):
        branch = _branch(definition, X, point)
        slope = sp.diff(branch, X)
        yield f"x near {point}", "the slope by its input", _branch(written_out(stated.of_input), X, point) - slope
        if stated.of_output is not None:
            of_output = _branch(stated.of_output, Y, branch.subs(X, point))
            yield f"x near {point}", "the slope by its output", of_output.subs(Y, branch) - slope


def _points(definition: Any) -> list[Any]:
    """A point inside each interval between the joints of the pieces."""
    joints = sorted(
        {
            relation.rhs if relation.lhs == X else relation.lhs
            for piece in definition.atoms(sp.Piecewise)
            for _, condition in piece.args
            for relation in condition.atoms(sp.core.relational.Relational)
        }
    )
    if not joints:
        return [sp.S.One]
    return [joints[0] - 1, *((a + b) / 2 for a, b in zip(joints, joints[1:], strict=False)), joints[-1] + 1]


def _branch(expression: Any, variable: Any, at: Any) -> Any:
    if not isinstance(expression, sp.Piecewise):
        return expression
    return next(piece for piece, condition in expression.args if condition.subs(variable, at) == sp.true)


def _is_zero(gap: Any) -> bool:
    exact = sp.expand(sp.nsimplify(gap, rational=True)) if gap.has(sp.Float) else sp.simplify(gap.rewrite(sp.exp))
    if not gap.has(sp.Float):
        return bool(exact == 0)
    return all(abs(number) < _ROUNDING for number in exact.as_coefficients_dict().values())
