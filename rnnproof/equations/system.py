"""From parsed equations to systems: which equations belong together, and what they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnnproof.equations import symbols
from rnnproof.equations.source import Printed
from rnnproof.equations.symbols import Key
from rnnproof.equations.syntax_tree import Group, Node, Product, Relation, Symbol

OPEN_NAMES = ("f", "g", "phi", "varphi", "psi", "Phi", "Psi", "F", "G", "H")


@dataclass(frozen=True)
class Definition:
    """A parsed equation: `target` is what it defines, `argument` is set where it prints a function's body."""

    printed: Printed
    relation: Relation
    target: Symbol
    argument: Symbol | None = None

    @property
    def right(self) -> Node:
        return self.relation.right


@dataclass(eq=False)
class Quantity:
    """One thing the equations speak of, filled in by and by; `kind` is "scalar", "vector", "matrix" or None (unknown yet).

    `elementwise` is of a function left open, `applied` of what an equation makes by an activation.
    """

    key: Key
    name: str
    tex: str
    at: int
    kind: str | None = None
    source: Any = None
    shifts: dict[int, tuple[int, str, Any]] = field(default_factory=dict)
    defined_at: int | None = None
    defined: bool = False
    size: tuple[Any, Any] | None = None
    given: Any = None
    elementwise: bool = False
    applied: bool = False

    @property
    def carries_index(self) -> bool:
        return bool(self.key.index)


@dataclass(frozen=True)
class Ref(Node):
    quantity: Quantity
    shift: int | None


@dataclass(frozen=True)
class Eye(Node):
    """The identity matrix, its size from use."""


@dataclass(frozen=True)
class Call(Node):
    """`function` is an Activation, or a Quantity where the function is open."""

    function: Any
    argument: Node


@dataclass(frozen=True)
class Statement:
    """A resolved equation `target = right`; for a function's body, `target` is the function and `argument` its local name."""

    source: Any
    target: Quantity
    right: Any
    argument: Quantity | None = None


def definition(printed: Printed, relation: Relation) -> Definition | None:
    """The equation as a definition, or None where its left side is neither a symbol nor a function of one."""
    left = relation.left
    if isinstance(left, Symbol):
        return Definition(printed, relation, left)
    if isinstance(left, Product) and left.sign == "" and len(left.factors) == 2:
        function, group = left.factors
        if isinstance(function, Symbol) and isinstance(group, Group) and isinstance(group.inner, Symbol):
            return Definition(printed, relation, function, group.inner)
    return None


def movers(definitions: Sequence[Definition]) -> set[str]:
    """The letters that any symbol of these equations shows shifted."""
    return set().union(*(symbols.moving(s) for d in definitions for s in symbols.symbols(d.relation)))


def together(definitions: Sequence[Definition], letters: set[str], defined_only: bool = False) -> list[list[Definition]]:
    """The equations grouped by the symbols they share, each group and the groups in document order.

    With `defined_only` those count that have an equation here: two recurrences with one input and one matrix are two cells.
    """
    defined = {symbols.identify(d.target, letters)[0] for d in definitions}
    groups: list[tuple[set[Key], list[Definition]]] = []
    for definition in definitions:
        keys = {key for key in _keys(definition, letters) if not defined_only or key in defined}
        joined = [definition]
        for group in [g for g in groups if g[0] & keys]:
            groups.remove(group)
            keys |= group[0]
            joined = [*group[1], *joined]
        groups.append((keys, joined))
    order = {id(definition): place for place, definition in enumerate(definitions)}
    ordered = [sorted(group, key=lambda definition: order[id(definition)]) for _, group in groups]
    return sorted(ordered, key=lambda group: order[id(group[0])])


def unread(definitions: Sequence[Definition], letters: set[str]) -> list[Definition]:
    """Equations that define something without an index which no other equation reads, such as $h_0 = 0$."""
    remaining = list(definitions)
    dropped: list[Definition] = []
    while True:
        reads = [(definition, set(_reads(definition, letters))) for definition in remaining]
        idle = []
        for definition in remaining:
            key = symbols.identify(definition.target, letters)[0]
            if not key.index and not any(key in keys for other, keys in reads if other is not definition):
                idle.append(definition)
        if not idle:
            return dropped
        remaining = [definition for definition in remaining if not any(definition is other for other in idle)]
        dropped += idle


def _keys(definition: Definition, letters: set[str]) -> Iterator[Key]:
    yield symbols.identify(definition.target, letters)[0]
    yield from _reads(definition, letters)


def _reads(definition: Definition, letters: set[str]) -> Iterator[Key]:
    argument = symbols.identify(definition.argument, letters) if definition.argument else None
    for symbol in symbols.symbols(definition.right):
        if not symbols.is_named_function(symbol) and symbol.printed != "I" and symbols.identify(symbol, letters) != argument:
            yield symbols.identify(symbol, letters)[0]
