"""The syntax tree of an equation, and the fault that points into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rnnproof.equations.subscripts import Script


class Fault(Exception):
    """A fault at an offset of the equation; the reader turns it into an EquationError with line and caret."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at, self.message = at, message
        self.source: Any = None


@contextmanager
def blame(source: Any) -> Iterator[None]:
    """A Fault raised inside says which equation it is in."""
    try:
        yield
    except Fault as fault:
        fault.source = fault.source or source
        raise


@dataclass(frozen=True)
class Node:
    at: int


@dataclass(frozen=True)
class Number(Node):
    text: str


@dataclass(frozen=True)
class Symbol(Node):
    """A letter or word with its accents (`base`, spelt out) and scripts; `tex` is the base as printed.

    `word` where it is printed as a word; `matrix` where its entries are printed, W_{ij}, and so it is one.
    """

    base: str
    tex: str
    scripts: tuple[Script, ...] = ()
    word: bool = False
    matrix: bool = False

    @property
    def printed(self) -> str:
        return self.tex + "".join(s.printed for s in self.scripts)


@dataclass(frozen=True)
class Group(Node):
    bracket: str
    inner: Node


@dataclass(frozen=True)
class Column(Node):
    """Vectors one below the other."""

    bracket: str
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Sum(Node):
    terms: tuple[tuple[int, Node], ...]


@dataclass(frozen=True)
class Product(Node):
    """`sign`: "" for juxtaposition, "dot" for a dot or star, "hadamard" for a circle."""

    sign: str
    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Quotient(Node):
    """`entrywise` where it is printed so, by a slash in a circle."""

    over: Node
    under: Node
    entrywise: bool = False


@dataclass(frozen=True)
class Transposed(Node):
    inner: Node


@dataclass(frozen=True)
class Scripted(Node):
    """A bracket with a script: the entry j of what stands inside."""

    inner: Node
    scripts: tuple[Script, ...]


@dataclass(frozen=True)
class IndexSum(Node):
    """A sum over the entries that `letter` counts."""

    letter: str
    body: Node


@dataclass(frozen=True)
class Relation(Node):
    """`left = right`; `middle` are the members of a chain between them."""

    left: Node
    right: Node
    middle: tuple[Node, ...] = ()


@dataclass(frozen=True)
class AnySize(Node):
    """A size that is no single symbol, such as 2h."""


@dataclass(frozen=True)
class Declaration(Node):
    """`symbols` in R^extent; an empty extent declares scalars."""

    symbols: tuple[Node, ...]
    extent: tuple[Node, ...]


@dataclass(frozen=True)
class Mapping(Node):
    """The text given for an open function: `argument` (None where it is not named) and the body."""

    argument: Node | None
    body: Node
