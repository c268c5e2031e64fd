"""Which step of the computation a printed index means: h_{t+1} = F(h_t, x_t) reads x_t in the step that makes h_{t+1}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rnnproof.equations import expressions, steps, symbols
from rnnproof.equations.cell import Cell, Equation, State
from rnnproof.equations.syntax import parse
from rnnproof.equations.syntax_tree import Fault


def step_offsets(cell: Cell) -> dict[str, int]:
    """For each symbol with an index the steps from the printed one to that in which it is computed or read.

    The step that makes a state has the number that the state is printed with, so a state's offset is 0. With
    h_{t+1} = F(h_t, x_t) the offset of x is 1.
    """
    carried = {state.new.name: state for state in cell.states if state.old is not None}
    offsets = dict.fromkeys(carried, 0)
    waiting = list(cell.equations)
    for _ in cell.equations:
        for equation in list(waiting):
            printed = _printed(equation, cell.index)
            number = _number(equation, printed, carried, offsets)
            if number is not None:
                waiting.remove(equation)
                for name, shift in printed:
                    offsets.setdefault(name, number - shift)
    return offsets


def _number(
    equation: Equation, printed: Sequence[tuple[str, int]], carried: Mapping[str, State], offsets: Mapping[str, int]
) -> int | None:
    """The step that an equation belongs to, counted from the letter; None where nothing in it says so."""
    read = {symbol.name for symbol in expressions.symbols(equation.expression)}
    for place, (name, shift) in enumerate(printed):
        if name in carried and place > 0:
            old = carried[name].old
            latest = max(other for same, other in printed if same == name)
            before = old is not None and old.name in read and not (name in read and shift == latest)
            return shift + before
        if name in offsets:
            return shift + offsets[name]
    return None


def _printed(equation: Equation, letter: str) -> list[tuple[str, int]]:
    """(name, shift) of every symbol with an index in an equation as printed, its target first."""
    try:
        relation = steps.as_index(parse(equation.tex, "equation"), {letter})
    except Fault:
        return []
    found = (symbols.identify(symbol, {letter}) for symbol in symbols.symbols(relation))
    return [(key.name, shift) for key, shift in found if shift is not None]
