"""Constraints by their properties (the layers' grid compares them with tf_keras), dropout masks by their statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from rnnproof.runtime import constraints, dropout

W = 2 * np.random.default_rng(0).normal(size=(6, 9))


def norms(w: Any) -> Any:
    return np.linalg.norm(w, axis=0)


def test_max_norm() -> None:
    """Keras adds 1e-7 to the norm it divides by, so a column ends that much short of the limit, and the others shrink by it."""
    after = constraints.MaxNorm(3.0)(W)
    assert (norms(after) <= 3.0).all() and (norms(W) > 3.0).any()
    kept = norms(W) <= 3.0
    assert kept.any()
    np.testing.assert_allclose(after[:, kept], W[:, kept], rtol=2e-7)
    np.testing.assert_allclose(norms(after)[~kept], 3.0, rtol=1e-7)


def test_the_others() -> None:
    np.testing.assert_allclose(norms(constraints.UnitNorm()(W)), 1, rtol=1e-6)
    np.testing.assert_array_equal(constraints.NonNeg()(W), np.maximum(W, 0))
    after = norms(constraints.MinMaxNorm(4.0, 5.0)(W))
    assert (after >= 4.0 * (1 - 1e-7)).all() and (after <= 5.0).all()
    half = norms(constraints.MinMaxNorm(4.0, 5.0, rate=0.5)(W))
    np.testing.assert_allclose(half, (np.clip(norms(W), 4, 5) + norms(W)) / 2, rtol=1e-6)
    rows = constraints.UnitNorm(axis=1)(W)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", constraints._NAMES)
def test_names_and_dtypes(name: str) -> None:
    made: Any = constraints.get(name)
    assert made(W.astype(np.float32)).dtype == np.float32
    assert constraints.get({"class_name": type(made).__name__, "config": made.get_config()}) == made


def test_bad_constraints() -> None:
    for call, words in (
        (lambda: constraints.get("maxnorm", "bias_constraint"), "bias_constraint='maxnorm'.*max_norm"),
        (lambda: constraints.get(3), "constraint=3"),
        (lambda: constraints.MaxNorm(-1), "max_value=-1"),
        (lambda: constraints.MinMaxNorm(2, 1), "larger than"),
        (lambda: constraints.MinMaxNorm(rate=2), "rate=2.*0 to 1"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_statistics(rate: float) -> None:
    """The number of zeros is binomial; a right mask is outside these quantiles with probability 1e-6."""
    masks = dropout.mask((40, 50, 30), rate, np.random.default_rng(2))
    assert set(np.unique(masks)) == {0.0, 1 / (1 - rate)}
    low, high = stats.binom(masks.size, rate).ppf([5e-7, 1 - 5e-7])
    assert low <= np.count_nonzero(masks == 0) <= high
    # neighbours along any axis are independent: the correlation of n pairs is normal with deviation 1/sqrt(n)
    for axis in range(3):
        a, b = np.delete(masks, 0, axis).ravel(), np.delete(masks, -1, axis).ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)


def test_dropout_of_nothing_and_bad_rates() -> None:
    assert (dropout.mask((3, 4), 0.0, np.random.default_rng(0)) == 1).all()
    for rate in (1.0, -0.1, True, float("nan")):
        with pytest.raises(ValueError, match="rate="):
            dropout.mask((3,), rate, np.random.default_rng(0))
