"""Index notation: entries of arrays and sums over whole ranges. Indices count from 0; sizes are symbols."""

from __future__ import annotations

import sympy as sp

from rnnproof.calculus.variables import Expression, Shape


class Index(sp.Dummy):
    """An index that runs from 0 to `size` - 1; no two are equal."""

    size: Expression

    def __new__(cls, size: Expression) -> Index:
        index: Index = super().__new__(cls, "i", integer=True, nonnegative=True)
        index.size = sp.sympify(size)
        return index


def indices(shape: Shape) -> tuple[Index, ...]:
    """A new index for each axis."""
    return tuple(map(Index, shape))


def sum_over(summand: Expression, *over: Index) -> Expression:
    """The sum over the whole range of each index."""
    for index in over:
        summand = sp.Sum(summand, (index, 0, index.size - 1))
    return summand
