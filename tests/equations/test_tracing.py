"""Activations from Python functions: what is traced is what the function computes; its derivative is checked like any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import rnnproof as rp
from rnnproof.equations import activations, tracing
from rnnproof.equations.activations import X
from rnnproof.errors import EquationError

pytestmark = [pytest.mark.slow]

FUNCTIONS: dict[str, Any] = {
    "bent": lambda x: np.where(x > 0, x, 0.1 * x),
    "larger": lambda x: np.maximum(x, 0.3 * x),
    "clipped": lambda x: np.clip(1 - x, -1, 2),
    "bump": lambda x: x * np.exp(-(x**2)),
    "tent": lambda x: np.abs(x) + 1,
    "capped": lambda x: np.minimum(x, 2.0),
    "root": lambda x: np.sqrt(1 + x * x),
    "signed": lambda x: np.sign(x) * x + np.tanh(x),
    "waves": lambda x: np.sin(x) + np.cos(2 * x) / 3,
    "hyperbolic": lambda x: np.sinh(x) / np.cosh(x),
    "shifted": lambda x: np.where(2 * x - 1 <= 0, np.expm1(x), np.log1p(x + 1)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_traced_generated_and_checked(name: str) -> None:
    function = FUNCTIONS[name]
    function.__name__ = name
    made = tracing.activation(function)
    assert made.name == name and tracing.activation(function) is made
    cell = rp.read_text(rf"h_t = \operatorname{{{name}}}(W x_t + R h_{{t-1}} + b)", name="traced")[0]
    module = rp.build(cell)
    rng = np.random.default_rng(0)
    params = {"W": rng.normal(size=(5, 3)), "R": rng.normal(size=(5, 5)), "b": rng.normal(size=5)}
    x = rng.normal(size=(1, 4, 3))
    found = module.forward(params, x).states["h"][0]
    with np.errstate(invalid="ignore"):  # np.where computes both of its branches; the module does not look where it should not
        expected = function(x[0] @ params["W"].T + params["b"])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)  # two orders of the same few operations
    assert rp.check(cell, oracles=["autograd", "central"], dtypes=["float64"]).ok


def test_a_known_function_is_the_registered_one() -> None:
    for function, name in (
        (np.tanh, "tanh"),
        (sp.tanh, "tanh"),
        (lambda x: np.maximum(x, 0), "relu"),
        (lambda x: np.clip(0.2 * x + 0.5, 0, 1), "hard_sigmoid"),
        (lambda x: np.log1p(np.exp(x)), "softplus"),
        (lambda x: x, "linear"),
        (lambda x: np.where(x > 0, x, 0.2 * x), "leaky_relu"),
    ):
        assert tracing.activation(function).name == name


def test_numbers_are_taken_as_written() -> None:
    assert tracing.expression(lambda x: 0.1 * x) == X / 10


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: np.cbrt(x), "np.cbrt has no expression"),
        (lambda x: x if x > 0 else 0 * x, "truth value"),
        (lambda x: 3.0, "it gives 3"),
        (lambda x: np.maximum(x * x, x), "not linear"),
        (lambda x: np.sum(x), "np.sum has no expression"),
        (lambda x: x.mean(), "AttributeError"),
        (lambda x: np.where(x > 0, x, sp.Symbol("k")), "not an expression of its argument"),
    ],
)
def test_what_can_not_be_traced(function: Any, words: str) -> None:
    with pytest.raises(EquationError, match=f"{words}.*np.where"):
        tracing.activation(function)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: 3 / (1 + np.exp(-2 * x)) - 1, lambda y: -2 * (y - 2) * (y + 1) / 3),
        (lambda x: 2 * np.exp(3 * x) - 1, lambda y: 3 * (y + 1)),
        (lambda x: 1 / (x - 1), lambda y: -(y**2)),
        (lambda x: 1 / np.abs(x), None),
        (lambda x: np.tanh(x) ** 2, None),
        (lambda x: np.log(np.cosh(x)), None),
        (lambda x: np.exp(-(x**2)), None),
        (lambda x: np.sin(np.exp(x)), None),
    ],
)
def test_slopes_in_the_output(function: Any, slope: Any) -> None:
    """Where f' is a + b f + c f^2; elsewhere none is claimed, and none is searched for without end."""
    found = activations.derivative(tracing.activation(function).function).of_output
    assert (found is None) == (slope is None)
    assert slope is None or sp.expand(found - slope(activations.Y)) == 0


def test_a_falling_branch_is_not_read_off_the_output() -> None:
    """|x| has the same value twice: its slope must be told from the input."""
    found = activations.derivative(activations.named("abs"))
    assert found.of_output is None and found.of_input.subs(X, -3) == -1 and found.of_input.subs(X, 0) == 0
