"""Typed trees -> SymPy: the names of sizes, and one row for each operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from rnnproof.equations import expressions
from rnnproof.equations.size_inference import ONE, Size, Typed
from rnnproof.equations.system import Quantity
from rnnproof.equations.type_inference import NUMBER, SCALAR

_RESERVED = {"steps"}


class SizeNames:
    """Gives each size still open a name of its own, and turns sizes into SymPy."""

    def __init__(self, taken: Sequence[Any] = ()) -> None:
        self._named: dict[int, tuple[Size, Any]] = {}
        self._taken = {*_RESERVED, *map(str, taken)}

    def name(self, size: Size, wanted: str) -> None:
        """Names every open leaf of a size (a declared one by its declaration)."""
        for leaf in size.leaves():
            if leaf.fixed is None and id(leaf) not in self._named:
                text = wanted if wanted in ("hidden", "input") else leaf.declared or wanted
                while text in self._taken or not text.isidentifier():
                    text += "_size" if text in _RESERVED else "_"
                self._taken.add(text)
                self._named[id(leaf)] = (leaf, sp.Symbol(text, integer=True, positive=True))

    def keep(self, size: Size, symbol: Any) -> None:
        """An open size that came in as a SymPy symbol keeps it."""
        for leaf in size.leaves():
            if leaf.fixed is None:
                self._named.setdefault(id(leaf), (leaf, symbol))

    def sympy(self, size: Size) -> Any:
        leaves = list(size.leaves())
        for leaf in leaves:
            self.name(leaf, "size")
        return sp.Add(*(leaf.fixed if leaf.fixed is not None else self._named[id(leaf)][1] for leaf in leaves))


class Builder:
    """Typed trees -> SymPy."""

    def __init__(self, names: SizeNames) -> None:
        self.names = names

    def shape(self, typed: Typed) -> tuple[Any, Any]:
        return self.names.sympy(typed.rows), self.names.sympy(typed.columns)

    def symbol(self, quantity: Quantity, suffix: str = "") -> Any:
        """The quantity's SymPy symbol: given from outside, or made of its name and size."""
        if quantity.given is not None:
            return quantity.given
        if quantity.kind == SCALAR:
            return sp.Symbol(quantity.name + suffix, real=True)
        rows, columns = quantity.size or (ONE, ONE)
        return sp.MatrixSymbol(quantity.name + suffix, self.names.sympy(rows), self.names.sympy(columns))

    def build(self, typed: Typed) -> Any:
        return _BUILDS[typed.op](self, typed, [self.build(argument) for argument in typed.args])

    def reference(self, typed: Typed, args: list[Any]) -> Any:
        quantity, shift = typed.data
        old = quantity.defined and shift is not None and shift == (quantity.defined_at or 0) - 1
        return self.symbol(quantity, "_prev" if old else "")

    def spread(self, typed: Typed, args: list[Any]) -> Any:
        rows, columns = self.shape(typed)
        if args[0] == 0:
            return sp.ZeroMatrix(rows, columns)
        ones = sp.OneMatrix(rows, columns)
        return ones if args[0] == 1 else expressions.multiply(args[0], ones)

    def sum(self, typed: Typed, args: list[Any]) -> Any:
        if typed.kind in (SCALAR, NUMBER):
            return sp.Add(*(sign * arg for sign, arg in zip(typed.data, args, strict=True)))
        return expressions.add(*(arg if sign > 0 else _negative(arg) for sign, arg in zip(typed.data, args, strict=True)))

    def multiply(self, typed: Typed, args: list[Any]) -> Any:
        return sp.Mul(*args) if typed.kind in (SCALAR, NUMBER) else expressions.multiply(*_flat(args))

    def open(self, typed: Typed, args: list[Any]) -> Any:
        return expressions.OpenFunction(typed.data.name, args[0], self.names.sympy(typed.rows))


def _negative(arg: Any) -> Any:
    return expressions.multiply(sp.S.NegativeOne, *_flat([arg]))


def _flat(args: list[Any]) -> list[Any]:
    """Products inside a product dissolved: they act from the right in any case."""
    return [factor for arg in args for factor in (arg.args if isinstance(arg, sp.MatMul) else (arg,))]


_BUILDS: dict[str, Any] = {
    "symbol": Builder.reference,
    "number": lambda self, typed, args: sp.Rational(typed.data.numerator, typed.data.denominator),
    "identity": lambda self, typed, args: sp.Identity(self.shape(typed)[0]),
    "spread": Builder.spread,
    "sum": Builder.sum,
    "multiply": Builder.multiply,
    "inverse": lambda self, typed, args: sp.Pow(args[0], -1),
    "hadamard": lambda self, typed, args: expressions.hadamard(*args),
    "quotient": lambda self, typed, args: expressions.Quotient(*args),
    "transpose": lambda self, typed, args: sp.Transpose(args[0]),
    "dot": lambda self, typed, args: expressions.Dot(*args),
    "apply": lambda self, typed, args: expressions.apply(typed.data, args[0]),
    "open": Builder.open,
    "column": lambda self, typed, args: expressions.concatenate(*args),
}
