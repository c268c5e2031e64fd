"""The expression trees of random cells; they share nothing with the package that is tested.

A dimension is a name, or a tuple of dimensions where vectors stand one below the other. A node's `dims` are () for a scalar,
(rows,) for a vector and (rows, columns) for a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cache, cached_property
from typing import Any, TypeAlias

Dim: TypeAlias = "str | tuple[Dim, ...]"
Dims: TypeAlias = "tuple[Dim, ...]"


@dataclass(frozen=True)
class Symbol:
    """`role` is parameter, input, state, value (made on the way), output (a state nobody reads) or argument (of a function)."""

    key: str
    role: str
    dims: Dims


@dataclass(frozen=True)
class Node:
    dims: Dims


@dataclass(frozen=True)
class Number(Node):
    value: Fraction


@dataclass(frozen=True)
class Read(Node):
    """`old` reads a state at the step before."""

    symbol: Symbol
    old: bool = False


@dataclass(frozen=True)
class Eye(Node):
    """The identity matrix."""


@dataclass(frozen=True)
class Sum(Node):
    """Numbers and scalars among vectors are the same in every entry."""

    signs: tuple[int, ...]
    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Product(Node):
    """A matrix by a matrix or vector, or a scalar by anything."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Hadamard(Node):
    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Quotient(Node):
    """`under` is a scalar, or an array of the same dimensions: then entry by entry."""

    over: Node
    under: Node


@dataclass(frozen=True)
class Transpose(Node):
    inner: Node


@dataclass(frozen=True)
class Dot(Node):
    """The transposed vector `left` by the vector `right`: a scalar."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Apply(Node):
    """An elementwise function, by its name."""

    function: str
    inner: Node


@dataclass(frozen=True)
class Call(Node):
    """A function that the equations leave open, by its number in `Recipe.bodies`."""

    number: int
    inner: Node


@dataclass(frozen=True)
class Stack(Node):
    """Vectors one below the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Body:
    """What an open function computes of its argument."""

    argument: Symbol
    tree: Node


@dataclass(frozen=True)
class Recipe:
    """A random cell: `equations` in order of evaluation; `positive` are parameters that something is divided by."""

    equations: tuple[tuple[Symbol, Node], ...]
    bodies: tuple[Body, ...] = ()
    per_step: frozenset[Symbol] = frozenset()
    positive: frozenset[Symbol] = frozenset()
    spare: tuple[tuple[Symbol, Node], ...] = ()

    @property
    def trees(self) -> tuple[Node, ...]:
        """Everything that the cell computes."""
        return (*(tree for _, tree in self.equations), *(body.tree for body in self.bodies))

    @cached_property
    def _symbols(self) -> tuple[Symbol, ...]:
        defined = dict.fromkeys(symbol for symbol, _ in self.equations)
        read = dict.fromkeys(node.symbol for tree in self.trees for node in walk(tree) if isinstance(node, Read))
        return tuple({**defined, **read})

    def symbols(self, *roles: str) -> tuple[Symbol, ...]:
        """The symbols of these roles, each once, in the order of their first appearance."""
        return tuple(symbol for symbol in self._symbols if symbol.role in roles)


@cache
def _names(kind: type[Node]) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind) if entry.name not in ("dims", "signs"))


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below a node."""
    for name in _names(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Node))


def child_fields(node: Node) -> Iterator[tuple[str, Node | tuple[Node, ...]]]:
    """The fields that hold nodes, or several of them."""
    for name in _names(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node) or (isinstance(value, tuple) and value and isinstance(value[0], Node)):
            yield name, value


def substituted(tree: Node, old: Symbol, new: Symbol) -> Node:
    """The tree with one symbol in place of another."""
    if isinstance(tree, Read):
        return replace(tree, symbol=new) if tree.symbol == old else tree
    changes: dict[str, Any] = {}
    for name, value in child_fields(tree):
        single = isinstance(value, Node)
        changes[name] = substituted(value, old, new) if single else tuple(substituted(item, old, new) for item in value)
    return replace(tree, **changes)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def length(dim: Dim, sizes: Mapping[str, int]) -> int:
    """How many entries a dimension has."""
    return sizes[dim] if isinstance(dim, str) else sum(length(part, sizes) for part in dim)


def atoms(dim: Dim) -> Iterator[str]:
    """The names a dimension is made of."""
    if isinstance(dim, str):
        yield dim
    else:
        for part in dim:
            yield from atoms(part)


def multiplied(node: Node) -> Iterator[Symbol]:
    """The symbols that some product of the tree multiplies by a matrix, through sums, products and stacks alone."""
    if isinstance(node, Product) and len(node.left.dims) == 2:
        yield from _linear(node.right)
    for child in children(node):
        yield from multiplied(child)


def _linear(node: Node) -> Iterator[Symbol]:
    if isinstance(node, Read):
        yield node.symbol
    elif isinstance(node, Sum | Product | Hadamard | Stack):
        for child in children(node):
            yield from _linear(child)
