"""Whether a divisor is 0 wherever it is evaluated.

A divisor is looked at by evaluating the equations at points chosen once and for all, all sizes 2, in 40 and in 80 digits. One
that is identically 0 has no digit that the higher precision confirms, whatever its scale. One that is 0 at some points only
(a relu's) is the business of the data.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.equations import activations, expressions
from rnnproof.equations.entries import Array, Entries
from rnnproof.errors import EquationError

_POINTS = 16  # a divisor counts as 0 where it is 0 at all of them; the first point at which it is not settles it
_DIGITS = (40, 80)


def require_divisors(cell: Any) -> None:
    """Raise EquationError, naming the equation, for a divisor that is identically 0; `cell` as Cell has its fields."""
    equations = cell.equations
    if not any(_divides(definition.expression) for definition in (*equations, *cell.bodies)):
        return
    suspects: set[tuple[int, int]] | None = None
    for seed in range(_POINTS):
        low, high = (_divisors(cell, seed, digits) for digits in _DIGITS)
        zero = {at for at, values in high.items() if any(_unconfirmed(a, b) for a, b in zip(low[at], values, strict=True))}
        suspects = zero if suspects is None else suspects & zero
        if not suspects:
            return
    if suspects:
        at = min(suspects)[0]
        raise EquationError(f"{equations[at]}: a divisor is 0, whatever the values are; correct the equation")


def _divides(node: Any) -> bool:
    if isinstance(node, sp.Pow):
        return bool(node.exp.is_negative) or _divides(node.base)
    if isinstance(node, expressions.Quotient):
        return True
    reciprocal = activations.named("reciprocal")
    if getattr(node, "func", None) == reciprocal or getattr(getattr(node, "function", None), "expr", node).func == reciprocal:
        return True
    return any(map(_divides, expressions.children(node)))


def _unconfirmed(low: Any, high: Any) -> bool:
    return bool(high.is_zero or abs(low - high) > abs(high) / 2)


def _divisors(cell: Any, seed: int, digits: int) -> dict[tuple[int, int], list[Any]]:
    """Each divisor's entries by (equation, its place among the equation's divisors)."""
    numbers = _Numbers(digits, random.Random(seed))
    entries = Entries(numbers, dict.fromkeys(cell.sizes, sp.Integer(2)), {body.name: body for body in cell.bodies}, {})
    old = (state.old for state in cell.states if state.old is not None)
    for symbol in (*old, *cell.inputs, *cell.constants, *(parameter.symbol for parameter in cell.parameters)):
        shape = tuple(map(entries.size, symbol.shape)) if getattr(symbol, "is_Matrix", False) else ()
        entries.values[symbol] = numbers.drawn(shape)
    divisors = {}
    for place, equation in enumerate(cell.equations):
        numbers.divisors = []
        entries.values[equation.symbol] = entries.value(equation.expression)
        divisors.update({(place, count): values for count, values in enumerate(numbers.divisors)})
    return divisors


@dataclass
class _Numbers:
    """Floating-point numbers of `digits` digits; whatever is divided by is written down."""

    digits: int
    draw: random.Random
    divisors: list[list[Any]] = field(default_factory=list)
    _opened: dict[Any, Array] = field(default_factory=dict)

    def drawn(self, shape: tuple[int, ...]) -> Array:
        """Multiples of 1/1024 between 1/2 and 2 of either sign: the same numbers in every precision."""
        entries = np.empty(shape, dtype=object)
        for at in np.ndindex(*shape):
            sign = self.draw.choice((-1, 1))
            entries[at] = sp.Float(sp.Rational(sign * self.draw.randrange(513, 2048, 2), 1024), self.digits)
        return entries if shape else entries[()]

    def number(self, value: Any) -> Any:
        return sp.Float(value, self.digits) if value.is_Number else value.evalf(self.digits)

    def full(self, shape: tuple[int, ...], value: int) -> Array:
        entries = np.empty(shape, dtype=object)
        entries[...] = sp.Float(value, self.digits)
        return entries

    def apply(self, function: Any, argument: Array) -> Array:
        entry = activations.of(function)
        values: Any = np.asarray(argument, dtype=object)
        if entry.name == "reciprocal":
            self.divisors.append(list(values.flat))
        entries = np.empty(values.shape, dtype=object)
        for at in np.ndindex(*values.shape):
            pole = entry.name == "reciprocal" and values[at].is_zero
            entries[at] = values[at] if pole else entry.definition.evalf(self.digits, subs={activations.X: values[at]})
        return entries if entries.shape else entries[()]

    def open(self, name: str, argument: Array, rows: int) -> Array:
        """Numbers that depend on the function, the argument and nothing else."""
        key = (name, tuple(float(value) for value in argument), rows)
        if key not in self._opened:
            self._opened[key] = self.drawn((rows,))
        return self._opened[key]
