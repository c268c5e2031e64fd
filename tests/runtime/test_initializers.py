"""Initialisers: distributions by Kolmogorov-Smirnov tests, orthogonality to rounding, the names and defaults of Keras 2.2.4."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rnnproof.runtime import initializers
from rnnproof.runtime.initializers import TRUNCATED_DEVIATION

SHAPE = (60, 170)  # fan_in 60, fan_out 170; 10,200 draws
# A right one fails a KS test with this probability; there are 12 of them with a fixed seed, so they either hold or do not.
ALARM = 1e-4


def uniform(variance: float) -> Any:
    limit = math.sqrt(3 * variance)
    return stats.uniform(-limit, 2 * limit)


def truncated(deviation: float, mean: float = 0.0) -> Any:
    return stats.truncnorm(-2, 2, loc=mean, scale=deviation)


AVERAGE = (60 + 170) / 2
EXPECTED: dict[str, Any] = {
    "random_normal": stats.norm(0, 0.05),
    "random_uniform": stats.uniform(-0.05, 0.1),
    "truncated_normal": truncated(0.05),
    "variance_scaling": truncated(math.sqrt(1 / 60) / TRUNCATED_DEVIATION),
    "lecun_uniform": uniform(1 / 60),
    "lecun_normal": truncated(math.sqrt(1 / 60) / TRUNCATED_DEVIATION),
    "glorot_uniform": uniform(1 / AVERAGE),
    "glorot_normal": truncated(math.sqrt(1 / AVERAGE) / TRUNCATED_DEVIATION),
    "he_uniform": uniform(2 / 60),
    "he_normal": truncated(math.sqrt(2 / 60) / TRUNCATED_DEVIATION),
}


@pytest.mark.parametrize(("name", "law"), EXPECTED.items())
def test_distributions(name: str, law: Any) -> None:
    values = initializers.get(name)(SHAPE, np.float64, np.random.default_rng(7))
    assert values.shape == SHAPE
    assert stats.kstest(values.ravel(), law.cdf).pvalue > ALARM
    assert stats.kstest(values.ravel() * 1.1, law.cdf).pvalue < ALARM  # a tenth off is seen


def test_the_truncated_deviation() -> None:
    assert pytest.approx(stats.truncnorm(-2, 2).std(), rel=1e-14) == TRUNCATED_DEVIATION


@pytest.mark.parametrize("shape", [(5, 5), (5, 20), (20, 5), (1, 4), (7, 28)])
def test_orthogonal(shape: tuple[int, int]) -> None:
    """Householder's QR is orthogonal to a small multiple of n eps (Higham 2002, theorem 19.4)."""
    for gain in (1.0, 1.5):
        q = initializers.Orthogonal(gain=gain)(shape, np.float64, np.random.default_rng(0)) / gain
        product = q @ q.T if shape[0] <= shape[1] else q.T @ q
        assert np.max(np.abs(product - np.eye(min(shape)))) <= 4 * max(shape) * np.finfo(float).eps


def test_orthogonal_is_uniform() -> None:
    """Over all rotations: the first entry of a random 3 x 3 one is uniform on [-1, 1] (Archimedes); not without the signs."""
    rng = np.random.default_rng(1)
    first = [initializers.Orthogonal()((3, 3), np.float64, rng)[0, 0] for _ in range(2000)]
    assert stats.kstest(first, stats.uniform(-1, 2).cdf).pvalue > ALARM


def test_constants() -> None:
    rng = np.random.default_rng(0)
    assert not initializers.get("zeros")((2, 3), np.float32, rng).any()
    assert (initializers.get("ones")((2, 3), np.float32, rng) == 1).all()
    assert (initializers.Constant(0.3)((4,), np.float64, rng) == 0.3).all()
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 3)), [[2, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize("name", initializers._MADE)
def test_every_name(name: str) -> None:
    made = initializers.get(name)
    values = made((4, 6), np.float32, np.random.default_rng(0))
    assert values.dtype == np.float32 and values.shape == (4, 6)
    np.testing.assert_array_equal(values, made((4, 6), np.float32, np.random.default_rng(0)))
    again = initializers.get({"class_name": type(made).__name__, "config": made.get_config()})  # type: ignore[attr-defined]
    assert again == made


def test_a_seed_of_its_own() -> None:
    one = initializers.RandomNormal(seed=3)
    np.testing.assert_array_equal(one((3, 2), rng=np.random.default_rng(0)), one((3, 2), rng=np.random.default_rng(1)))


def test_functions_as_keras_calls_them() -> None:
    for function in (
        lambda shape: np.ones(shape),
        lambda shape, dtype: np.ones(shape, dtype),
        lambda shape, dtype=None: np.ones(shape),
    ):
        assert (initializers.get(function)((2, 3), np.float32) == 1).all()
    with pytest.raises(ValueError, match=r"bias_initializer=<lambda> gave shape \(3, 2\); it should give \(2, 3\)"):
        initializers.get(lambda shape: np.ones(shape[::-1]), "bias_initializer")((2, 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: initializers.get("glorot", "kernel_initializer"), "kernel_initializer='glorot'.*glorot_uniform"),
        (lambda: initializers.get(3), "initializer=3"),
        (lambda: initializers.get({"class_name": "Nothing"}), "class_name"),
        (lambda: initializers.get({"class_name": "Zeros", "config": {"a": 1}}), "give the arguments that Zeros has"),
        (lambda: initializers.VarianceScaling(mode="fan"), "mode='fan'.*fan_in"),
        (lambda: initializers.VarianceScaling(scale=0), "scale=0"),
        (lambda: initializers.get("orthogonal")((4,)), "needs a matrix"),
        (lambda: initializers.Constant([1, 2])((3,)), "array of shape"),
    ],
)
def test_bad_ones(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
