"""gelu against mpmath: to the last digit or so in the tails, where 1 + erf has none left."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import rnnproof as rp

CELL = r"$h_t = \mathrm{gelu}(w \odot x_t) + \alpha h_{t-1}$, where $\alpha \in \mathbb{R}$"


def gelu(x: Any) -> Any:
    """The generated module's gelu of x, and its slope."""
    module = rp.build(rp.read_text(CELL, name="alone")[0])
    params = {"w": np.ones_like(x), "alpha": np.zeros((), x.dtype)}
    trace = module.forward(params, x[None, None])
    return trace.states["h"][0, 0], module.backward(trace, {"h": np.ones_like(x[None, None])}).inputs[0, 0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_within_two_units_in_the_last_place(kind: Any) -> None:
    """One rounding of Phi(x) and one of the product, each half a unit, and up to one for a product near a power of two."""
    x = np.concatenate([np.random.default_rng(2).uniform(-5, 5, 4000), [-1e-30, 1e-30, -0.5, 4.999]]).astype(kind)
    with mpmath.workdps(40):
        exact = [mpmath.mpf(float(a)) * mpmath.erfc(-mpmath.mpf(float(a)) / mpmath.sqrt(2)) / 2 for a in x]
        units = [
            abs(mpmath.mpf(float(b)) - e) / float(np.spacing(kind(abs(e)))) for b, e in zip(gelu(x)[0], exact, strict=True)
        ]
    assert max(units) < 2


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_signs_and_limits(kind: Any) -> None:
    x = np.array([-1e4, -1000, -40, -13, -7, 7, 13, 40, 1000, 1e4], kind)
    value, slope = gelu(x)
    assert np.all(value[:5] <= 0) and np.all(value[:3] == 0) and np.all(value[3:5] < 0)
    np.testing.assert_allclose(value[5:], x[5:], rtol=1e-11)  # x Phi(7) = 7 (1 - 1.3e-12), the rounding of float32 aside
    np.testing.assert_array_equal(slope[:3], 0)
    assert np.all(slope[3:5] < 0) and np.all(slope[5:] >= 1)


def test_the_complex_step_through_it() -> None:
    """Im gelu(x + i e) / e is the slope: rounding only, as gelu is analytic here, at both sides of 0 and of a table point."""
    x = np.array([-4.97, -3.0, -1.0, -1 / 32, -1e-3, 1e-3, 1 / 32, 1.0, 3.0, 4.97])
    through = gelu(x + 1e-30j)[0].imag / 1e-30
    np.testing.assert_allclose(through, gelu(x)[1], rtol=1e-13, atol=1e-14)
