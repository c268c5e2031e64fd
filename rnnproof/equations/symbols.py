"""Which printed symbols are the same thing, what they are called, and at which step they are read.

A script's letter is an index where somewhere in the system it appears shifted (t-1, l+1); every other script is a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from rnnproof.equations import activations
from rnnproof.equations.subscripts import Script
from rnnproof.equations.syntax_tree import Node, Symbol

_MARKS = {"*": "star", "+": "plus", "-": "minus"}
_GLUED = re.compile("(?:prime|star|plus|minus)+")
_BRACKETS = {("(", ")"), ("<", ">"), ("[", "]")}


@dataclass(frozen=True)
class Key:
    """A symbol's identity: base, labels below and above, and the letters of its indices."""

    base: str
    below: tuple[str, ...]
    above: tuple[str, ...]
    index: tuple[str, ...]

    @property
    def name(self) -> str:
        """The printed name as an identifier; the index drops."""
        glued = [label for label in self.above if _GLUED.fullmatch(label)]
        return "_".join(("".join((self.base, *glued)), *self.below, *(label for label in self.above if label not in glued)))


def moving(symbol: Symbol) -> set[str]:
    """The letters that a symbol shows shifted, such as the t of h_{t-1}."""
    shifts = (_shift(part) for script in symbol.scripts for part in script.parts)
    return {shift[0] for shift in shifts if shift and shift[1]}


def counting(symbol: Symbol) -> set[str]:
    """The letters in its scripts that could count steps, shifted or not."""
    shifts = (_shift(part) for script in symbol.scripts for part in script.parts)
    return {shift[0] for shift in shifts if shift}


def identify(symbol: Symbol, letters: Iterable[str]) -> tuple[Key, int | None]:
    """The identity of a symbol where `letters` are indices, and its shift (None where it carries no index)."""
    below: list[str] = []
    above: list[str] = []
    index: list[str] = []
    shift: int | None = None
    for script in symbol.scripts:
        for part in script.parts:
            moved = _shift(part)
            if moved and moved[0] in letters:
                index.append(moved[0])
                shift = moved[1] if not shift else shift
            else:
                (below if script.place == "_" else above).append(_label(part))
    return Key(symbol.base, tuple(filter(None, below)), tuple(filter(None, above)), tuple(index)), shift


def is_named_function(symbol: Symbol) -> bool:
    """Whether a symbol is the name of a known elementwise function."""
    known = symbol.word or symbol.base in ("sigma", "tanh", "exp")
    return known and not symbol.scripts and activations.find(symbol.base) is not None


def symbols(node: Any) -> Iterator[Symbol]:
    """Every symbol of a tree, in print order."""
    if isinstance(node, Symbol):
        yield node
    for child in children(node):
        yield from symbols(child)


_NAMES: dict[type[Any], tuple[str, ...]] = {}


def _names(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a class of nodes, looked up once."""
    if kind not in _NAMES:
        _NAMES[kind] = tuple(entry.name for entry in fields(kind))
    return _NAMES[kind]


def children(node: Any) -> Iterator[Any]:
    """The nodes directly below a node."""
    for name in _names(type(node)):
        value = getattr(node, name)
        for item in value if isinstance(value, tuple) else (value,):
            inner = item[1] if isinstance(item, tuple) else item
            if isinstance(inner, Node):
                yield inner


def fingerprint(node: Any) -> Any:
    """What two printings of one expression share: all but place, fonts and brackets' kinds."""
    if isinstance(node, Node | Script):
        names = [name for name in _names(type(node)) if name not in ("at", "tex", "bracket", "word", "matrix")]
        return (type(node).__name__, *(fingerprint(getattr(node, name)) for name in names))
    return tuple(map(fingerprint, node)) if isinstance(node, tuple) else node


def _shift(part: tuple[str, ...]) -> tuple[str, int] | None:
    """(letter, shift) of `t`, `t-1`, `(l+1)`, `<t-2>`; None for anything else."""
    while len(part) > 2 and (part[0], part[-1]) in _BRACKETS:
        part = part[1:-1]
    if len(part) == 1 and part[0].isalpha():
        return part[0], 0
    if len(part) == 3 and part[0].isalpha() and part[1] in ("+", "-") and part[2].isdigit():
        return part[0], int(part[1] + part[2])
    return None


def _label(part: tuple[str, ...]) -> str:
    return "".join(_MARKS.get(atom, atom) for atom in part if atom.isidentifier() or atom.isdigit() or atom in _MARKS)
