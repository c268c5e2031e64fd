"""A cell's equations evaluated entry by entry at explicit sizes, straight from the Cell; nothing of the derivation is used.

What an entry is, an `Arithmetic` says: an exact polynomial in a proof, a number of many digits where a divisor is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Protocol

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.equations import activations, expressions
from rnnproof.errors import EquationError

Array = Any


class Arithmetic(Protocol):
    """How numbers are made and functions applied."""

    def number(self, value: Any) -> Any:
        """The entry for a SymPy number."""

    def full(self, shape: tuple[int, ...], value: int) -> Array:
        """An object array of one whole number."""

    def apply(self, function: Any, argument: Array) -> Array:
        """A registered activation, elementwise."""

    def open(self, name: str, argument: Array, rows: int) -> Array:
        """The value (rows,) of a function left open, at a vector."""


@dataclass(frozen=True)
class Entries:
    """What expressions are evaluated with: the arithmetic, the sizes, the bodies, and each symbol's entries (matrices 2-D)."""

    arithmetic: Arithmetic
    sizes: Mapping[Any, sp.Integer]
    bodies: Mapping[str, Any]
    values: dict[Any, Array]

    def size(self, value: Any) -> int:
        """A size as a number."""
        return int(sp.sympify(value).xreplace(self.sizes))

    def value(self, node: Any) -> Array:
        """The entries of an expression."""
        for kinds, evaluate in _NODES:
            if isinstance(node, kinds):
                return evaluate(self, node)
        raise EquationError(f"{node}: {type(node).__name__} is not understood here; rewrite the equation without it")

    def all(self, nodes: Any) -> list[Array]:
        """The entries of several."""
        return [self.value(node) for node in nodes]


def _times(left: Array, right: Array) -> Array:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left @ right
    return right * left if isinstance(right, np.ndarray) else left * right


def _open(entries: Entries, node: Any) -> Array:
    argument = entries.value(node.argument)
    body = entries.bodies.get(node.name)
    if body is not None:
        return replace(entries, values={**entries.values, body.argument: argument}).value(body.expression)
    return entries.arithmetic.open(node.name, argument[:, 0], entries.size(node.shape[0]))[:, None]


def _elementwise(entries: Entries, node: Any) -> Array:
    (bound,), body = node.function.variables, node.function.expr
    argument = entries.value(node.expr)
    return argument if body == bound else entries.arithmetic.apply(body.func, argument)


def _identity(entries: Entries, node: Any) -> Array:
    array = entries.arithmetic.full((entries.size(node.shape[0]),) * 2, 0)
    np.fill_diagonal(array, entries.arithmetic.number(sp.S.One))
    return array


def _power(entries: Entries, node: Any) -> Array:
    base, exponent = entries.value(node.base), int(node.exp)
    if exponent < 0:
        base, exponent = entries.arithmetic.apply(activations.named("reciprocal"), base), -exponent
    return base**exponent


def _quotient(entries: Entries, node: Any) -> Array:
    over, under = entries.all(node.args)
    return over * entries.arithmetic.apply(activations.named("reciprocal"), under)


def _filled(value: int) -> Callable[[Entries, Any], Array]:
    return lambda entries, node: entries.arithmetic.full((entries.size(node.shape[0]), entries.size(node.shape[1])), value)


_NODES: tuple[tuple[Any, Callable[[Entries, Any], Array]], ...] = (
    ((sp.MatrixSymbol, sp.Symbol), lambda entries, node: entries.values[node]),
    (sp.Identity, _identity),
    (sp.OneMatrix, _filled(1)),
    (sp.ZeroMatrix, _filled(0)),
    ((sp.Number, sp.NumberSymbol), lambda entries, node: entries.arithmetic.number(node)),
    ((sp.MatAdd, sp.Add), lambda entries, node: reduce(add, entries.all(node.args))),
    ((sp.MatMul, sp.Mul), lambda entries, node: reduce(_times, entries.all(node.args))),
    (sp.HadamardProduct, lambda entries, node: reduce(lambda left, right: left * right, entries.all(node.args))),
    (expressions.Quotient, _quotient),
    (sp.Transpose, lambda entries, node: entries.value(node.arg).T),
    (sp.Pow, _power),
    (ElementwiseApplyFunction, _elementwise),
    (sp.BlockMatrix, lambda entries, node: np.concatenate(entries.all(expressions.children(node)))),
    (expressions.Dot, lambda entries, node: (entries.value(node.args[0]).T @ entries.value(node.args[1]))[0, 0]),
    (expressions.OpenFunction, _open),
    (sp.Function, lambda entries, node: entries.arithmetic.apply(node.func, entries.value(node.args[0]))),
)
