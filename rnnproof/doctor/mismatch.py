"""A backward pass that is right for another forward pass: another convention, another cell, an activation more or less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rnnproof.calculus.program import Program, Role
from rnnproof.doctor.array_operations import compute
from rnnproof.doctor.case import Array
from rnnproof.doctor.conventions import OUTPUT, conventions, with_output_layer, without_activation
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
    for variant, says in without_activation(cell):  # another one's derivative is a mistake with a name of its own
        yield variant, f"{cell.name} where {says}"


def _reproduces(other: Derived, replay: Replay) -> bool:
    """Whether the other cell's derived pass gives every claimed gradient, its values being those of the forward pass.

    A bias that the other cell lacks has no part in the comparison, and one that it has besides is zero.
    """
    tape = replay.tape
    ours = {port.key: port.var for port in tape.derived.backward.ports(Role.SEED)}
    if {port.key for port in other.backward.ports(Role.SEED)} != set(ours):
        return False
    values = _values(other.forward, tape)
    if values is None:
        return False
    seeds = {key: tape.seeds[var.name] for key, var in ours.items()}
    outputs = run_backward(Tape(other, tape.sizes, values, seeds), other.whole)
    lacking = frozenset(replay.claimed) - set(outputs)
    vectors = {port.var.name for port in tape.derived.forward.ports(Role.PARAMETER) if len(port.var.shape) == 1}
    compared = replace(replay, claimed={name: claim for name, claim in replay.claimed.items() if name not in lacking})
    return lacking <= vectors and compared.matched(outputs) == frozenset(compared.claimed)


def _values(forward: Program, tape: Tape) -> dict[str, Array] | None:
    """The values of the equations' symbols as they are, and what the other cell computes of them, for all steps at once.

    None where the other cell has a matrix that there is not.
    """
    values: dict[str, Array] = {}
    for port in forward.inputs:
        name, shape = port.var.name, port.var.shape
        if name not in tape.values and len(shape) != 1:
            return None
        values[name] = tape.values[name] if name in tape.values else np.zeros((tape.sizes[str(shape[0])], 1))
    constant = {port.var.name for port in forward.ports(Role.PARAMETER)}
    for step in forward.steps:
        name = step.target.name
        if step.target.tex and name in tape.values:
            values[name] = tape.values[name]
            continue
        arguments = [tape.each_step(values[arg.name]) if arg.name in constant else values[arg.name] for arg in step.args]
        values[name] = compute(step, tape.sizes)(*arguments)
    return values
