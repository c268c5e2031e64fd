"""Suprema of the slopes: SymPy's, against a dense sample of each activation."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from rnnproof.calculus.bounds import image, sup_slope, written_out
from rnnproof.equations import activations
from rnnproof.equations.activations import X

KNOWN = {"tanh": 1, "sigmoid": sp.Rational(1, 4), "hard_sigmoid": sp.Rational(1, 5), "relu": 1, "softplus": 1, "linear": 1}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_suprema_are_exact(name: str) -> None:
    assert sup_slope(activations.find(name).function) == KNOWN[name]


@pytest.mark.parametrize("name", [name for name in activations.names() if name not in ("exponential", "reciprocal")])
@pytest.mark.slow
def test_no_sample_is_above_and_some_come_near(name: str) -> None:
    """On [-30, 30] in steps of 1e-3 a smooth slope misses its supremum by about (1e-3)^2, at the ends by exp(-30)."""
    function = activations.find(name).function
    slope = sp.lambdify(X, sp.diff(written_out(activations.of(function).definition), X), ["scipy", "numpy"])
    at = np.concatenate([np.linspace(-30, 30, 60_001) + 1e-7, [-1e-7]])  # beside the kinks, on both sides of 0
    values = np.abs(np.broadcast_to(slope(at), at.shape))
    found = float(sup_slope(function))
    assert values.max() <= found * (1 + 1e-12)
    assert values.max() >= found * (1 - 1e-5)


def test_the_exponential_has_no_bound() -> None:
    assert sup_slope(sp.exp) == sp.oo
    assert image(sp.tanh) == (-1, 1)
