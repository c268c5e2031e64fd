"""A cell with several inputs: the contract's INPUTS, dicts in and out, and every oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rnnproof as rp
from rnnproof.verification.sample import Layout

DECODER = r"""
z_t = \sigma(W_z y_t + U_z s_{t-1} + C_z c_t)
r_t = \sigma(W_r y_t + U_r s_{t-1} + C_r c_t)
\tilde s_t = \tanh(W y_t + U (r_t \odot s_{t-1}) + C c_t + b)
s_t = (1 - z_t) \odot s_{t-1} + z_t \odot \tilde s_t
"""
SIZES = {"T": 4, "B": 3, "hidden": 5, "y_size": 2, "c_size": 7}


@pytest.fixture(scope="module")
def cell() -> Any:
    (found,) = rp.read_text(DECODER, name="decoder")
    return found


def test_the_module_tells_its_inputs_by_name(cell: Any) -> None:
    module = rp.build(cell)
    assert module.INPUT is None and module.INPUTS == {"y": ("y_size",), "c": ("c_size",)}


def test_values_and_gradients_go_in_and_out_by_name(cell: Any) -> None:
    """A step is forward over one step; the gradient by an input is that of differences along a direction."""
    module, point = rp.build(cell), Layout.of_cell(cell).draw(SIZES, seed=3)
    trace = module.forward(point.params, point.xs, point.initial)
    gradients = module.backward(trace, point.d_states)
    assert {name: array.shape for name, array in gradients.inputs.items()} == {"y": (4, 3, 2), "c": (4, 3, 7)}
    first = module.step(point.params, {name: array[0] for name, array in point.xs.items()}, point.initial)
    np.testing.assert_array_equal(first["s"], trace.states["s"][0])
    rng, h = np.random.default_rng(0), 1e-6
    for name in ("y", "c"):
        direction = rng.standard_normal(point.xs[name].shape)
        ends = []
        for side in (h, -h):
            moved = {**point.xs, name: point.xs[name] + side * direction}
            states = module.forward(point.params, moved, point.initial).states["s"]
            ends.append(float((states * point.d_states["s"]).sum()))
        slope = float((gradients.inputs[name] * direction).sum())
        # central differences: h^2 times a third derivative of order one, and rounding of a sum of 60 terms over h
        assert abs((ends[0] - ends[1]) / (2 * h) - slope) < 1e-8 * max(1.0, abs(slope)) * 100


def test_every_oracle_agrees_and_every_gradient_is_compared(cell: Any) -> None:
    evidence = rp.check(cell)
    assert evidence.ok
    for oracle in ("autograd", "jax", "complex", "central"):
        assert {"input y", "input c"} <= {row.gradient for row in evidence if row.oracle == oracle}


def test_a_module_alone_is_checked_by_what_it_tells(cell: Any) -> None:
    assert rp.check(rp.build(cell)).ok


def test_a_wrong_gradient_of_one_input_is_seen(cell: Any) -> None:
    text = rp.generate(cell)
    broken = text.replace('"c": d_c', '"c": 0.5 * d_c') if '"c": d_c' in text else None
    assert broken is not None and broken != text
    names: dict[str, Any] = {"__name__": "broken"}
    exec(compile(broken, "broken.py", "exec"), names)
    module = type("Module", (), {key: staticmethod(value) if callable(value) else value for key, value in names.items()})
    evidence = rp.check(module, against=cell)
    assert {row.gradient for row in evidence.failures} == {"input c"}


def test_exact_proof(cell: Any) -> None:
    assert rp.prove(cell).proved


def test_a_gradient_is_asked_for_by_the_inputs_name(cell: Any) -> None:
    assert "C_z" in str(rp.derive(cell).gradient(of="c")) and "C_z" not in str(rp.derive(cell).gradient(of="y"))


@pytest.mark.parametrize(
    ("xs", "message"),
    [
        (np.zeros((4, 3, 2)), "ndarray; give a dict"),
        ({"y": np.zeros((4, 3, 2))}, "input 'c' is missing"),
        ({"y": np.zeros((4, 3, 2)), "c": np.zeros((4, 3, 7)), "d": 0}, "'d'"),
        ({"y": np.zeros((4, 3, 2)), "c": np.zeros((5, 3, 7))}, "input 'c'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(cell: Any, xs: Any, message: str) -> None:
    module, point = rp.build(cell), Layout.of_cell(cell).draw(SIZES, seed=3)
    with pytest.raises(ValueError, match=message):
        module.forward(point.params, xs, point.initial)
