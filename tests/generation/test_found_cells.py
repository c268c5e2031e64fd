"""Cells that random cells found wrong or refused, each in its smallest form; their gradients by the complex step."""

from __future__ import annotations

import pytest

from rnnproof.equations.reader import read_text
from rnnproof.generation import build
from tests.generation.problems import SHAPES, close, complex_step, loss, problem

FOUND = {
    "two products and an elementwise term": (
        r"$z_t = \tanh(W x_t + U h_{t-1})$, $h_t = \sigma(R z_t + p \odot h_{t-1} + V h_{t-1})$"
    ),
    "a parameter stacked above data": r"$s_t = \tanh(W x_t + R s_{t-1})$, $o_t = [s_{t-1}; v]$",
    "a parameter stacked inside the loop": r"$s_t = \tanh(W [R s_{t-1}; v] \odot \sigma(U [v; R s_{t-1}]) + V x_t)$",
    "a part that outlives its stack": r"$s_t = [\operatorname{relu}(h_{t-1}); x_t]$, $h_t = \tanh(W \sigma(s_t) + R h_{t-1})$",
    "a part of a carry is another carry": r"$o_t = [A o_{t-1}; c_{t-1}]$, $c_t = R x_t + A o_{t-1}$",
    "a stack with a parameter as a state": r"$s_t = [v; \tanh(W x_t + R s_{t-1})]$, $v \in \mathbb{R}^{n}$",
    "a name of the module's own arrays": r"$\text{work\_1}_t = \tanh(W x_t + R \text{work\_1}_{t-1})$",
    "a part of a state": r"$s_t = \tanh(R o_{t-1})$, $o_t = [s_t; x_t]$",
    "a size that no parameter shows": (
        r"$s_t = \sigma(s_{t-1} + \omega) \odot \rho x_t + s_{t-1}$, $\omega \in \mathbb{R}$, $\rho \in \mathbb{R}$"
    ),
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND)
def test_gradients(text: str) -> None:
    mod = build(read_text(text, name="found")[0])
    names = {
        part for shape in (*mod.PARAMETERS.values(), mod.STATE_SIZES.values()) for size in shape for part in size.split("+")
    }
    lengths = {name: length for name, length in zip(sorted(names | {mod.INPUT}), (2, 5, 4, 6, 7), strict=False) if name != "1"}
    params, xs, initial, seeds = problem(mod, {**SHAPES[0], **lengths, "1": 1})
    gradients = mod.backward(mod.forward(params, xs, initial), seeds)
    for key in params:
        expected = complex_step(params[key], lambda v, key=key: loss(mod, {**params, key: v}, xs, initial, seeds))
        close(gradients.params[key], expected, key)
    for state in initial:
        expected = complex_step(initial[state], lambda v, s=state: loss(mod, params, xs, {**initial, s: v}, seeds))
        close(gradients.initial[state], expected, state)
    close(gradients.inputs, complex_step(xs, lambda v: loss(mod, params, v, initial, seeds)), "inputs")
