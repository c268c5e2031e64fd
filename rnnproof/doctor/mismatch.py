"""A backward pass that is right for another forward pass: another convention, another cell, an activation more or less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnnproof.calculus.program import Program, Role
from rnnproof.doctor.array_operations import compute
from rnnproof.doctor.case import Array
from rnnproof.doctor.conventions import OUTPUT, conventions, other_activations, with_output_layer, without_activation
from rnnproof.doctor.diagnosis import Replay
from rnnproof.doctor.findings import Named
from rnnproof.doctor.layout import Layout
from rnnproof.doctor.plain_pass import Derived, Tape, derived, run_backward
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.errors import RnnproofError

KIND = "forward-backward-mismatch"


def mismatched(layout: Layout, programs: Derived, asked: Cell, replays: Sequence[Replay]) -> Named | None:
    """The forward pass whose derived backward pass gives what is claimed, on the values of the one there is; None for none."""
    layered = any(state.name == OUTPUT for state in layout.cell.states)
    seen = {str([equation.expression for equation in layout.cell.equations])}
    for cell, what in _others(asked):
        whole = with_output_layer(cell, bias="b_y" in layout.views) if layered else cell
        key = str([equation.expression for equation in whole.equations])
        if key in seen:
            continue
        seen.add(key)
        try:
            other = derived(whole)
        except RnnproofError:
            continue
        if all(_reproduces(other, replay) for replay in replays):
            return Named(
                KIND, "the backward pass", f"the backward pass is that of {what}, which is not the forward pass there is"
            )
    return None


def _others(cell: Cell) -> Iterator[tuple[Cell, str]]:
    names = [cell.name, *(name for name in catalogue.names() if name != cell.name)]
    for name in names:
        base = cell if name == cell.name else catalogue.load(name)
        for variant, convention in conventions(base):
            yield variant, f"{name} ({convention})" if convention else name
    for variant, says in (*without_activation(cell), *other_activations(cell)):
        yield variant, f"{cell.name} where {says}"


def _reproduces(other: Derived, replay: Replay) -> bool:
    """Whether the other cell's derived pass gives every claimed gradient, its values being those of the forward pass."""
    tape = replay.tape
    parameters = {port.var.name for port in other.forward.ports(Role.PARAMETER)}
    if not parameters <= tape.parameters or {port.key for port in other.backward.ports(Role.SEED)} != set(
        tape.carries
    ) | _seeded(tape):
        return False
    values = _values(other.forward, tape)
    seeds = {port.key: tape.seeds[port.var.name] for port in tape.derived.backward.ports(Role.SEED)}
    outputs = run_backward(Tape(other, tape.sizes, values, seeds), other.whole)
    if not set(replay.claimed) <= set(outputs):
        return False
    return replay.matched(outputs) == frozenset(replay.claimed)


def _seeded(tape: Tape) -> set[str]:
    return {port.key for port in tape.derived.backward.ports(Role.SEED)}


def _values(forward: Program, tape: Tape) -> dict[str, Array]:
    """The forward values that there are, and what the other cell computes of them besides, for all time steps at once."""
    values = dict(tape.values)
    for port in forward.inputs:
        if port.var.name not in values:
            values[port.var.name] = tape.values[port.var.name]
    for step in forward.steps:
        if step.target.name not in values:
            arguments = [values[arg.name] for arg in step.args]
            spread = [
                tape.each_step(a) if arg.name in tape.parameters else a for arg, a in zip(step.args, arguments, strict=True)
            ]
            values[step.target.name] = compute(step, tape.sizes)(*spread)
    return values
