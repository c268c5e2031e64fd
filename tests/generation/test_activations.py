"""Activations and slopes over all binades against mpmath, and at their kinks as the frameworks have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import rnnproof as rp
from rnnproof.equations import activations
from tests.programs.activations import KINDS, arguments, computed, exact, worst

pytestmark = [pytest.mark.slow]

# 1/5 x + 1/2 near -5/2 is what is left of two numbers of order 1, whatever the order of operations
CANCELS = ("hard_sigmoid", "hard_sigmoid_keras3")

# their slope has x (1 - sigma(x)) in it: x times the rounding of what is left of 1, until that is nothing at x = 37
MAGNIFIES = ("swish", "mish")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", activations.names())
def test_within_a_few_units_in_the_last_place(name: str, kind: Any) -> None:
    """Every step rounds once (half a unit), NumPy's exp, expm1, log1p and tanh are within 2.5; no chain has over 4 steps.

    A product or quotient hands on its factors' units, times two where it falls just past a power of two.
    """
    x = arguments(kind)
    if name == "hard_sigmoid_keras3":  # just below 3 its output rounds to 1, and Keras's x + 3 to 6: their slopes are 0
        x = x[np.abs(np.abs(x) - 3) > 4 * np.finfo(kind).eps]
    value, slope = exact(name)
    ours, bent = computed(name, x)
    assert worst(ours, x, value, 1.0 if name in CANCELS else 0.0).units < 5
    assert worst(bent, x, slope, 1.0).units < (5 + 37 / 2 if name in MAGNIFIES else 5)


@pytest.mark.parametrize(
    ("name", "limits"),
    [("tanh", (-1, 1)), ("sigmoid", (0, 1)), ("relu", (0, np.inf)), ("softplus", (0, np.inf)), ("elu", (-1, np.inf))],
)
def test_limits_and_no_number(name: str, limits: tuple[float, float]) -> None:
    value, slope = computed(name, np.array([-np.inf, np.inf, np.nan]))
    assert tuple(value[:2]) == limits and np.isnan(value[2])
    assert slope[0] == 0 and slope[1] == (limits[1] == np.inf)


KINKS = {
    "relu": {0: 0},
    "relu6": {0: 0, 6: 0},
    "leaky_relu": {0: 0.2},
    "elu": {0: 1},
    "selu": {0: 1.0507009873554805},
    "abs": {0: 0},
    "hard_sigmoid": {-2.5: 0.2, 2.5: 0.2},
    "hard_sigmoid_keras3": {-3: 0, 3: 0},
}


@pytest.mark.parametrize("name", KINKS)
def test_the_slope_at_a_kink_is_tensorflows(name: str) -> None:
    import keras
    import tensorflow as tf
    import tf_keras

    own = {
        "hard_sigmoid": tf_keras.activations.hard_sigmoid,
        "hard_sigmoid_keras3": keras.activations.hard_sigmoid,
        "leaky_relu": lambda x: keras.activations.leaky_relu(x, 0.2),
        "abs": tf.abs,
    }
    x = tf.constant([float(at) for at in KINKS[name]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = own[name](x) if name in own else getattr(keras.activations, name)(x)
    for slopes in (computed(name, x.numpy())[1], tape.gradient(y, x).numpy()):
        np.testing.assert_allclose(slopes, list(KINKS[name].values()), rtol=1e-7)  # Keras keeps selu's scale in float32


X = sp.Symbol("x", real=True)
CLIPPED = sp.Piecewise((0, X < -1), (1, X > 1), (X / 2 + sp.Rational(1, 2), True))
SHUT = sp.Piecewise((0, X <= -1), (1, X >= 1), (X / 2 + sp.Rational(1, 2), True))
CAPPED = sp.Piecewise((X, X <= 1), (1, True))


@pytest.mark.parametrize(
    ("name", "definition", "slopes"),
    [
        ("clipped_open", CLIPPED, [0, 0.5, 0.5, 0.5, 0]),
        ("clipped_shut", SHUT, [0, 0, 0.5, 0, 0]),
        ("level_above", CAPPED, [1, 1, 1, 1, 0]),
    ],
)
def test_branches_that_the_output_does_not_tell_apart(name: str, definition: Any, slopes: list[float]) -> None:
    """y = 1 says neither x = 1 nor x > 1: the slope is then read from the argument."""
    rp.activation(name, definition)
    try:
        np.testing.assert_array_equal(computed(name, np.array([-3.0, -1, 0.25, 1, 3]))[1], slopes)
    finally:
        del activations._REGISTRY[name]
