"""The table of adjoints: what the arguments of y = op(...) receive from d, the adjoint of y.

Written as on paper; each operator appends the step that computes its result. `rnnproof.proofs` proves every row for all sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import sympy as sp

from rnnproof.calculus.adjoint_operations import Outer, Pad, Slope, Vjp
from rnnproof.calculus.operation_base import OPERATIONS, Operation
from rnnproof.calculus.operations import Add, Dot, Hadamard, Matmul, Open, Quotient, Scale, Slice, Transpose
from rnnproof.calculus.variables import Expression, Shape, Var

Rule = Callable[..., tuple["Value", ...]]
ADJOINTS: dict[str, Rule] = {
    "matmul": lambda op, d, y, A, x: (d @ x.T, A.T @ d),
    "transpose": lambda op, d, y, A: (d.T,),
    "add": lambda op, d, y, *terms: tuple(k * d for k in op.factors),
    "scale": lambda op, d, y, s, x: (dot(d, x), s * d),
    "hadamard": lambda op, d, y, a, b: (d * b, d * a),
    "quotient": lambda op, d, y, a, b: (d / b, -(d * y / b)),
    "dot": lambda op, d, y, a, b: (d * b, d * a),
    "map": lambda op, d, y, x: (d * slope(op.function, x, y),),
    "call": lambda op, d, y, x: (vjp(op.function, x, d),),
    "concat": lambda op, d, y, *parts: d.split(op.axis, parts),
    "slice": lambda op, d, y, x: (d.pad(op.axis, op.start, x.shape[op.axis]),),
    "constant": lambda op, d, y: (),
    "identity": lambda op, d, y: (),
}


class Append(Protocol):
    """Appends a step to the Program that is being written and returns its target."""

    def __call__(self, op: Operation, *arguments: Var, name: str = "") -> Var: ...


@dataclass(frozen=True)
class Value:
    """A value in an adjoint that is being written: each operator appends the step that computes its result."""

    var: Var
    append: Append

    @property
    def shape(self) -> Shape:
        return self.var.shape

    def _step(self, op: Operation, *arguments: Value, name: str = "") -> Value:
        return Value(self.append(op, *(value.var for value in arguments), name=name), self.append)

    @property
    def T(self) -> Value | Row:  # noqa: N802 - as on paper
        """The transposed matrix; of a column, a row."""
        return self._step(Transpose(), self, name=f"{self.var.name}_T") if len(self.shape) == 2 else Row(self)

    def __matmul__(self, other: Value | Row) -> Value:
        """A matrix by a matrix or a column; a column by a row."""
        if isinstance(other, Row):
            return self._step(Outer(), self, other.column)
        return self._step(Matmul(), self, other)

    def __mul__(self, other: Value) -> Value:
        """Entry by entry, or a scalar by an array."""
        return self._step(Hadamard() if self.shape == other.shape else Scale(), self, other)

    def __truediv__(self, other: Value) -> Value:
        """Entry by entry."""
        return self._step(Quotient(), self, other)

    def __neg__(self) -> Value:
        return self._step(Add((-1,)), self)

    def __add__(self, other: Value) -> Value:
        return self._step(Add((1, 1)), self, other)

    def __rmul__(self, number: Expression) -> Value:
        return self if number == 1 else self._step(Add((number,)), self)

    def split(self, axis: int, parts: tuple[Value, ...]) -> tuple[Value, ...]:
        """What lies where each of the parts lies in their concatenation."""
        ends = [sp.S.Zero]
        for part in parts:
            ends.append(ends[-1] + part.shape[axis])
        return tuple(self._step(Slice(axis, *bounds), self) for bounds in zip(ends, ends[1:], strict=False))

    def pad(self, axis: int, start: Expression, extent: Expression) -> Value:
        """Itself from `start` on, among zeros."""
        return self._step(Pad(axis, start, extent), self)


@dataclass(frozen=True)
class Row:
    """A column, transposed."""

    column: Value


def dot(a: Value, b: Value) -> Value:
    """The sum of a_i b_i."""
    return a._step(Dot(), a, b)


def slope(function: Expression, x: Value, y: Value) -> Value:
    """f'(x), entry by entry, where y = f(x)."""
    return x._step(Slope(function), x, y)


def vjp(function: Open, x: Value, d: Value) -> Value:
    """J_f(x)^T d of a function left open."""
    return x._step(Vjp(function), x, d)


if ADJOINTS.keys() != {name for name, operation in OPERATIONS.items() if operation.in_equations}:
    raise AssertionError("every operation that equations are made of has one row in ADJOINTS, and no other has")
