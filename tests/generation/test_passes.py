"""Every pass changes the schedule and no result: the Program before and after it is evaluated on the same random values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.operations import Add
from rnnproof.calculus.program import Program, Role
from rnnproof.generation.lower import lower
from rnnproof.generation.passes import BACKWARD_PASSES, FORWARD_PASSES, Pass
from tests.generation.cells import CELLS
from tests.generation.interpreter import draw, evaluate

# Sums of at most a few dozen terms of size one are reordered: 1e-12 is some thousand roundings of float64.
TOLERANCE = 1e-12
SMALL = sorted(CELLS)


def outputs(program: Program, forward: Program | None = None) -> dict[tuple[str, str], np.ndarray]:
    """Output values by role and key, on inputs drawn by port (so that they do not depend on the steps)."""
    env = draw(program, 7)
    if forward is not None:
        values = evaluate(forward, draw(forward, 3))
        env.update({port.var: values[port.var] for port in program.ports(Role.TAPE)})
    values = evaluate(program, env)
    return {(port.role, port.key): np.asarray(values[port.var]) for port in program.outputs}


def compare(before: dict[tuple[str, str], np.ndarray], after: dict[tuple[str, str], np.ndarray]) -> None:
    assert before.keys() == after.keys()
    for key, value in before.items():
        np.testing.assert_allclose(after[key].reshape(value.shape), value, rtol=TOLERANCE, atol=TOLERANCE, err_msg=str(key))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("change", [*FORWARD_PASSES, lower], ids=lambda change: change.__name__)
def test_forward_pass(name: str, change: Pass) -> None:
    program = flatten(CELLS[name]())
    expected = outputs(program)
    for earlier in FORWARD_PASSES:
        if earlier is change:
            break
        program = earlier(program)
    compare(expected, outputs(change(program)))


@pytest.mark.parametrize("name", SMALL)
def test_backward_passes_and_lowering(name: str) -> None:
    plain = flatten(CELLS[name]())
    fused = plain
    for change in FORWARD_PASSES:
        fused = change(fused)
    expected = outputs(adjoint(plain), plain)
    backward = adjoint(fused)
    compare(expected, outputs(backward, fused))
    for change in BACKWARD_PASSES:
        backward = change(backward)
        compare(expected, outputs(backward, fused))
    constants = tuple(step for step in fused.steps if step.op.name == "constant")
    compare(expected, outputs(lower(backward, constants), fused))


def test_products_and_gates_of_an_lstm_are_fused() -> None:
    program = flatten(CELLS["lstm"]())
    for change in FORWARD_PASSES:
        program = change(program)
    operations = [step.op.name for step in program.steps]
    assert operations.count("matmul") == 2  # all gates of x, all gates of h
    assert operations.count("map") == 3  # three sigmoids at once, tanh of the candidate, tanh of c
    backward = adjoint(program)
    for change in BACKWARD_PASSES:
        backward = change(backward)
    assert [step.op.name for step in backward.steps].count("outer") == 2
    assert [step.op.name for step in backward.steps].count("matmul") == 2


def test_a_wrong_pass_is_seen() -> None:
    program = flatten(CELLS["lstm"]())
    steps = list(program.steps)
    last = next(number for number, step in enumerate(steps) if step.op.name == "add")
    wrong = program.with_steps([*steps[:last], replace(steps[last], op=Add((-1, 1, 1))), *steps[last + 1 :]])
    with pytest.raises(AssertionError):
        compare(outputs(program), outputs(wrong))
