"""A normal form of sums of products of entries. Sizes are symbols: what is equal is so for all of them.

A Kronecker delta removes a sum only where the index it fixes provably lies in the sum's range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import sympy as sp

from rnnproof.calculus.index_notation import Index


@dataclass(frozen=True)
class _Term:
    over: tuple[Index, ...]
    factors: tuple[Any, ...]


def difference(left: Any, right: Any) -> Any:
    """left - right in normal form: 0 exactly where the two are equal as sums of products."""
    sums: dict[Any, Any] = {}
    for sign, side in ((1, left), (-1, right)):
        for term in _terms(side):
            number, key = _key(_collapsed(term))
            sums[key] = sums.get(key, 0) + sign * number
    return sp.Add(*(number * factor for (_, factor), number in sums.items() if sp.expand(number) != 0))


def _terms(expression: Any) -> list[_Term]:
    expression = sp.expand(expression, power_base=False, func=False)
    if isinstance(expression, sp.Add):
        return [term for part in expression.args for term in _terms(part)]
    if isinstance(expression, sp.Sum):
        over = tuple(limit[0] for limit in expression.limits)
        return [_Term(term.over + over, term.factors) for term in _terms(expression.function)]
    if isinstance(expression, sp.Mul) and expression.has(sp.Sum):
        terms = [_Term((), ())]
        for factor in expression.args:
            terms = [_Term(a.over + b.over, a.factors + b.factors) for a in terms for b in _terms(factor)]
        return terms
    return [] if expression == 0 else [_Term((), sp.Mul.make_args(expression))]


def _collapsed(term: _Term) -> _Term:
    """Sums removed by deltas."""
    for position, factor in enumerate(term.factors):
        if isinstance(factor, sp.KroneckerDelta):
            for index in term.over:
                fixed = _solved(factor, index)
                if fixed is not None and _within(fixed, index.size):
                    rest = term.factors[:position] + term.factors[position + 1 :]
                    replaced = sp.Mul(*(other.xreplace({index: fixed}) for other in rest))
                    over = tuple(other for other in term.over if other != index)
                    return _collapsed(_Term(over, sp.Mul.make_args(replaced)))
    return term


def _solved(delta: Any, index: Index) -> Any:
    """The value a delta gives an index, or None."""
    gap = sp.expand(delta.args[0] - delta.args[1])
    slope = gap.coeff(index)
    return sp.expand(index - gap / slope) if slope in (1, -1) else None


def _within(value: Any, size: Any) -> bool:
    """Whether 0 <= value <= size - 1 for every value of the indices in it."""
    least, most = value, value
    for index in value.atoms(Index):
        bounds = (0, index.size - 1) if value.coeff(index) > 0 else (index.size - 1, 0)
        least, most = least.subs(index, bounds[0]), most.subs(index, bounds[1])
    return bool(sp.expand(least).is_nonnegative and sp.expand(size - 1 - most).is_nonnegative)


def _key(term: _Term) -> tuple[Any, tuple[Any, Any]]:
    """(number, name of the term that does not depend on how its summation indices are called)."""
    number, factors = sp.Mul(*term.factors).as_coeff_Mul()
    names = [sp.Symbol(f"k{position}", integer=True) for position in range(len(term.over))]
    best: tuple[str, Any] | None = None
    for order in permutations(term.over):
        renamed: Mapping[Any, Any] = dict(zip(order, names, strict=True))
        sizes = ", ".join(f"{names[position]} < {index.size}" for position, index in enumerate(order))
        written = factors.xreplace(renamed)
        candidate = (f"{sizes}: {sp.srepr(written)}", sp.Symbol(f"sum[{sizes}]") * written if sizes else written)
        best = candidate if best is None or candidate[0] < best[0] else best
    if best is None:
        raise AssertionError("permutations of nothing are one")
    return number, best
