"""A cell's derived Jacobian formulas with numbers put in: over all states, and the elementwise path in it alone.

Nothing here touches generated code: values come from the equations' own formulas, so that what a generated backward pass
measures is held against the derivation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.jacobian import Jacobian, jacobian
from rnnproof.calculus.operations import Call
from rnnproof.calculus.program import Program, Role
from rnnproof.calculus.terms import formula
from rnnproof.equations.cell import Cell
from rnnproof.study.experiments.numbers import Numbers

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class StepJacobian:
    """One step's Jacobian of all states (S * units square), at given parameters, input and old states.

    `full` is the derived formula, `path` its terms in which no matrix stands: what goes from a state to itself or another
    entry by entry (the shortcut's I, the LSTM's diag(f), the GRU's diag(z)).
    """

    full: Array
    path: Array


class Formulas:
    """The formulas of a cell, derived once."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.names = [state.name for state in cell.states]

    @cached_property
    def program(self) -> Program:
        """The cell's equations step by step, functions with a body as they are called."""
        return flatten(replace(self.cell, bodies=()))

    @cached_property
    def blocks(self) -> list[list[Jacobian]]:
        """d (state a) / d (old state b), all other old states held fixed."""
        return [[jacobian(self.cell, a, f"{b}_prev") for b in self.names] for a in self.names]

    @property
    def bounded(self) -> bool:
        """Whether the derivation bounds the Jacobian's norm whatever the states are."""
        return all(block.is_zero or block.bound is not None for row in self.blocks for block in row)

    def numbers(self, params: Mapping[str, Array], x: Array | None, states: Mapping[str, Array]) -> Numbers:
        """Every printed symbol's value at one step of one sample: params of the step, x (input,), states (units,)."""
        sizes = {size: next(iter(states.values())).size for size in self.cell.sizes if size.name != "input"}
        sizes |= {size: 0 if x is None else x.size for size in self.cell.sizes if size.name == "input"}
        tex = {(port.role, port.key): port.var.tex for port in self.program.inputs}
        columns = {name: value[:, np.newaxis] if np.ndim(value) == 1 else value for name, value in params.items()}
        given: dict[str, Any] = {tex[Role.PARAMETER, name]: value for name, value in columns.items()}
        given |= {tex[Role.OLD, name]: value[:, np.newaxis] for name, value in states.items() if (Role.OLD, name) in tex}
        if x is not None:
            given |= {tex[Role.INPUT, symbol.name]: x[:, np.newaxis] for symbol in self.cell.inputs}
        measured = Numbers(sizes, given)
        for step in self.program.steps:
            if isinstance(step.op, Call):
                self._give_body(measured, columns, step.op.function.name, given[step.args[0].tex])
        measured.forward(self.program)
        return measured

    def _give_body(self, measured: Numbers, params: Mapping[str, Array], name: str, argument: Array) -> None:
        """The value and the Jacobian of a function that has a body."""
        body = next(body for body in self.cell.bodies if body.name == name)
        tex_name = self.cell.tex.get(name, name)
        value = Numbers(measured.sizes, {**params, body.argument.name: argument})(body.expression)
        measured.values[tex_name] = value
        bodies = {label: inner for row in self.blocks for block in row for label, inner in block.bodies}
        inner = bodies[f"J_{{{tex_name}}}"]
        pair = value, measured(inner.direct)
        measured.functions = {**measured.functions, name: pair, tex_name: pair}

    def at(self, params: Mapping[str, Array], x: Array | None, states: Mapping[str, Array]) -> StepJacobian:
        """The step's Jacobian, for one sample."""
        measured = self.numbers(params, x, states)
        full, path = [], []
        for row in self.blocks:
            full.append([measured(block.direct) for block in row])
            path.append([measured(formula(tuple(t for t in block.terms if not t.rest), block.shape)) for block in row])
        return StepJacobian(np.block(full), np.block(path))

    def log_bound(self, params: Mapping[str, Array]) -> float:
        """log10 of the derivation's bound of one step of a cell with one state, from its matrices' singular values."""
        ((block,),) = self.blocks
        tex = {port.var.tex: port.key for port in self.program.ports(Role.PARAMETER)}
        largest = {
            rf"\sigma_{{\max}}({tex_name})": np.linalg.norm(params[name], 2)
            for tex_name, name in tex.items()
            if name in params and np.ndim(params[name]) == 2
        }
        bound: Any = block.bound
        for label, inner in block.bodies:
            bound = bound.subs({symbol: inner.bound for symbol in bound.free_symbols if label in symbol.name})
        return float(np.log10(float(bound.subs({symbol: largest[symbol.name] for symbol in bound.free_symbols}))))
