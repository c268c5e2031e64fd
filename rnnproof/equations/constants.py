"""Whether a constant is one: defined, real, and held by floating point in full precision."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import sympy as sp

from rnnproof.equations import expressions
from rnnproof.errors import EquationError

_LARGEST = sp.Integer(int(sys.float_info.max))
_SMALLEST = sp.Rational(sys.float_info.min)


def require_finite(expression: Any) -> None:
    """Raise EquationError for a constant that is undefined, not real, or outside what float64 holds in full precision."""
    for number in _numbers(expression):
        if not number.is_real or not number.is_finite:
            what = "a number that is not real" if number.is_finite else "undefined: it divides by 0 or is infinite"
            raise EquationError(f"the constant {number} is {what}; correct it")
        if number != 0 and not _SMALLEST <= abs(number) <= _LARGEST:
            size = f"about {sp.N(number, 3)}"
            raise EquationError(
                f"the constant {size} is outside the range of float64 (2.2e-308 to 1.8e308); rescale the equation"
            )


def _numbers(node: Any) -> Iterator[Any]:
    """Every constant, and the product of those that multiply each other."""
    if getattr(node, "is_Matrix", False) is not True and node.is_number:
        yield node
        return
    children = expressions.children(node)
    if isinstance(node, sp.MatMul):
        yield sp.Mul(*(child for child in children if not child.is_Matrix and child.is_number))
    for child in children:
        yield from _numbers(child)
