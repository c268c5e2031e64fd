"""`pipeline(cell)`: from a Cell to what a target prints: both Programs lowered, scheduled, and laid out in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.operations import Constant, Identity
from rnnproof.calculus.program import Port, Program, Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.equations.cell import Cell
from rnnproof.errors import BindError, GenerationError
from rnnproof.generation.lower import lower
from rnnproof.generation.passes import BACKWARD_PASSES, optimise
from rnnproof.generation.schedule import Schedule, schedule
from rnnproof.generation.storage import Layout, assign


@dataclass(frozen=True)
class Direction:
    """One direction through the sequence: what runs when, and where each value lives."""

    plan: Schedule
    layout: Layout

    @property
    def program(self) -> Program:
        """The lowered Program."""
        return self.plan.program


@dataclass(frozen=True)
class Lowered:
    """A cell ready to be printed; `tape` are the values that the forward pass keeps for the backward pass."""

    cell: Cell
    forward: Direction
    backward: Direction
    tape: tuple[Var, ...]


def pipeline(cell: Cell, *, fuse: bool = True) -> Lowered:
    """The steps on the way to code, in order.

    Raises BindError for a function left open, GenerationError for what no code expresses.
    """
    _require_bodies(cell)
    forward = optimise(flatten(cell), fuse=fuse)
    _require_varying_states(forward)
    backward = _optimised(adjoint(forward))
    lowered_backward = lower(backward, _constants(forward))
    tape = _kept(lowered_backward)
    lowered_forward = lower(_with_tape(forward, tape))
    return Lowered(
        cell,
        _laid_out(lowered_forward, [var for var in tape if var.per_sample]),
        _laid_out(lowered_backward, []),
        tape,
    )


def _require_bodies(cell: Cell) -> None:
    for name in cell.open_functions:
        raise BindError(
            f"cell {cell.name}: the function {name} is left open, and code needs its body; give it one with "
            rf"rnnproof.bind(cell, {name}=r'\tanh(W o + b)') or --bind '{name}=\tanh(W o + b)'"
        )


def _require_varying_states(forward: Program) -> None:
    for port in forward.ports(Role.NEW, out=True):
        if not port.var.per_sample:
            raise GenerationError(
                f"cell {forward.name}: {port.key} depends on neither the input nor a state, so it is no state; "
                "take it out of the states or let its equation read one"
            )


def _optimised(backward: Program) -> Program:
    for change in BACKWARD_PASSES:
        backward = change(backward)
    return backward


def _constants(forward: Program) -> tuple[Step, ...]:
    """The steps whose values are known numbers, which the backward pass may read too."""
    return tuple(step for step in forward.steps if isinstance(step.op, Constant | Identity))


def _kept(backward: Program) -> tuple[Var, ...]:
    """What the backward pass reads of the forward pass."""
    read = {arg for step in backward.steps for arg in step.args} | {port.var for port in backward.outputs}
    return tuple(port.var for port in backward.ports(Role.TAPE) if port.var in read)


def _with_tape(forward: Program, tape: tuple[Var, ...]) -> Program:
    """The forward Program with what is kept among its outputs; what is given anyway is not computed."""
    inputs = {port.var for port in forward.inputs}
    ports = (Port(Role.TAPE, var.name, var) for var in tape if var not in inputs)
    return replace(forward, outputs=(*forward.outputs, *ports))


def _laid_out(program: Program, stored: list[Var]) -> Direction:
    plan = schedule(program)
    return Direction(plan, assign(plan, stored))
