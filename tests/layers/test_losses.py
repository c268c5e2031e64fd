"""Losses and their gradients against tf_keras's functions and a GradientTape; masks, dtypes, accuracies, bad targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnproof.layers import losses
from tests.lazy import tf, tf_keras

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")]

CLASSES = 5
TOLERANCE = 1e-13  # float64: sums of 5 terms and of 12 rows, exp and log; some tens of roundings
CASES = ["mse", "categorical", "categorical logits", "sparse", "sparse logits"]


def made(case: str) -> losses.Loss:
    kinds: dict[str, Any] = {"categorical": losses.CategoricalCrossentropy, "sparse": losses.SparseCategoricalCrossentropy}
    kind, _, logits = case.partition(" ")
    return losses.get("mse") if case == "mse" else kinds[kind](from_logits=bool(logits))  # type: ignore[no-any-return]


def rows(case: str, target: Any, y: Any) -> Any:
    """tf_keras's loss of every row."""
    if case == "mse":
        return tf_keras.losses.mean_squared_error(target, y)
    kind, _, logits = case.partition(" ")
    name = {"categorical": "categorical_crossentropy", "sparse": "sparse_categorical_crossentropy"}[kind]
    return getattr(tf_keras.losses, name)(target, y, from_logits=bool(logits))


def data(case: str, lead: tuple[int, ...]) -> tuple[Any, Any]:
    """Targets and predictions; some probabilities beyond the clipping of 1e-7, logits large enough to overflow exp."""
    rng = np.random.default_rng(len(case) + len(lead))
    y = rng.normal(size=(*lead, CLASSES))
    labels = rng.integers(CLASSES, size=lead)
    if case.endswith("logits"):
        y[0] *= 500
    elif case != "mse":
        y = rng.random(y.shape) + 0.05
        y[0, ..., 0] = 1e-9
        y /= y.sum(-1, keepdims=True)
    if case.startswith("sparse"):
        return labels, y
    return (rng.normal(size=y.shape) if case == "mse" else np.eye(CLASSES)[labels]), y


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("lead", [(4,), (4, 3)])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case: str, lead: tuple[int, ...], masked: bool) -> None:
    target, y = data(case, lead)
    mask = np.random.default_rng(1).random(lead) < 0.6 if masked else None
    variable = tf.Variable(y)
    with tf.GradientTape() as tape:
        found = rows(case, tf.constant(target), variable)
        weights = np.ones(lead) if mask is None else mask.astype(float)
        theirs = tf.reduce_sum(found * weights) / weights.sum()
    value, gradient = made(case)(target, y, mask)
    expected = tape.gradient(theirs, variable).numpy()
    assert value == pytest.approx(float(theirs), rel=TOLERANCE)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())
    assert mask is None or not gradient[~mask].any()


@pytest.mark.parametrize("case", CASES)
def test_float32_stays_float32(case: str) -> None:
    target, y = data(case, (4, 3))
    assert made(case)(target, y.astype(np.float32))[1].dtype == np.float32


def test_accuracy_counts_the_steps_that_count() -> None:
    target, y = np.array([[0, 1], [2, 0]]), np.eye(3)[[[0, 2], [2, 1]]]
    loss = losses.get("sparse_categorical_crossentropy")
    assert loss.accuracy(target, y) == 0.5
    assert loss.accuracy(target, y, np.array([[1, 0], [1, 1]])) == pytest.approx(2 / 3)
    assert losses.get("mse").accuracy(y, y) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: losses.get("mse")(np.ones((3, 2)), np.ones((3, 4))), r"y_true has shape \(3, 2\); it should be \(3, 4\)"),
        (lambda: losses.get("mse")(np.ones(3), np.ones(3)), r"y_pred has shape \(3,\)"),
        (lambda: made("sparse")(np.array([0, 4]), np.ones((2, 4))), "whole numbers from 0 to 3"),
        (lambda: made("sparse")(np.array([0, 0.5]), np.ones((2, 4))), "whole numbers from 0 to 3"),
        (lambda: made("sparse")(np.eye(4), np.ones((4, 4))), r"y_true has shape \(4, 4\); it should be \(4,\)"),
        (lambda: losses.get("mse")(np.ones((3, 2)), np.ones((3, 2)), np.ones(2)), "mask of the loss has shape"),
        (lambda: losses.get("crossentropy"), "loss='crossentropy'.*categorical_crossentropy"),
    ],
)
def test_bad_input(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
