"""Where the step stands: in an index, in an argument, h(t-1), or in a mark, h' and h_{prev}; all are made one thing, an index.

Also which of two letters that move is the step: the other one counts layers, and is a label like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from rnnproof.equations import symbols
from rnnproof.equations.subscripts import Script
from rnnproof.equations.syntax import is_step
from rnnproof.equations.syntax_tree import Group, Node, Number, Product, Sum, Symbol, Transposed
from rnnproof.equations.system import Definition

INPUT_LETTERS = ("x", "u")
_TIME = ("t", "tau", "n", "k", "s", "i")
_NEW = {("prime",), ("new",), ("next",)}
_OLD = {("prev",), ("previous",), ("old",), ("last",), ("pre",)}


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """The tree, bottom up, with `change` of every node."""
    values = {}
    for entry in fields(node):
        value = getattr(node, entry.name)
        if isinstance(value, Node):
            values[entry.name] = rebuilt(value, change)
        elif isinstance(value, tuple):
            values[entry.name] = tuple(_item(item, change) for item in value)
    return change(replace(node, **values) if values else node)


def _item(item: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(item, Node):
        return rebuilt(item, change)
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Node):
        return (item[0], rebuilt(item[1], change))
    return item


# arguments


def as_indices(trees: Sequence[Any]) -> list[Any]:
    """The trees with h(t) and h[t-1] as symbols with an index, for every letter that some argument shows shifted."""
    letters = {letter for tree in trees for letter in _shifted_arguments(tree)}
    if not letters:
        return list(trees)
    return [rebuilt(tree, lambda node: _indexed(node, letters)) for tree in trees]


def _shifted_arguments(node: Any) -> Iterator[str]:
    if isinstance(node, Product) and node.sign == "":
        for symbol, bracket in zip(node.factors, node.factors[1:], strict=False):
            inner = _bracket(bracket)
            if isinstance(symbol, Symbol) and isinstance(inner, Sum) and not symbols.is_named_function(symbol):
                yield inner.terms[0][1].base  # type: ignore[attr-defined]  # `is_step` found a letter there
    for child in symbols.children(node):
        yield from _shifted_arguments(child)


def _bracket(node: Any) -> Any:
    """What a step's bracket holds, or None."""
    group = node.inner if isinstance(node, Transposed) else node
    return group.inner if isinstance(group, Group) and group.bracket in ("(", "[") and is_step(group) else None


def _indexed(node: Any, letters: set[str]) -> Any:
    if not isinstance(node, Product) or node.sign:
        return node
    factors: list[Any] = []
    for factor in node.factors:
        inner, before = _bracket(factor), factors[-1] if factors else None
        script = _step(inner, factor, letters) if inner is not None else None
        if script and isinstance(before, Symbol) and not symbols.is_named_function(before):
            stepped = replace(before, scripts=(*before.scripts, script))
            factors[-1] = Transposed(before.at, stepped) if isinstance(factor, Transposed) else stepped
        else:
            factors.append(factor)
    return replace(node, factors=tuple(factors)) if len(factors) > 1 else factors[0]


def _step(inner: Any, factor: Any, letters: set[str]) -> Script | None:
    letter, sign, number = inner, 0, None
    if isinstance(inner, Sum):
        (_, letter), (sign, number) = inner.terms
    if letter.base not in letters:
        return None
    group = factor.inner if isinstance(factor, Transposed) else factor
    opening, closing = ("(", ")") if group.bracket == "(" else ("[", "]")
    if not isinstance(number, Number):
        return Script("(", ((letter.base,),), f"{opening}{letter.tex}{closing}")
    mark = "+" if sign > 0 else "-"
    return Script("(", ((letter.base, mark, number.text),), f"{opening}{letter.tex}{mark}{number.text}{closing}")


# marks


def marked(trees: Sequence[Any]) -> list[Any]:
    """The trees with h' and h, or h and h_{prev}, as one symbol at two steps, where no letter moves at all."""
    every = [symbol for tree in trees for symbol in symbols.symbols(tree)]
    if any(symbols.moving(symbol) for symbol in every):
        return list(trees)
    targets = {_bare(tree.left) for tree in trees if isinstance(getattr(tree, "left", None), Symbol)}
    read = {_bare(symbol) for tree in trees if hasattr(tree, "right") for symbol in symbols.symbols(tree.right)}
    new = {bare for bare, mark in targets if mark == "new" and (bare, "") in read and (bare, "") not in targets}
    old = {bare for bare, mark in read if mark == "old" and {(bare, ""), (bare, "new")} & targets}
    if not new | old:
        return list(trees)
    defined = {bare for bare, _ in targets}

    def change(node: Any) -> Any:
        if not isinstance(node, Symbol):
            return node
        bare, mark = _bare(node)
        if bare in new | old:
            shift = {"new": 0, "old": -1}.get(mark, -1 if bare in new else 0)
            kept = tuple(s for s in node.scripts if not _mark(s) and s.parts != (("t",),))
            printed = "".join(s.printed for s in node.scripts if _mark(s) or s.parts == (("t",),))
            return replace(node, scripts=(*kept, Script("", (("t", "-", "1") if shift else ("t",),), printed)))
        if not node.scripts and node.base in INPUT_LETTERS and bare not in defined:
            return replace(node, scripts=(Script("", (("t",),), ""),))
        return node

    return [rebuilt(tree, change) for tree in trees]


def _mark(script: Script) -> str:
    if len(script.parts) == 1:
        if script.parts[0] in _NEW:
            return "new"
        if script.parts[0] in _OLD:
            return "old"
    return ""


def _bare(symbol: Symbol) -> tuple[Any, str]:
    """A symbol without the mark of its step, and the mark."""
    marks = [_mark(script) for script in symbol.scripts]
    kept = tuple(s.parts for s, mark in zip(symbol.scripts, marks, strict=True) if not mark and s.parts != (("t",),))
    return (symbol.base, kept), "".join(marks)


# letters


def step_letter(definitions: Iterable[Definition]) -> str | None:
    """The letter along which something is defined and read at the step before; of several, the customary one."""
    definitions = list(definitions)
    letters: set[str] = set()
    for definition in definitions:
        for symbol in symbols.symbols(definition.relation):
            letters |= symbols.moving(symbol)
    found = [letter for letter in sorted(letters) if _recurs(definitions, letter)]
    found = found or sorted(letters)
    return min(found, key=lambda letter: _TIME.index(letter) if letter in _TIME else len(_TIME), default=None)


def _recurs(definitions: Sequence[Definition], letter: str) -> bool:
    defined = {}
    for definition in definitions:
        key, shift = symbols.identify(definition.target, {letter})
        if shift is not None:
            defined[key] = shift
    for definition in definitions:
        for symbol in symbols.symbols(definition.right):
            key, shift = symbols.identify(symbol, {letter})
            if key in defined and shift is not None and shift < defined[key]:
                return True
    return False
