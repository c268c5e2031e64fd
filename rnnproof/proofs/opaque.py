"""The entries of a proof: polynomials whose generators are symbols, opaque applications f(argument), and values given a name.

An application is known by its function and its argument, itself a polynomial, so both sides of a proof that apply f to the
same thing get the same generator. f' and J_f are generators of their own: what is proved holds for every f. Of 1/x alone the
slope is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.equations import activations
from rnnproof.proofs.polynomial import Polynomial, Work

Array = Any
RECIPROCAL = "reciprocal"
Inside = tuple[tuple[Polynomial, Polynomial], ...]


class Opaque:
    """Hands out generators. `inside` says what one is made of: (slope, argument) pairs, its derivative being their sum.

    A generator's number is higher than those of all it is made of.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.inside: dict[int, Inside] = {}
        self._origin: dict[int, tuple[tuple[Polynomial, ...], Callable[..., Polynomial]]] = {}
        self._written: dict[int, Polynomial] = {}
        self._names: list[str] = []
        self._known: dict[Any, Any] = {}

    def whole(self, value: int) -> Polynomial:
        """The constant polynomial."""
        return Polynomial({(): value} if value else {}, self.work)

    def fresh(self, label: str) -> Polynomial:
        """A generator of that name, made of nothing."""
        self._names.append(label)
        return Polynomial({(len(self._names) - 1,): 1}, self.work)

    def _made(
        self, label: str, inside: Inside, parts: tuple[Polynomial, ...], rebuild: Callable[..., Polynomial]
    ) -> Polynomial:
        """A generator that is `rebuild(*parts)`."""
        number = len(self._names)
        if inside:
            self.inside[number] = inside
        self._origin[number] = parts, rebuild
        return self.fresh(label)

    def written_out(self, polynomial: Polynomial) -> Polynomial:
        """The polynomial without names: each is replaced by what it stands for, inside applications too."""
        waiting, reached = list(polynomial.generators), set()
        while waiting:
            generator = waiting.pop()
            if generator in self._origin and generator not in self._written and generator not in reached:
                reached.add(generator)
                waiting += (inner for part in self._origin[generator][0] for inner in part.generators)
        for generator in sorted(reached):
            parts, rebuild = self._origin[generator]
            self._written[generator] = rebuild(*map(self._replaced, parts))
        return self._replaced(polynomial)

    def _replaced(self, polynomial: Polynomial) -> Polynomial:
        total = self.whole(0)
        for monomial, number in polynomial.terms.items():
            term = Polynomial({tuple(g for g in monomial if g not in self._written): number}, self.work)
            for generator in monomial:
                if generator in self._written:
                    term = term * self._written[generator]
            total = total + term
        return total

    def array(self, label: str, shape: tuple[int, ...]) -> Array:
        """An array of symbols, the same ones each time; a single symbol for shape ()."""
        if label not in self._known:
            symbols = np.empty(shape, dtype=object)
            for at in np.ndindex(*shape):
                symbols[at] = self.fresh(f"{label}{place(at)}")
            self._known[label] = symbols if shape else symbols[()]
        return self._known[label]

    def named(self, label: str, values: Any, inside: bool = False) -> Array:
        """A name for each entry; derivatives go on through the entry's value if `inside`, and end at the name otherwise."""
        if not hasattr(values, "shape"):
            return self._made(label, ((self.whole(1), values),) if inside else (), (values,), lambda value: value)
        names = np.empty(values.shape, dtype=object)
        for at in np.ndindex(*values.shape):
            names[at] = self.named(f"{label}{place(at)}", values[at], inside)
        return names

    def number(self, value: Any) -> Polynomial:
        """A number; an irrational one is a generator, so nothing is rounded."""
        if value.is_Rational or value.is_Float:
            exact = sp.Rational(value)
            fraction = Fraction(int(exact.p), int(exact.q))
            return Polynomial({(): fraction} if fraction else {}, self.work)
        key = ("number", value)
        if key not in self._known:
            self._known[key] = self.fresh(str(value))
        known: Polynomial = self._known[key]
        return known

    def full(self, shape: tuple[int, ...], value: int) -> Array:
        """An array of one whole number."""
        entries = np.empty(shape, dtype=object)
        entries[...] = self.whole(value)
        return entries

    def apply(self, function: Any, argument: Array) -> Array:
        """f elementwise; the identity is written out, every other function is opaque."""
        if activations.of(function).definition == activations.X:
            return argument
        name = activations.of(function).name
        return _each(argument, lambda entry: self._applied(name, entry)[0])

    def slope(self, function: Any, argument: Array) -> Array:
        """f' elementwise."""
        name = activations.of(function).name
        return _each(argument, lambda entry: self._applied(name, entry)[1])

    def _applied(self, name: str, entry: Polynomial) -> tuple[Polynomial, Polynomial]:
        key = (name, entry)
        if key not in self._known and name == RECIPROCAL:
            self._known[key] = self._reciprocal(entry)
        if key not in self._known:
            argument = self.shown(entry)
            slope = self._made(f"{name}'({argument})", (), (entry,), lambda part: self._applied(name, part)[1])
            value = self._made(f"{name}({argument})", ((slope, entry),), (entry,), lambda part: self._applied(name, part)[0])
            self._known[key] = value, slope
        known: tuple[Polynomial, Polynomial] = self._known[key]
        return known

    def _reciprocal(self, entry: Polynomial) -> tuple[Polynomial, Polynomial]:
        """1/x is opaque but for its slope, -1/x^2, which a quotient's adjoint has too."""
        number = len(self._names)
        value = self._made(f"1/({self.shown(entry)})", (), (entry,), lambda part: self._applied(RECIPROCAL, part)[0])
        slope = self.whole(-1) * value * value
        self.inside[number] = ((slope, entry),)
        return value, slope

    def open(self, name: str, argument: Array, rows: int) -> Array:
        """An open function's value (rows,) at a vector, opaque."""
        return self._opened(name, argument, rows)[0]

    def jacobian(self, name: str, argument: Array, rows: int) -> Array:
        """An open function's Jacobian (rows, len(argument)) at a vector, opaque."""
        return self._opened(name, argument, rows)[1]

    def _opened(self, name: str, argument: Array, rows: int) -> tuple[Array, Array]:
        at = tuple(argument)
        key = (name, at, rows)
        if key not in self._known:
            arguments = ", ".join(map(self.shown, at))
            value, slopes = np.empty(rows, dtype=object), np.empty((rows, len(at)), dtype=object)

            def opened(which: int, *place: int) -> Callable[..., Polynomial]:
                return lambda *parts: self._opened(name, np.array(parts, dtype=object), rows)[which][place]

            for i in range(rows):
                for j in range(len(at)):
                    slopes[i, j] = self._made(f"d{j + 1} {name}_{i + 1}({arguments})", (), at, opened(1, i, j))
                inside = tuple(zip(slopes[i], at, strict=True))
                value[i] = self._made(f"{name}_{i + 1}({arguments})", inside, at, opened(0, i))
            self._known[key] = value, slopes
        known: tuple[Array, Array] = self._known[key]
        return known

    def shown(self, polynomial: Polynomial) -> str:
        """A polynomial with its generators' names, shortened past 300 characters."""
        first = dict(list(polynomial.terms.items())[:12])
        text = Polynomial(first, self.work).shown(self._names)
        rest = len(polynomial.terms) - len(first)
        text = text if len(text) <= 300 else f"{text[:300]}..."
        return f"{text} and {rest} terms more" if rest else text

    def label(self, generator: int) -> str:
        """A generator's name."""
        return self._names[generator]


def place(at: tuple[int, ...]) -> str:
    """[1, 2] for the entry in row 1, column 2; nothing for a scalar."""
    return f"[{', '.join(str(i + 1) for i in at)}]" if at else ""


def _each(argument: Array, function: Any) -> Array:
    if not isinstance(argument, np.ndarray):
        return function(argument)
    results = np.empty(argument.shape, dtype=object)
    for at in np.ndindex(*argument.shape):
        results[at] = function(argument[at])
    return results
