"""What the reader makes of the examples on the page on notation, as the page prints it: in no language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import PurePath
from typing import Any

import sympy as sp

import rnnproof as rp
from rnnproof.equations import catalogue, expressions, reader
from rnnproof.equations.cell import Cell
from rnnproof.equations.reader import Reading
from rnnproof.equations.source import Page
from rnnproof.errors import EquationError


def reading(text: str, file: str = "notes.md") -> Reading:
    """What the reader makes of a text, as it stands in a file of that name. Raises EquationError."""
    return reader.read_page(Page(file, text), PurePath(file).stem, whole=True)


def refused(text: str) -> EquationError | None:
    """The reader's error for a text, None where it reads it."""
    try:
        reading(text)
    except EquationError as error:
        return error
    return None


def described(cells: Iterable[Cell]) -> str:
    """A line for each role of each cell, with sizes, and its name in the catalogue."""
    found = tuple(cells)
    return "\n".join((f"{cell.name}: " if len(found) > 1 else "") + _roles(cell) for cell in found)


def _roles(cell: Cell) -> str:
    states = {state.new for state in cell.states}
    roles = {
        "states": [_sized(state.name, state.new) for state in cell.states],
        "input": [_sized(x.name, x) for x in cell.inputs],
        "constants": [_sized(constant.name, constant) for constant in cell.constants],
        "on the way": [_sized(e.symbol.name, e.symbol) for e in cell.equations if e.symbol not in states],
        "parameters": [_sized(p.name, p.symbol) + (" at each step" if p.per_step else "") for p in cell.parameters],
        "left open": list(cell.open_functions),
        "the catalogue's": [one.name for one in _catalogue() if alike(one, cell)],
    }
    return "\n".join(f"{role} {', '.join(names)}" for role, names in roles.items() if names)


def _sized(name: str, symbol: Any) -> str:
    if not getattr(symbol, "is_Matrix", False):
        return f"{name}()"
    return f"{name}({', '.join(str(size) for size in symbol.shape if size != 1)})"


@cache
def _catalogue() -> tuple[Cell, ...]:
    return tuple(map(catalogue.load, catalogue.names()))


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


def bound(cell: Cell, code: str) -> Cell:
    """The cell after `cell = rp.bind(cell, f=r"...")`."""
    match ast.parse(code).body:
        case [ast.Assign(value=ast.Call(keywords=keywords))]:
            bodies = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
            return rp.bind(cell, **bodies)
    raise AssertionError(f"{code} binds nothing")


def formulas(cell: Cell) -> set[str]:
    """Every formula that the page may show of a cell: the lines of its derivation, its gradients, its Jacobians in one line."""
    derivation = rp.derive(cell)
    initial = [f"{state.name}_0" for state in cell.states if state.old is not None]
    gradients = [derivation.gradient(of).tex for of in (*(p.name for p in cell.parameters), *initial)]
    return {*(step.tex for step in derivation.steps), *gradients, *(one.tex for one in derivation.jacobians)}


def spellings(text: str) -> list[str]:
    """The texts of a fence of spellings, apart by blank lines where any of them takes several lines."""
    return re.split(r"\n{2,}(?=\S)", text) if "\n\n" in text else text.split("\n")
