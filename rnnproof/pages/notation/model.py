"""What the page on notation is made of: examples that are read, spellings that give the same, refusals with a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import sympy as sp

from rnnproof.equations import expressions, reader
from rnnproof.equations.binding import bind
from rnnproof.equations.cell import Cell
from rnnproof.equations.reader import Reading
from rnnproof.equations.source import Page
from rnnproof.errors import EquationError
from rnnproof.pages.blocks import Block
from rnnproof.pages.message import Text


@dataclass(frozen=True)
class Spelling:
    """Another way to write an example: what the page shows of it, and the whole text."""

    shown: str
    text: str


@dataclass(frozen=True)
class Example:
    """A document that a person could paste, and what it promises.

    `expects` has a line for each cell, `states | input | parameters with shapes`, such as `h | x | W(hidden,input) b(hidden)`,
    with a star before a parameter that has a value for each step. `also` are spellings of the same cell. `forward` prints one
    step as it was understood; `gradients` and `jacobians` name lines of the derivation; `bodies` are bound to functions left
    open; `over` lists the mathematics that is part of no cell.
    """

    name: str
    says: Text
    text: str
    expects: tuple[str, ...]
    also: tuple[Spelling, ...] = ()
    forward: bool = False
    gradients: tuple[str, ...] = ()
    jacobians: tuple[tuple[str, str], ...] = ()
    bodies: tuple[tuple[str, str], ...] = ()
    over: bool = False
    file: str = "notes.md"


@dataclass(frozen=True)
class Refusal:
    """An equation that is no notation here: words of the reader's message, how to say it, and an equation that does (or "")."""

    text: str
    message: str
    says: Text
    instead: str = ""


def nothing() -> tuple[Block, ...]:
    """No further blocks."""
    return ()


@dataclass(frozen=True)
class Section:
    """A part of the page, linked to by its name; `more` makes the blocks behind its examples when the page is made."""

    name: str
    title: Text
    says: Text
    examples: tuple[Example, ...] = ()
    more: Callable[[], Iterable[Block]] = nothing


def spelled(*texts: str) -> tuple[Spelling, ...]:
    """Whole texts that give the same cell."""
    return tuple(Spelling(text, text) for text in texts)


def in_place(text: str, part: str, *others: str) -> tuple[Spelling, ...]:
    """The text with others in the place of a part."""
    return tuple(Spelling(other.strip(), text.replace(part, other)) for other in others)


def reading(text: str, file: str = "notes.md") -> Reading:
    """What the reader makes of a text, as it stands in a file of that name. Raises EquationError."""
    return reader.read_page(Page(file, text), PurePath(file).stem, whole=True)


def cells(example: Example) -> tuple[Cell, ...]:
    """An example's cells, its bodies bound."""
    return tuple(bind(cell, **dict(example.bodies)) for cell in reading(example.text, example.file).cells)


def refused(text: str) -> EquationError | None:
    """The reader's error for a text, None where it reads it."""
    try:
        reading(text)
    except EquationError as error:
        return error
    return None


def alike(cell: Cell, other: Cell) -> bool:
    """Whether two cells have the same states, input, parameters, equations and bodies, however they were printed."""
    return _structure(cell) == _structure(other)


def _structure(cell: Cell) -> tuple[object, ...]:
    equations = tuple((equation.symbol, equation.expression) for equation in cell.equations)
    bodies = tuple((body.name, _renamed(body.expression, body.argument)) for body in cell.bodies)
    return cell.states, cell.parameters, cell.inputs, cell.constants, equations, bodies


def _renamed(expression: Any, argument: Any) -> Any:
    """A body with its argument under a name of its own."""
    name = sp.MatrixSymbol("argument", *argument.shape)
    return expressions.rewrite(expression, lambda node: name if node == argument else None)


def same(example: Example, spelling: Spelling) -> bool:
    """Whether a spelling gives the example's cells."""
    try:
        others = reading(spelling.text, example.file).cells
    except EquationError:
        return False
    mine = reading(example.text, example.file).cells
    return len(mine) == len(others) and all(map(alike, mine, others))
