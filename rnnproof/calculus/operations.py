"""The operations of equations, each with all that it means; those of adjoints alone stand in `adjoint_operations`.

Its shape, its entries in index notation, its formula, its Jacobian, the interval its entries lie in. The adjoints stand in
`adjoint_table`. An operation that lacks a meaning cannot be imported: see `operation_base`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
from sympy.matrices.expressions.slice import MatrixSlice

from rnnproof.calculus import bounds, matrix_expressions
from rnnproof.calculus.bounds import Interval
from rnnproof.calculus.index_notation import Index, indices, sum_over
from rnnproof.calculus.operation_base import JACOBIAN, At, Entries, MathOperation, expect, placed, same_shape
from rnnproof.calculus.terms import Factor, Linearised, Term, Terms, formula, from_left, norm, scaled_by, times
from rnnproof.calculus.variables import Expression, Shape
from rnnproof.equations import expressions


@dataclass(frozen=True)
class Matmul(MathOperation):
    """A x or A B."""

    def shape(self, A: Shape, x: Shape) -> Shape:
        expect(len(A) == 2 and len(x) >= 1 and A[1] == x[0], f"matmul of {A} and {x}")
        return (A[0], *x[1:])

    def entry(self, at: At, A: Entries, x: Entries) -> Expression:
        k = Index(A.shape[1])
        return sum_over(A(at[0], k) * x(k, *at[1:]), k)

    def formula(self, A: Expression, x: Expression) -> Expression:
        return matrix_expressions.multiply(A, x)

    def jacobian(self, result: Linearised, A: Linearised, x: Linearised) -> Terms:
        return from_left(A.factor, x.terms, x.columns)


@dataclass(frozen=True)
class Transpose(MathOperation):
    """A^T."""

    def shape(self, A: Shape) -> Shape:
        return (A[1], A[0])

    def entry(self, at: At, A: Entries) -> Expression:
        return A(at[1], at[0])

    def formula(self, A: Expression) -> Expression:
        return matrix_expressions.transpose(A)

    def jacobian(self, result: Linearised, A: Linearised) -> Terms:
        return ()


@dataclass(frozen=True)
class Add(MathOperation):
    """k_1 a_1 + k_2 a_2 + ..., the k being numbers."""

    factors: tuple[Expression, ...]

    @property
    def attributes(self) -> tuple[Any, ...]:
        return () if all(k == 1 for k in self.factors) else self.factors

    def shape(self, *terms: Shape) -> Shape:
        return same_shape(self, terms)

    def entry(self, at: At, *terms: Entries) -> Expression:
        return sp.Add(*(k * term(*at) for k, term in zip(self.factors, terms, strict=True)))

    def formula(self, *terms: Expression) -> Expression:
        return matrix_expressions.add(*map(matrix_expressions.scaled, self.factors, terms))

    def jacobian(self, result: Linearised, *terms: Linearised) -> Terms:
        pairs = zip(self.factors, terms, strict=True)
        return tuple(replace(term, number=k * term.number) for k, argument in pairs for term in argument.terms)

    def interval(self, *terms: Interval) -> Interval:
        scaled = ((k, interval) for k, interval in zip(self.factors, terms, strict=True) if k != 0)
        ends = [sorted((k * low, k * high)) for k, (low, high) in scaled]
        return (sum(low for low, _ in ends), sum(high for _, high in ends))


@dataclass(frozen=True)
class Scale(MathOperation):
    """s x: a scalar by an array."""

    def shape(self, s: Shape, x: Shape) -> Shape:
        return x

    def entry(self, at: At, s: Entries, x: Entries) -> Expression:
        return s() * x(*at)

    def formula(self, s: Expression, x: Expression) -> Expression:
        return matrix_expressions.multiply(s, x)

    def jacobian(self, result: Linearised, s: Linearised, x: Linearised) -> Terms:
        column = Term(rest=(Factor(x.value, sp.oo),))
        return (*(times(column, term) for term in s.terms), *scaled_by(s.factor, x.terms, ()))


@dataclass(frozen=True)
class Hadamard(MathOperation):
    """The product entry by entry."""

    def shape(self, a: Shape, b: Shape) -> Shape:
        return same_shape(self, (a, b))

    def entry(self, at: At, a: Entries, b: Entries) -> Expression:
        return a(*at) * b(*at)

    def formula(self, a: Expression, b: Expression) -> Expression:
        return matrix_expressions.hadamard(a, b)

    def jacobian(self, result: Linearised, a: Linearised, b: Linearised) -> Terms:
        return scaled_by(b.factor, a.terms, result.shape) + scaled_by(a.factor, b.terms, result.shape)

    def interval(self, a: Interval, b: Interval) -> Interval:
        corners = [0 if 0 in (p, q) else p * q for p in a for q in b]
        return (min(corners), max(corners))


@dataclass(frozen=True)
class Quotient(MathOperation):
    """The quotient entry by entry."""

    def shape(self, a: Shape, b: Shape) -> Shape:
        return same_shape(self, (a, b))

    def entry(self, at: At, a: Entries, b: Entries) -> Expression:
        return a(*at) / b(*at)

    def formula(self, a: Expression, b: Expression) -> Expression:
        return matrix_expressions.quotient(a, b)

    def jacobian(self, result: Linearised, a: Linearised, b: Linearised) -> Terms:
        by_a = Factor(matrix_expressions.quotient(matrix_expressions.one_like(b.value), b.value), sp.oo)
        by_b = Factor(matrix_expressions.quotient(result.value, b.value), sp.oo)
        less = tuple(replace(term, number=-term.number) for term in b.terms)
        return scaled_by(by_a, a.terms, result.shape) + scaled_by(by_b, less, result.shape)


@dataclass(frozen=True)
class Dot(MathOperation):
    """a^T b: the sum of the products of the entries."""

    def shape(self, a: Shape, b: Shape) -> Shape:
        same_shape(self, (a, b))
        return ()

    def entry(self, at: At, a: Entries, b: Entries) -> Expression:
        i = indices(a.shape)
        return sum_over(a(*i) * b(*i), *i)

    def formula(self, a: Expression, b: Expression) -> Expression:
        return expressions.Dot(a, b)

    def jacobian(self, result: Linearised, a: Linearised, b: Linearised) -> Terms:
        rows = [Term(rest=(Factor(matrix_expressions.transpose(other.value), sp.oo),)) for other in (b, a)]
        return tuple(times(row, term) for row, argument in zip(rows, (a, b), strict=True) for term in argument.terms)


@dataclass(frozen=True)
class Map(MathOperation):
    """f(x), entry by entry; f is the SymPy Function class of a registered activation."""

    function: Expression

    def shape(self, x: Shape) -> Shape:
        return x

    def entry(self, at: At, x: Entries) -> Expression:
        return self.function(x(*at))

    def formula(self, x: Expression) -> Expression:
        return expressions.apply(self.function, x)

    def jacobian(self, result: Linearised, x: Linearised) -> Terms:
        derivative = Factor(matrix_expressions.slope(self.function, x.value, result.value), bounds.sup_slope(self.function))
        return scaled_by(derivative, x.terms, result.shape)

    def interval(self, x: Interval) -> Interval:
        return bounds.image(self.function)


@dataclass(frozen=True)
class Open:
    """A function that the equations leave open: its name, and how many rows its value has."""

    name: str
    rows: Expression

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Call(MathOperation):
    """f(x), f left open: all that is known of it is that its Jacobian is called J_f."""

    function: Open

    def shape(self, x: Shape) -> Shape:
        return (self.function.rows,)

    def entry(self, at: At, x: Entries) -> Expression:
        """By the definition of J_f: the change of f(x) is J_f times the change of x."""
        j = Index(x.shape[0])
        return sum_over(JACOBIAN[at[0], j] * x(j), j)

    def formula(self, x: Expression) -> Expression:
        return expressions.OpenFunction(self.function.name, x, self.function.rows)

    def jacobian(self, result: Linearised, x: Linearised) -> Terms:
        return from_left(result.open_jacobian(self.function.name, x.value, self.function.rows), x.terms, x.columns)


@dataclass(frozen=True)
class Concat(MathOperation):
    """The parts one after the other along an axis."""

    axis: int

    def shape(self, *parts: Shape) -> Shape:
        first, axis = parts[0], self.axis
        return (*first[:axis], sp.Add(*(shape[axis] for shape in parts)), *first[axis + 1 :])

    def entry(self, at: At, *parts: Entries) -> Expression:
        start, terms = sp.S.Zero, []
        for part in parts:
            terms.append(placed(part, self.axis, start, at))
            start += part.shape[self.axis]
        return sp.Add(*terms)

    def formula(self, *parts: Expression) -> Expression:
        return expressions.concatenate(*parts)

    def jacobian(self, result: Linearised, *parts: Linearised) -> Terms:
        blocks = [[formula(part.terms, (part.shape[0], part.columns))] for part in parts]
        size = sp.Add(*(norm(part.terms) for part in parts if part.terms))
        return (Term(rest=(Factor(sp.BlockMatrix(blocks), size),)),)


@dataclass(frozen=True)
class Slice(MathOperation):
    """start <= i < stop of an axis."""

    axis: int
    start: Expression
    stop: Expression

    def shape(self, x: Shape) -> Shape:
        return (*x[: self.axis], sp.expand(self.stop - self.start), *x[self.axis + 1 :])

    def entry(self, at: At, x: Entries) -> Expression:
        return x(*at[: self.axis], self.start + at[self.axis], *at[self.axis + 1 :])

    def formula(self, x: Expression) -> Expression:
        ranges = [(0, x.shape[0]), (0, x.shape[1])]
        ranges[self.axis] = (self.start, self.stop)
        return MatrixSlice(x, *ranges)

    def jacobian(self, result: Linearised, x: Linearised) -> Terms:
        rows = sp.expand(self.stop - self.start)
        after = sp.expand(x.shape[0] - self.stop)
        pieces = [sp.ZeroMatrix(rows, self.start), sp.Identity(rows), sp.ZeroMatrix(rows, after)]
        chooser = Factor(sp.BlockMatrix([[piece for piece in pieces if piece.shape[1] != 0]]), sp.S.One)
        return tuple(times(Term(rest=(chooser,)), term) for term in x.terms)


@dataclass(frozen=True)
class Constant(MathOperation):
    """An array whose entries are all the same number."""

    number: Expression
    extents: Shape

    def shape(self) -> Shape:
        return self.extents

    def entry(self, at: At) -> Expression:
        return self.number

    def formula(self) -> Expression:
        if not self.extents:
            return self.number
        shape = self.extents if len(self.extents) == 2 else (*self.extents, 1)
        return sp.ZeroMatrix(*shape) if self.number == 0 else matrix_expressions.scaled(self.number, sp.OneMatrix(*shape))

    def jacobian(self, result: Linearised) -> Terms:
        return ()

    def interval(self) -> Interval:
        return (self.number, self.number)


@dataclass(frozen=True)
class Identity(MathOperation):
    """The identity matrix."""

    size: Expression

    def shape(self) -> Shape:
        return (self.size, self.size)

    def entry(self, at: At) -> Expression:
        return sp.KroneckerDelta(*at)

    def formula(self) -> Expression:
        return sp.Identity(self.size)

    def jacobian(self, result: Linearised) -> Terms:
        return ()
