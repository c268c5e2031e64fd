"""The operations that a lowered Program has beside those of the calculus: what array libraries compute in one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.variables import Expression, Shape

Operand = int | str  # the position of an argument, or a number as text
ALL_COLUMNS = sp.Symbol("all_columns", integer=True, positive=True)  # steps times samples


class Elementwise(Operation):
    """One value for each entry; a scalar goes with every entry of an array."""

    def shape(self, *arguments: Any, **_: Any) -> Shape:
        shape: Shape = max(arguments, key=len)
        return shape


@dataclass(frozen=True)
class Ufunc(Elementwise):
    """A NumPy function of one or two operands."""

    function: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Select(Elementwise):
    """The first of two operands where the first argument stands in this relation to the threshold, else the second."""

    relation: str
    threshold: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Erf(Elementwise):
    """The error function."""


@dataclass(frozen=True)
class Normal(Elementwise):
    """1 + erf(x / sqrt(2))."""


@dataclass(frozen=True)
class Copy(Elementwise):
    """The same values in an array of their own."""


@dataclass(frozen=True)
class Fill(Elementwise):
    """A number in every entry."""

    number: str


@dataclass(frozen=True)
class Spread(Elementwise):
    """What is the same for every sample, as an array of all of them."""


@dataclass(frozen=True)
class Repeat(Operation):
    """A scalar times a number, in every row."""

    number: str
    rows: Expression

    def shape(self, x: Shape) -> Shape:
        return (self.rows,)


@dataclass(frozen=True)
class Sum(Operation):
    """The sum over a value's own axes."""

    def shape(self, x: Shape) -> Shape:
        return ()


@dataclass(frozen=True)
class Rows(Operation):
    """A sequence of columns as one matrix, so that one product sums a b^T over steps and samples."""

    def shape(self, x: Shape) -> Shape:
        return (x[0], ALL_COLUMNS)


@dataclass(frozen=True)
class Columns(Operation):
    """The transposed of `Rows`."""

    def shape(self, x: Shape) -> Shape:
        return (ALL_COLUMNS, x[0])


@dataclass(frozen=True)
class OuterSum(Operation):
    """a b^T summed over samples, for each step."""

    def shape(self, a: Shape, b: Shape) -> Shape:
        return (a[0], b[0])
