"""Exact polynomials whose generators are symbols and opaque applications f(argument): equal polynomials, equal formulas.

An application is known by its function and its argument, itself a polynomial, so both sides of a proof that apply f to the
same thing get the same generator. f' and J_f are generators of their own: what is proved holds for every f.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import sympy as sp
from sympy.polys.rings import ring

from rnnproof.equations import activations

Polynomial = Any
Array = Any


class Opaque:
    """A ring of `size` generators, handed out as they are needed; `derivative` differentiates through the applications.

    Coefficients are whole numbers, about three times faster, or fractions.
    """

    def __init__(self, size: int, *, fractions: bool = False) -> None:
        self.ring, *self._free = ring([f"g{number}" for number in range(size)], sp.QQ if fractions else sp.ZZ)
        self._free.reverse()
        self._known: dict[Any, Polynomial] = {}
        self._labels: dict[str, str] = {}
        self._inside: dict[Polynomial, tuple[tuple[Polynomial, Polynomial], ...]] = {}
        self._derived: dict[Polynomial, list[tuple[Polynomial, Polynomial]]] = {}
        self._slopes: dict[tuple[Polynomial, Polynomial], Polynomial] = {}

    def symbol(self, label: str) -> Polynomial:
        """The generator of that name."""
        return self._generator(("symbol", label), label)

    def array(self, label: str, shape: tuple[int, ...]) -> Array:
        """An array of symbols; the generator itself for shape ()."""
        if not shape:
            return self.symbol(label)
        made = np.empty(shape, dtype=object)
        for at in np.ndindex(*shape):
            made[at] = self.symbol(f"{label}[{', '.join(str(i + 1) for i in at)}]")
        return made

    def number(self, value: Any) -> Polynomial:
        """A number; an irrational one is a generator, so nothing is rounded."""
        if value.is_Rational or value.is_Float:
            return self.ring(self.ring.domain.from_sympy(sp.Rational(value)))
        return self._generator(("number", value), str(value))

    def full(self, shape: tuple[int, ...], value: int) -> Array:
        """An array of one whole number."""
        made = np.empty(shape, dtype=object)
        made[...] = self.ring(value)
        return made

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
        if key not in self._known:
            shown = self.shown(entry)
            value = self._generator(key, f"{name}({shown})")
            self._known[(f"{name}'", entry)] = self._generator((f"{name}'", entry), f"{name}'({shown})")
            self._inside[value] = ((self._known[(f"{name}'", entry)], entry),)
        return self._known[key], self._known[(f"{name}'", entry)]

    def open(self, name: str, argument: Array, rows: int) -> Array:
        """An open function's value (rows,) at a vector, opaque."""
        return self._opened(name, argument, rows)[0]

    def jacobian(self, name: str, argument: Array, rows: int) -> Array:
        """An open function's Jacobian (rows, len(argument)) at a vector, opaque."""
        return self._opened(name, argument, rows)[1]

    def _opened(self, name: str, argument: Array, rows: int) -> tuple[Array, Array]:
        at = tuple(argument)
        shown = ", ".join(map(self.shown, at))
        value, slopes = np.empty(rows, dtype=object), np.empty((rows, len(at)), dtype=object)
        for i in range(rows):
            value[i] = self._generator((name, at, i), f"{name}_{i + 1}({shown})")
            for j in range(len(at)):
                slopes[i, j] = self._generator((name, at, i, j), f"d{j + 1} {name}_{i + 1}({shown})")
            self._inside[value[i]] = tuple(zip(slopes[i], at, strict=True))
        return value, slopes

    def _generator(self, key: Any, label: str) -> Polynomial:
        if key not in self._known:
            self._known[key] = self._free.pop()
            self._labels[str(self._known[key])] = label
        return self._known[key]

    def derivative(self, polynomial: Polynomial, by: Polynomial) -> Polynomial:
        """SymPy's derivative of the polynomial by each generator in it, times that generator's own derivative."""
        total = self.ring(0)
        for generator, slope in self._partials(polynomial):
            inner = self._slope_of(generator, by)
            if inner:
                total += slope * inner
        return total

    def _partials(self, polynomial: Polynomial) -> list[tuple[Polynomial, Polynomial]]:
        """SymPy's partial derivative by each generator that occurs."""
        if polynomial not in self._derived:
            used = {position for monomial in polynomial for position, power in enumerate(monomial) if power}
            generators = [self.ring.gens[position] for position in sorted(used)]
            self._derived[polynomial] = [(generator, polynomial.diff(generator)) for generator in generators]
        return self._derived[polynomial]

    def _slope_of(self, generator: Polynomial, by: Polynomial) -> Polynomial:
        key = (generator, by)
        if key not in self._slopes:
            if generator == by:
                found = self.ring(1)
            else:
                found = self.ring(0)
                for slope, argument in self._inside.get(generator, ()):
                    found += slope * self.derivative(argument, by)
            self._slopes[key] = found
        return self._slopes[key]

    def shown(self, polynomial: Polynomial) -> str:
        """A polynomial with its generators' names, shortened past 300 characters."""
        text = re.sub(r"g\d+", lambda found: self._labels.get(found[0], found[0]), str(polynomial))
        return text if len(text) <= 300 else f"{text[:300]}..."


def _each(argument: Array, function: Any) -> Array:
    if not isinstance(argument, np.ndarray):
        return function(argument)
    made = np.empty(argument.shape, dtype=object)
    for at in np.ndindex(*argument.shape):
        made[at] = function(argument[at])
    return made
