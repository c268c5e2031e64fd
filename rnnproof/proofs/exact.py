"""`prove(cell)`: at explicit sizes, the derived gradient minus SymPy's derivative of the loss is exactly 0, entry by entry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.derivation.adjoint import adjoint
from rnnproof.derivation.flatten import flatten
from rnnproof.derivation.program import Program
from rnnproof.documents.message import say
from rnnproof.equations.cell import Cell
from rnnproof.equations.entries import Entries
from rnnproof.proofs.opaque import Array, Opaque, Polynomial
from rnnproof.proofs.program_side import Run
from rnnproof.proofs.report import ProofReport, ProofRow

STEPS = 2
Progress = Callable[[int, int, str], None]


def prove(cell: Cell, progress: Progress | None = None, *, backward: Program | None = None) -> ProofReport:
    """Prove every gradient of a cell: parameters, inputs, initial states; two steps, sizes 1 to 3, one row for each size.

    The loss is the sum of seed times state, with seeds of its own for every entry, so it stands for every loss. Activations
    and functions left open are opaque: the proof holds for all of them. `backward` is the adjoint Program to prove, by
    default the derived one.
    """
    forward = flatten(cell)
    backward = adjoint(forward) if backward is None else backward
    symbols = cell.sizes
    choices = list(product((1, 2, 3) if len(symbols) <= 2 else (1, 2), repeat=len(symbols)))
    rows = []
    for done, numbers in enumerate(choices):
        if progress is not None:
            progress(done, len(choices), f"prove {cell.name}")
        rows.append(_row(cell, forward, backward, dict(zip(symbols, numbers, strict=True))))
    title = say("{cell}: derived gradient minus SymPy's derivative, {steps} steps", cell=cell.name, steps=STEPS)
    return ProofReport(title, tuple(rows))


def _row(cell: Cell, forward: Program, backward: Program, sizes: Mapping[Any, int]) -> ProofRow:
    started = time.perf_counter()
    shown = ", ".join(f"{size}={number}" for size, number in sizes.items())
    comparison = _Comparison(cell, forward, backward, sizes)
    count, failure = 0, ""
    for name, derived, symbol in comparison.entries():
        difference = derived - comparison.by(symbol)
        count += 1
        if difference:
            failure = f"d loss / d {name} differs by {comparison.opaque.shown(difference)}"
            break
    return ProofRow(cell.name, shown or "-", count, time.perf_counter() - started, failure)


class _Comparison:
    """Both sides at one choice of sizes."""

    def __init__(self, cell: Cell, forward: Program, backward: Program, sizes: Mapping[Any, int]) -> None:
        self.cell = cell
        self.sizes = sizes
        formulas = (*(e.expression for e in cell.equations), *(body.expression for body in cell.bodies))
        numbers = set().union(*(formula.atoms(sp.Rational, sp.Float) for formula in formulas))
        self.opaque = Opaque(_room(forward, sizes), fractions=not all(number.is_Integer for number in numbers))
        self.run = Run(forward, backward, self.opaque, sizes, STEPS, self.given)
        self.ports = {(port.role, port.key): port.var for port in forward.inputs}
        self.new = {port.key: port.var for port in forward.ports("new", out=True)}
        self.loss = self._loss()

    def given(self, role: str, key: str, t: int) -> Array:
        """The symbols of a parameter, input, initial state or seed."""
        var = self.new[key] if role == "seed" else self.ports[(role, key)]
        varies = var.per_step and role != "old"
        label = {"seed": "seed of ", "old": "initial "}.get(role, "") + key
        return self.opaque.array(f"{label} at step {t + 1}" if varies else label, self.run.shape(var))

    def _loss(self) -> Polynomial:
        """The sum of seed times state over states and steps, from the Cell's equations."""
        cell = self.cell
        entries = Entries(self.opaque, self.sizes, {body.name: body for body in cell.bodies}, {})
        old = {s.old: _matrix(self.given("old", s.name, 0)) for s in cell.states if s.old is not None}
        loss = self.opaque.ring(0)
        for t in range(STEPS):
            values = entries.values
            values.update(old)
            values.update({p.symbol: _matrix(self.given("parameter", p.name, t)) for p in cell.parameters})
            values.update({x: _matrix(self.given("input", x.name, t)) for x in cell.inputs})
            for equation in cell.equations:
                values[equation.symbol] = entries.value(equation.expression)
            for state in cell.states:
                loss += np.sum(values[state.new] * _matrix(self.given("seed", state.name, t)))
            old = {s.old: values[s.new] for s in cell.states if s.old is not None}
        return loss

    def by(self, symbol: Polynomial) -> Polynomial:
        """SymPy's derivative of the loss."""
        return self.opaque.derivative(self.loss, symbol)

    def entries(self) -> Iterator[tuple[str, Polynomial, Polynomial]]:
        """(name, derived gradient, symbol) of every entry of every quantity."""
        outputs = {(port.role, port.key): port.var for port in self.run.backward.outputs}
        for (role, key), var in self.ports.items():
            out = outputs.get(({"parameter": "gradient", "old": "carry", "input": "input"}[role], key))
            for t in range(STEPS if var.per_step and role != "old" else 1):
                symbols = self.given(role, key, t)
                derived = self.run.value(out, t) if out is not None else self.run.zeros(var)
                where = f" at step {t + 1}" if var.per_step and role != "old" else ""
                label = f"initial {key}" if role == "old" else key
                for at in np.ndindex(*self.run.shape(var)):
                    place = f"[{', '.join(str(i + 1) for i in at)}]" if at else ""
                    pair = (derived[at], symbols[at]) if at else (derived, symbols)
                    yield f"{label}{place}{where}", *pair


def _matrix(value: Array) -> Array:
    """A column as a matrix, as the equations have it."""
    return value[:, None] if isinstance(value, np.ndarray) and value.ndim == 1 else value


def _room(forward: Program, sizes: Mapping[Any, int]) -> int:
    """More generators than both sides can ask for together."""

    def entries(shape: tuple[Any, ...]) -> int:
        return int(sp.Mul(*(sp.sympify(size).subs(dict(sizes)) for size in shape)))

    count = sum(entries(port.var.shape) for port in (*forward.inputs, *forward.outputs)) * STEPS
    for step in forward.steps:
        if step.op == "map":
            count += 4 * STEPS * entries(step.target.shape)
        if step.op == "apply":
            count += 2 * STEPS * entries(step.target.shape) * (1 + entries(step.args[0].shape))
    numbers = sum(step.op in ("constant", "add") for step in forward.steps)
    return count + 4 * numbers + 8
