"""What the reader made of a text, as blocks: roles and sizes, and lines of the derivation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rnnproof.calculus.lines import Part, lines_of
from rnnproof.equations import expressions
from rnnproof.equations.cell import Cell
from rnnproof.pages.blocks import Block, Bullets, Formula, Paragraph
from rnnproof.pages.message import SEMICOLON, Text, listed, say


def result(cell: Cell, catalogued: str = "", forward: bool = False) -> Iterator[Block]:
    """A cell's roles, its name in the catalogue where it has one, and its step where that is asked for."""
    named = [say("**in the catalogue** `{name}`", name=catalogued)] if catalogued else []
    yield Paragraph(say("Read: {roles}.", roles=listed([*roles(cell), *named], SEMICOLON)))
    yield from lines(cell, forward)


def results(cells: Iterable[Cell]) -> Iterator[Block]:
    """The roles of several cells, by their names."""
    yield Bullets(tuple(say("`{cell}`: {roles}.", cell=cell.name, roles=listed(roles(cell), SEMICOLON)) for cell in cells))


def lines(
    cell: Cell, forward: bool = False, gradients: Iterable[str] = (), jacobians: Iterable[tuple[str, str]] = ()
) -> Iterator[Block]:
    """Lines of a cell's derivation: one step as it was understood, gradients, Jacobians."""
    derivation = lines_of(cell)
    if forward:
        yield from (Formula(step.tex) for step in derivation.steps if step.part is Part.FORWARD)
    yield from (Formula(derivation.gradient(of).tex) for of in gradients)
    yield from (Formula(derivation.jacobian(*pair).tex) for pair in jacobians)


def roles(cell: Cell) -> list[Text]:
    """Who is what in a cell, with sizes."""
    states = {state.new for state in cell.states}
    each = {parameter.symbol for parameter in cell.parameters if parameter.per_step}
    found: tuple[tuple[Text, list[Text]], ...] = (
        (say("**states**"), [_sized(state.name, state.new) for state in cell.states]),
        (say("**input**"), [_sized(x.name, x) for x in cell.inputs]),
        (say("**constants**"), [_sized(constant.name, constant) for constant in cell.constants]),
        (say("**on the way**"), [_sized(e.symbol.name, e.symbol) for e in cell.equations if e.symbol not in states]),
        (say("**parameters**"), [_sized(p.name, p.symbol, p.symbol in each) for p in cell.parameters]),
        (say("**left open**"), [f"`{name}`" for name in cell.open_functions]),
    )
    return [say("{role} {names}", role=role, names=listed(names)) for role, names in found if names]


def _sized(name: str, symbol: Any, each: bool = False) -> Text:
    rows, columns = expressions.shape_of(symbol)
    matrix = getattr(symbol, "is_Matrix", False)
    size: Text = say("a scalar") if not matrix else f"{rows}" if columns == 1 else f"{rows} × {columns}"
    values = {"name": name, "size": size}
    return say("`{name}` ({size}, one for each step)", **values) if each else say("`{name}` ({size})", **values)
