r"""What a document declares of its symbols, as W \in R^{m x n}: their kinds and the names of their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnproof.equations import symbols
from rnnproof.equations.resolver import Resolver
from rnnproof.equations.size_inference import ONE, Size
from rnnproof.equations.source import Printed
from rnnproof.equations.syntax_tree import AnySize, Declaration, Fault, Number, Symbol, blame
from rnnproof.equations.type_inference import MATRIX, SCALAR, VECTOR

Declared = Sequence[tuple[Printed, Declaration]]


def declare(resolver: Resolver, declarations: Declared) -> list[str]:
    """Give declared quantities their kind and the names of their sizes; returns what is declared as a minibatch of rows."""
    named: dict[str, Size] = {}
    rows = _minibatch(resolver, declarations)
    for printed, declaration in declarations:
        with blame(printed):
            _declare(resolver, declaration, named, rows)
    if not rows:
        return []
    declared = [
        s for _, d in declarations if d.extent and _size_name(d.extent[0]) == rows for s in d.symbols if isinstance(s, Symbol)
    ]
    return [s.printed for s in declared if symbols.identify(s, resolver.letters)[0] in resolver.quantities]


def _minibatch(resolver: Resolver, declarations: Declared) -> str:
    """The first size of everything that carries the step, where each has two sizes and nothing else has that one.

    A state or an input is among them: a weight of each step has two sizes too.
    """
    rows: set[str] = set()
    flows = False
    others: set[str] = set()
    for _, declaration in declarations:
        sizes = [_size_name(entry) for entry in declaration.extent]
        for symbol in declaration.symbols:
            carries = isinstance(symbol, Symbol) and bool(symbols.identify(symbol, resolver.letters)[0].index)
            if isinstance(symbol, Symbol) and carries and len(sizes) == 2:
                rows.add(sizes[0])
                others.add(sizes[1])
                quantity = resolver.quantities.get(symbols.identify(symbol, resolver.letters)[0])
                flows |= quantity is not None and (quantity.defined or quantity.key.base in ("x", "X", "u"))
            else:
                others |= {*sizes, ""} if carries else set(sizes)
    return rows.pop() if flows and len(rows) == 1 and "" not in others and not rows & others else ""


def _size_name(entry: Any) -> str:
    return (
        "" if isinstance(entry, AnySize) else entry.text if isinstance(entry, Number) else symbols.identify(entry, ())[0].name
    )


def _declare(resolver: Resolver, declaration: Declaration, named: dict[str, Size], rows_of: str) -> None:
    sizes: list[Size] = []
    for entry in declaration.extent:
        if isinstance(entry, AnySize):
            sizes.append(Size("a declared size"))
        elif isinstance(entry, Number):
            if entry.text != "1":
                sizes.append(Size("a declared size"))  # that two are 128 does not make them one
            else:
                sizes.append(ONE)
        else:
            text = _size_name(entry)
            sizes.append(named.setdefault(text, Size(text, declared=text)))
    if rows_of and len(sizes) == 2 and (sizes[0] is ONE or sizes[0].declared == rows_of):
        sizes = sizes[1:]  # a row of a minibatch is one vector
    for symbol in declaration.symbols:
        if not isinstance(symbol, Symbol):
            raise Fault(symbol.at, "a declaration names plain symbols; write them without products or transposes")
        quantity = resolver.quantities.get(symbols.identify(symbol, resolver.letters)[0])
        if quantity is None:
            continue
        rows, columns = [*sizes, ONE, ONE][:2]
        if len(sizes) > 2 or (rows is ONE and columns is not ONE):
            raise Fault(symbol.at, f"{symbol.printed} is declared as neither a column nor a matrix; write R^n for a vector")
        quantity.kind = MATRIX if columns is not ONE else VECTOR if rows is not ONE else SCALAR
        quantity.size = (rows, columns)
