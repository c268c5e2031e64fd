"""Sums of terms number * scalars * diag(u) * M: the normal form in which Jacobians are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import sympy as sp

from rnnproof.calculus import matrix_expressions
from rnnproof.calculus.variables import Expression, Shape


@dataclass(frozen=True)
class Factor:
    """A formula and how large it gets: its entries where it is elementwise, its spectral norm where it is a matrix."""

    value: Expression
    size: Expression


@dataclass(frozen=True)
class Term:
    """number * scalars * diag(elementwise factors) * rest; with nothing in it, the identity."""

    number: Expression = sp.S.One
    scalars: tuple[Factor, ...] = ()
    diag: tuple[Factor, ...] = ()
    rest: tuple[Factor, ...] = ()

    @property
    def is_identity(self) -> bool:
        """The identity path."""
        return self == Term()

    def mapped(self, change: Callable[[Expression], Expression]) -> Term:
        """Every formula and size changed."""

        def each(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
            return tuple(Factor(change(factor.value), change(factor.size)) for factor in factors)

        return replace(self, scalars=each(self.scalars), diag=each(self.diag), rest=each(self.rest))


Terms = tuple[Term, ...]


def times(left: Term, right: Term) -> Term:
    """left * right."""
    number, scalars = left.number * right.number, left.scalars + right.scalars
    if not left.rest:
        return Term(number, scalars, left.diag + right.diag, right.rest)
    middle: tuple[Factor, ...] = ()
    if right.diag:
        product = matrix_expressions.hadamard(*(factor.value for factor in right.diag))
        middle = (Factor(sp.DiagMatrix(product), sp.Mul(*(factor.size for factor in right.diag))),)
    return Term(number, scalars, left.diag, left.rest + middle + right.rest)


def collect(terms: Terms) -> Terms:
    """Like terms joined: equal ones added up, diag(u) M + diag(v) M made diag(u + v) M; identity first, then diagonals."""
    joined_terms: list[Term] = []
    for new in terms:
        for position, old in enumerate(joined_terms):
            joined = _joined(old, new)
            if joined is not None:
                joined_terms[position] = joined
                break
        else:
            joined_terms.append(new)
    ordered = tuple(
        sorted((term for term in joined_terms if term.number != 0), key=lambda term: (bool(term.rest), bool(term.diag)))
    )
    return ordered if len(ordered) == len(terms) else collect(ordered)


def _joined(old: Term, new: Term) -> Term | None:
    if (old.scalars, old.rest) != (new.scalars, new.rest):
        return None
    if len(old.diag) != len(new.diag):
        return None
    if Counter(old.diag) == Counter(new.diag):
        return replace(old, number=old.number + new.number)
    alone = [factor for factor in old.diag if factor not in new.diag], [factor for factor in new.diag if factor not in old.diag]
    if len(alone[0]) != 1 or len(alone[1]) != 1:
        return None
    (first,), (second,) = alone
    total = matrix_expressions.add(
        matrix_expressions.scaled(old.number, first.value), matrix_expressions.scaled(new.number, second.value)
    )
    size = abs(old.number) * first.size + abs(new.number) * second.size
    return replace(old, number=sp.S.One, diag=tuple(Factor(total, size) if f == first else f for f in old.diag))


def formula(terms: Terms, shape: tuple[Expression, Expression]) -> Expression:
    """The terms as one SymPy matrix expression."""
    if not terms:
        return sp.ZeroMatrix(*shape)
    return matrix_expressions.add(*(_one(term, shape) for term in terms))


def _one(term: Term, shape: tuple[Expression, Expression]) -> Expression:
    parts = [factor.value for factor in term.scalars]
    if term.diag:
        parts.append(sp.DiagMatrix(matrix_expressions.hadamard(*(factor.value for factor in term.diag))))
    parts += [factor.value for factor in term.rest]
    if not term.diag and not term.rest and shape != (1, 1):
        parts.append(sp.Identity(shape[0]))
    product = matrix_expressions.multiply(*parts) if parts else sp.S.One
    return matrix_expressions.scaled(term.number, product)


def norm(terms: Terms) -> Expression:
    """An upper bound of the spectral norm: sums of products of the factors' sizes; infinite where one is unbounded."""
    total = sp.S.Zero
    for term in terms:
        sizes = [factor.size for factor in (*term.scalars, *term.diag, *term.rest)]
        total += sp.oo if any(size.has(sp.oo) for size in sizes) else abs(term.number) * sp.Mul(*sizes)
    return total


def written_length(terms: Terms) -> int:
    """How many symbols are written, each as often as it stands there."""
    return sum(_leaves(factor.value) for term in terms for factor in (*term.scalars, *term.diag, *term.rest))


def _leaves(value: Expression) -> int:
    whole = isinstance(value, sp.MatrixSymbol) or not value.args
    return 1 if whole else sum(map(_leaves, value.args))


def bound_tex(bound: Expression) -> str:
    """A bound's LaTeX; its symbols are named as printed."""
    return str(sp.latex(bound, symbol_names={symbol: symbol.name for symbol in bound.free_symbols}, order="rev-lex"))


class Linearised(Protocol):
    """A value as the chain rule sees it: its formula, how large it gets, and its Jacobian by the source, as terms."""

    @property
    def shape(self) -> Shape: ...

    @property
    def columns(self) -> Expression:
        """The number of entries of the source."""
        ...

    @property
    def terms(self) -> Terms: ...

    @property
    def value(self) -> Expression: ...

    @property
    def factor(self) -> Factor: ...

    def open_jacobian(self, function: str, argument: Expression, rows: Expression) -> Factor:
        """J_f at the argument, f left open."""
        ...


def from_left(matrix: Factor, terms: Terms, columns: Expression) -> Terms:
    """matrix * (the sum of the terms); a sum of several is kept together."""
    if len(terms) > 1:
        terms = (Term(rest=(Factor(formula(terms, (matrix.value.shape[1], columns)), norm(terms)),)),)
    return tuple(times(Term(rest=(matrix,)), term) for term in terms)


def scaled_by(factor: Factor, terms: Terms, shape: Shape) -> Terms:
    """The terms, each multiplied entry by entry by a value of this shape."""
    if not shape:
        return tuple(replace(term, scalars=(factor, *term.scalars)) for term in terms)
    return tuple(replace(term, diag=(factor, *term.diag)) for term in terms)
