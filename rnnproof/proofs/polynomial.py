"""Exact sparse polynomials in numbered generators: equal polynomials are equal dictionaries; derivatives go term by term."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Monomial = tuple[int, ...]  # the generators' numbers, ascending, each as often as its power


_FEW = 16


class TooLarge(Exception):
    """The polynomials asked for more work than the bound."""


@dataclass
class Work:
    """How many terms may still be made."""

    left: int

    def spend(self, terms: int) -> None:
        """Raise TooLarge where that is more than is left."""
        self.left -= terms
        if self.left < 0:
            raise TooLarge


class Polynomial:
    """A sum of monomials with whole or fractional coefficients; never changed once made."""

    __slots__ = ("_hash", "terms", "work")

    def __init__(self, terms: dict[Monomial, int | Fraction], work: Work) -> None:
        self.terms = terms
        self.work = work
        self._hash: int | None = None

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __add__(self, other: Polynomial) -> Polynomial:
        large, small = (self, other) if len(self.terms) >= len(other.terms) else (other, self)
        self.work.spend(len(small.terms))
        terms = dict(large.terms)
        for monomial, number in small.terms.items():
            total = terms.get(monomial, 0) + number
            if total:
                terms[monomial] = total
            else:
                del terms[monomial]
        return Polynomial(terms, self.work)

    def __neg__(self) -> Polynomial:
        return Polynomial({monomial: -number for monomial, number in self.terms.items()}, self.work)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def __mul__(self, other: Polynomial) -> Polynomial:
        products = len(self.terms) * len(other.terms)
        length = sum(len(next(iter(one.terms), ())) for one in (self, other))
        self.work.spend(
            products if products <= _FEW else products * (1 + length // 8)
        )  # many terms of a high power take long to make
        terms: dict[Monomial, int | Fraction] = {}
        for left, number in self.terms.items():
            for right, factor in other.terms.items():
                monomial = tuple(sorted(left + right)) if left and right else left or right
                terms[monomial] = terms.get(monomial, 0) + number * factor
        return Polynomial({monomial: number for monomial, number in terms.items() if number}, self.work)

    def __pow__(self, exponent: int) -> Polynomial:
        power = Polynomial({(): 1}, self.work)
        for _ in range(exponent):
            power = power * self
        return power

    @property
    def generators(self) -> set[int]:
        """The numbers of the generators that occur."""
        return {generator for monomial in self.terms for generator in monomial}

    @property
    def is_monomial(self) -> bool:
        """Whether it is a single term, or 0."""
        return len(self.terms) <= 1

    def partials(self) -> Iterator[tuple[int, Polynomial]]:
        """(generator, the derivative by it) for each generator that occurs: k x^n gives k n x^(n-1)."""
        slopes: dict[int, dict[Monomial, int | Fraction]] = {}
        for monomial, number in self.terms.items():
            self.work.spend(len(monomial))
            for generator in set(monomial):
                at = monomial.index(generator)
                rest = monomial[:at] + monomial[at + 1 :]
                slope = slopes.setdefault(generator, {})
                slope[rest] = slope.get(rest, 0) + number * monomial.count(generator)
        for generator, terms in slopes.items():
            yield generator, Polynomial(terms, self.work)

    def shown(self, names: Any) -> str:
        """Its text, `names[generator]` standing for each generator."""
        parts: list[str] = []
        for monomial, number in sorted(self.terms.items()):
            factors = [names[generator] for generator in monomial]
            sign, size = ("-", -number) if number < 0 else ("+", number)
            text = "*".join([str(size), *factors] if size != 1 or not factors else factors)
            parts.append(f" {sign} {text}" if parts else f"-{text}" if number < 0 else text)
        return "".join(parts) or "0"
