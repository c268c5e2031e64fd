"""ONNX's RNN, GRU and LSTM nodes by rnnproof's cells: the node's attributes become equations, its arrays our parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

import rnnproof as rp
from rnnproof.equations import activations, expressions, tracing
from rnnproof.equations.cell import Cell
from rnnproof.runtime import converters

DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
PLAIN = {
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Softsign": "softsign",
    "Softplus": "softplus",
}
# alpha and beta as the operator's specification has them
WITH_NUMBERS: dict[str, tuple[tuple[float, float], Any]] = {
    "HardSigmoid": ((0.2, 0.5), lambda a, b: lambda x: np.clip(a * x + b, 0, 1)),
    "LeakyRelu": ((0.01, 0.0), lambda a, b: lambda x: np.where(x >= 0, x, a * x)),
    "Elu": ((1.0, 0.0), lambda a, b: lambda x: np.where(x >= 0, x, a * (np.exp(x) - 1))),
    "ScaledTanh": ((1.0, 1.0), lambda a, b: lambda x: a * np.tanh(b * x)),
    "ThresholdedRelu": ((1.0, 0.0), lambda a, b: lambda x: np.where(x >= a, x, 0)),
    "Affine": ((1.0, 0.0), lambda a, b: lambda x: a * x + b),
}


def function(name: str, alpha: float | None, beta: float | None) -> str:
    """The registered name of an ONNX activation. Raises ValueError for one there is not."""
    if name in PLAIN:
        return PLAIN[name]
    if name not in WITH_NUMBERS:
        raise ValueError(f"activation {name!r}: there are {', '.join((*PLAIN, *WITH_NUMBERS))}")
    (a, b), make = WITH_NUMBERS[name]
    return tracing.activation(make(a if alpha is None else alpha, b if beta is None else beta)).name


def all_functions(op: str, attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """The activations of all directions; those that have an alpha or a beta take the next one of the lists."""
    alphas, betas = (iter(attributes.get(f"activation_{greek}", ())) for greek in ("alpha", "beta"))
    found = []
    for name in attributes.get("activations", DEFAULTS[op] * 2):
        alpha = next(alphas, None) if name in WITH_NUMBERS else None
        beta = next(betas, None) if name in ("HardSigmoid", "ScaledTanh", "Affine") else None
        found.append(function(name, alpha, beta))
    return tuple(found)


@cache
def module(
    op: str, names: tuple[str, ...], linear_before_reset: int, input_forget: int, peepholes: bool
) -> tuple[str, ModuleType]:
    """The catalogue's cell and the module of its equations with the node's activations."""
    base = {"RNN": "simple_rnn", "GRU": "gru_reset_after" if linear_before_reset else "gru", "LSTM": "lstm"}[op]
    cell = rp.load("lstm_peephole" if peepholes else base)
    gates, rest = (None, names[0]) if op == "RNN" else names[:2]
    found = {"sigmoid": gates, "tanh": rest}
    made = []
    for equation in cell.equations:
        here = {**found, "tanh": names[2]} if op == "LSTM" and equation.symbol.name == "h" else found
        made.append(replace(equation, expression=expressions.rewrite(equation.expression, _activated(here))))
    cell = replace(cell, equations=tuple(made))
    return cell.name, rp.build(_coupled(cell) if input_forget else cell)


def _activated(names: Mapping[str, str | None]) -> Any:
    functions = {activations.named(old): activations.named(new) for old, new in names.items() if new is not None}

    def change(node: Any) -> Any:
        if isinstance(node, ElementwiseApplyFunction) and node.function.expr.func in functions:
            return expressions.apply(functions[node.function.expr.func], node.expr)
        return None

    return change


def _coupled(cell: Cell) -> Cell:
    """f = 1 - i; the parameters of f are left out."""
    gates = {equation.symbol.name: equation.symbol for equation in cell.equations}
    kept = expressions.add(sp.OneMatrix(*gates["f"].shape), expressions.multiply(sp.Integer(-1), gates["i"]))
    equations = tuple(replace(e, expression=kept) if e.symbol == gates["f"] else e for e in cell.equations)
    parameters = tuple(parameter for parameter in cell.parameters if not parameter.name.endswith("_f"))
    order = sorted(equations, key=lambda e: e.symbol != gates["i"])
    return replace(cell, equations=tuple(order), parameters=parameters)


def run(op: str, attributes: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Y, Y_h and Y_c of a node; `arrays` by the names in INPUTS. Raises ValueError for `clip`, which has no cell here."""
    given = dict(attributes)
    if "clip" in given:
        raise ValueError("attribute clip: a cell whose activations' arguments are clipped is not here")
    batchwise = given.get("layout", 0) == 1
    x = np.asarray(arrays["X"]).swapaxes(0, 1) if batchwise else np.asarray(arrays["X"])
    states = ("h", "c") if op == "LSTM" else ("h",)
    initial = {s: arrays[f"initial_{s}"] for s in states if arrays.get(f"initial_{s}") is not None}
    if batchwise:
        initial = {state: value.swapaxes(0, 1) for state, value in initial.items()}
    directions = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[given.get("direction", "forward")]
    lengths = arrays.get("sequence_lens")
    lengths = np.full(x.shape[1], x.shape[0]) if lengths is None else np.asarray(lengths)
    outputs = [
        _direction(op, given, arrays, x, lengths, {s: a[d] for s, a in initial.items()}, d, backwards)
        for d, backwards in enumerate(directions)
    ]
    names = ("Y", *(f"Y_{state}" for state in states))
    found = {name: np.stack([out[name] for out in outputs], axis=1 if name == "Y" else 0) for name in names}
    if batchwise:
        found = {name: value.transpose(2, 0, 1, 3) if name == "Y" else value.swapaxes(0, 1) for name, value in found.items()}
    return found


def _direction(
    op: str, given: Mapping[str, Any], arrays: Mapping[str, Any], x: Any, lengths: Any, initial: Any, d: int, backwards: bool
) -> dict[str, Any]:
    """One direction; every sequence runs over its own length, outputs behind it are zero."""
    count = len(DEFAULTS[op])
    functions = all_functions(op, given)[d * count : (d + 1) * count]
    peepholes = arrays.get("P") is not None
    cell, made = module(op, functions, given.get("linear_before_reset", 0), given.get("input_forget", 0), peepholes)
    wanted = ("W", "R", "B", "P") if peepholes else ("W", "R", "B")
    params = converters.from_framework(cell, {n: arrays[n] for n in wanted if arrays.get(n) is not None}, "onnx", direction=d)
    params = {name: params[name] for name in made.PARAMETERS}
    hidden = np.asarray(arrays["R"]).shape[-1]
    found = {"Y": np.zeros((*x.shape[:2], hidden), x.dtype)}
    found.update({f"Y_{s}": np.zeros((x.shape[1], hidden), x.dtype) for s in made.STATES})
    for length in sorted({int(n) for n in lengths}):
        rows = np.flatnonzero(lengths == length)
        part = x[:length, rows]
        trace = made.forward(params, part[::-1] if backwards else part, {s: a[rows] for s, a in initial.items()})
        sequence = trace.states["h"]
        found["Y"][:length, rows] = sequence[::-1] if backwards else sequence
        for state in made.STATES:
            found[f"Y_{state}"][rows] = trace.states[state][-1] if length else initial.get(state, found[f"Y_{state}"])[rows]
    return found
