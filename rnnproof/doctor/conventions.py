"""The same cell as others write it: a gate in the place of its complement, another activation; and its output layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell, Equation, Parameter, State

OUTPUT = "y"


def conventions(cell: Cell) -> Iterator[tuple[Cell, str]]:
    """The cell, and the cell with each gate that stands beside its complement exchanged with it."""
    yield cell, ""
    for gate in _complemented(cell):
        yield _exchanged(cell, gate), f"{gate.name} is 1 - {gate.name} of the equations: z keeps where theirs forgets"


def _complement(gate: Any) -> Any:
    return sp.MatAdd(sp.OneMatrix(*expressions.shape_of(gate)), sp.MatMul(-1, gate))


def _complemented(cell: Cell) -> list[Any]:
    parts = {part for equation in cell.equations for part in sp.preorder_traversal(equation.expression)}
    defined = (equation.symbol for equation in cell.equations if getattr(equation.symbol, "is_Matrix", False))
    return [symbol for symbol in defined if any(_same(part, _complement(symbol)) for part in parts)]


def _same(part: Any, complement: Any) -> bool:
    return isinstance(part, sp.MatAdd) and set(part.args) == set(complement.args)


def _exchanged(cell: Cell, gate: Any) -> Cell:
    complement, mark = _complement(gate), sp.MatrixSymbol("complement_mark", *expressions.shape_of(gate))

    def other(expression: Any) -> Any:
        there = {part: mark for part in sp.preorder_traversal(expression) if _same(part, complement)}
        return expression.xreplace(there).xreplace({gate: complement}).xreplace({mark: gate})

    equations = tuple(
        equation if equation.symbol == gate else replace(equation, expression=other(equation.expression), tex="")
        for equation in cell.equations
    )
    return replace(cell, equations=equations)


_OTHERS = {"tanh": ("relu", "sigmoid", "linear", "softsign"), "sigmoid": ("hard_sigmoid", "hard_sigmoid_keras3", "tanh")}


def other_activations(cell: Cell) -> Iterator[tuple[Cell, str]]:
    """The cell with one activation in the place of another, everywhere or in one equation."""
    applied = {_applied(equation.expression) for equation in cell.equations} - {""}
    for name in sorted(applied & set(_OTHERS)):
        for instead in _OTHERS[name]:
            yield _activated(cell, {e.symbol for e in cell.equations}, name, instead), f"{instead} stands for {name}"


def _applied(expression: Any) -> str:
    for part in sp.preorder_traversal(expression):
        if isinstance(part, ElementwiseApplyFunction):
            return activations.of(part.function.expr.func).name
    return ""


def _activated(cell: Cell, symbols: set[Any], name: str, instead: str) -> Cell:
    function = activations.named(name)

    def other(part: Any) -> Any:
        if instead == "linear":
            return part.expr
        return expressions.apply(activations.named(instead), part.expr)

    equations = []
    for equation in cell.equations:
        parts = [
            part
            for part in sp.preorder_traversal(equation.expression)
            if isinstance(part, ElementwiseApplyFunction) and part.function.expr.func == function
        ]
        changed = equation.expression.xreplace({part: other(part) for part in parts})
        equations.append(replace(equation, expression=changed, tex=""))
    return replace(cell, equations=tuple(equations))


def with_output_layer(cell: Cell, bias: bool) -> Cell:
    """The cell with y_t = W_y h_t + b_y behind it, an output that no step reads."""
    hidden = cell.states[0].new
    size = sp.Symbol("output", integer=True, positive=True)
    kernel = sp.MatrixSymbol("W_y", size, expressions.shape_of(hidden)[0])
    offset = sp.MatrixSymbol("b_y", size, 1)
    output = sp.MatrixSymbol(OUTPUT, size, 1)
    product = sp.MatMul(kernel, hidden)
    equation = Equation(output, sp.MatAdd(product, offset) if bias else product)
    parameters = (Parameter("W_y", kernel), *((Parameter("b_y", offset),) if bias else ()))
    return replace(
        cell,
        equations=(*cell.equations, equation),
        states=(*cell.states, State(OUTPUT, output, None)),
        parameters=(*cell.parameters, *parameters),
    )


def without_recurrent_term(cell: Cell) -> Cell:
    """The cell whose recurrent matrices act on zero."""
    hidden = expressions.shape_of(cell.states[0].new)[0]
    square = {p.symbol for p in cell.parameters if getattr(p.symbol, "shape", ()) == (hidden, hidden)}

    def bare(expression: Any) -> Any:
        products = [
            part for part in sp.preorder_traversal(expression) if isinstance(part, sp.MatMul) and part.args[0] in square
        ]
        return expression.xreplace({part: sp.MatMul(part.args[0], sp.ZeroMatrix(hidden, 1)) for part in products})

    return replace(cell, equations=tuple(replace(e, expression=bare(e.expression), tex="") for e in cell.equations))


def without_activation(cell: Cell) -> Iterator[tuple[Cell, str]]:
    """The cell with the activation of a whole state or value left out: h = o * c instead of o * tanh(c)."""
    for number, equation in enumerate(cell.equations):
        if isinstance(equation.expression, ElementwiseApplyFunction):
            continue
        for part in sp.preorder_traversal(equation.expression):
            if isinstance(part, ElementwiseApplyFunction) and isinstance(part.expr, sp.MatrixSymbol):
                bare = replace(equation, expression=equation.expression.xreplace({part: part.expr}), tex="")
                equations = (*cell.equations[:number], bare, *cell.equations[number + 1 :])
                yield replace(cell, equations=equations), f"{equation.symbol} is without its {_applied(part)}"
