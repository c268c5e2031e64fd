"""A catalogue cell -> the cell that a layer's options ask for: other activations, no biases, dropout masks, a sequence's mask.

Each option is one rewriting of the equations; the gradients follow from what comes out, as for any other cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.calculus.formula_tex import Printer
from rnnproof.equations import activations, catalogue, expressions
from rnnproof.equations.cell import Cell, Equation, Parameter, State
from rnnproof.generation import build


@dataclass(frozen=True)
class Recurrence:
    """What decides a recurrent layer's equations.

    `dropout` and `recurrent_dropout` say which masks there are: "" none, "shared" one for all gates, "gates" one for each.
    """

    cell: str
    activation: str
    recurrent_activation: str
    use_bias: bool = True
    dropout: str = ""
    recurrent_dropout: str = ""
    masked: bool = False
    zero_output: bool = False


@cache
def module(options: Recurrence, fuse: bool, steps: int | None) -> ModuleType:
    """The generated module of a specialised cell; the same options give the same module."""
    return build(recurrent(options), fuse=fuse, steps=steps)


def recurrent(options: Recurrence) -> Cell:
    """The cell of a recurrent layer, from the catalogue's."""
    cell = catalogue.load(options.cell)
    if options.cell == "gru_reset_after":
        cell = with_recurrent_biases(cell)
    cell = with_activations(cell, {"tanh": options.activation, "sigmoid": options.recurrent_activation})
    if not options.use_bias:
        cell = without_biases(cell)
    for factor, kind in (("dropout", options.dropout), ("recurrent_dropout", options.recurrent_dropout)):
        if kind:
            cell = with_dropout(cell, factor, shared=kind == "shared")
    if options.masked:
        cell = with_mask(cell, zero_output=options.zero_output)
    return printed(cell)


def rewritten(cell: Cell, change: Callable[[Any], Any]) -> tuple[Equation, ...]:
    """The cell's equations with `change` applied to every expression, from the leaves up."""
    return tuple(replace(e, expression=expressions.rewrite(e.expression, change)) for e in cell.equations)


def with_activations(cell: Cell, names: dict[str, str]) -> Cell:
    """Every `tanh` becomes the activation of that name in `names`, and so on; all at once."""
    functions = {activations.named(old): activations.named(new) for old, new in names.items()}

    def change(node: Any) -> Any:
        if isinstance(node, ElementwiseApplyFunction) and node.function.expr.func in functions:
            return expressions.apply(functions[node.function.expr.func], node.expr)
        return None

    return replace(cell, equations=rewritten(cell, change))


def without_biases(cell: Cell) -> Cell:
    """The parameters that are columns are taken out of their sums."""
    biases = {parameter.symbol for parameter in cell.parameters if parameter.symbol.shape[1] == 1}

    def change(node: Any) -> Any:
        if isinstance(node, sp.MatAdd) and biases.intersection(node.args):
            return expressions.add(*(term for term in node.args if term not in biases))
        return None

    parameters = tuple(parameter for parameter in cell.parameters if parameter.symbol not in biases)
    return replace(cell, equations=rewritten(cell, change), parameters=parameters)


def with_recurrent_biases(cell: Cell) -> Cell:
    """Keras gives every gate of a GRU with `reset_after` a second bias; the catalogue's has it where it matters, in hbar."""
    rows = cell.states[0].new.shape[0]
    second = {sp.MatrixSymbol(f"b_{gate}", rows, 1): sp.MatrixSymbol(f"c_{gate}", rows, 1) for gate in ("z", "r")}

    def change(node: Any) -> Any:
        if isinstance(node, sp.MatAdd):
            return expressions.add(*node.args, *(second[term] for term in node.args if term in second))
        return None

    added = tuple(Parameter(symbol.name, symbol) for symbol in second.values())
    return replace(cell, equations=rewritten(cell, change), parameters=(*cell.parameters, *added))


def with_dropout(cell: Cell, name: str, *, shared: bool) -> Cell:
    """What a gate's matrix multiplies is masked: x_t in W_i x_t (`dropout`), h_{t-1} in R_i h_{t-1} (`recurrent_dropout`).

    Y. Gal and Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks" (arXiv
    1512.05287): one mask for a whole sequence.
    """
    target: Any = cell.inputs[0] if name == "dropout" else cell.states[0].old
    masks: dict[str, Any] = {}

    def change(node: Any) -> Any:
        if not isinstance(node, sp.MatMul) or target not in expressions.symbols(node):
            return None
        label = name if shared else f"{name}_{node.args[0].name.partition('_')[2]}".rstrip("_")
        mask = masks.setdefault(label, sp.MatrixSymbol(label, target.shape[0], 1))
        inner = [
            expressions.rewrite(arg, lambda leaf: expressions.hadamard(leaf, mask) if leaf == target else None)
            for arg in node.args
        ]
        return expressions.multiply(*inner)

    equations = rewritten(cell, change)
    tex = tuple((mask.name, rf"\mathrm{{{mask.name}}}".replace("_", r"\_")) for mask in masks.values())
    constants = (*cell.constants, *masks.values())
    return replace(cell, equations=equations, constants=constants, notation=(*cell.notation, *tex))


def with_mask(cell: Cell, *, zero_output: bool) -> Cell:
    """Where the mask is 0, states stay as they were, and so does the output, which is zero until the first step that counts.

    With `zero_output` the output is zero wherever the mask is.
    The output is a state of its own, as in Keras on TensorFlow: it starts from zero whatever the initial states are.
    """
    rows = cell.states[0].new.shape[0]
    mask = sp.MatrixSymbol("mask", rows, 1)
    rest = expressions.add(sp.OneMatrix(rows, 1), expressions.multiply(sp.Integer(-1), mask))
    updated = {state.new: sp.MatrixSymbol(f"{state.new.name}_found", *state.new.shape) for state in cell.states}
    equations = [replace(e, symbol=updated.get(e.symbol, e.symbol)) for e in rewritten(cell, updated.get)]
    before = None if zero_output else sp.MatrixSymbol("output_prev", rows, 1)
    output = State("output", sp.MatrixSymbol("output", rows, 1), before)
    for state, source in ((output, updated[cell.states[0].new]), *((state, updated[state.new]) for state in cell.states)):
        counted = expressions.hadamard(mask, source)
        held = counted if state.old is None else expressions.add(counted, expressions.hadamard(rest, state.old))
        equations.append(Equation(state.new, held))
    tex = {**cell.tex, "mask": r"\mathrm{mask}_t", "output": "y_t", "output_prev": "y_{t-1}"}
    tex.update({symbol.name: rf"\tilde{{{name}}}_t" for symbol, name in ((s, n.name) for n, s in updated.items())})
    return replace(
        cell,
        equations=tuple(equations),
        states=(output, *cell.states),
        constants=(*cell.constants, mask),
        notation=tuple(tex.items()),
    )


def printed(cell: Cell) -> Cell:
    """The cell with every equation printed anew from its symbols."""
    tex = cell.tex
    write = Printer()

    def change(node: Any) -> Any:
        return sp.MatrixSymbol(tex[node.name], *node.shape) if isinstance(node, sp.MatrixSymbol) and node.name in tex else None

    def line(equation: Equation) -> str:
        left, right = (write(expressions.rewrite(side, change)) for side in (equation.symbol, equation.expression))
        return f"{left} = {right}"

    return replace(cell, equations=tuple(replace(e, tex=line(e), where="") for e in cell.equations), source="")
