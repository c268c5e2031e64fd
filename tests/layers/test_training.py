"""LSTM, GRU and SimpleRNN learn real sequences as they do in tf_keras from the same weights, batches and optimiser."""

from __future__ import annotations

import numpy as np
import pytest

from tests.layers import training

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
]

# Each step rounds by about 1e-15, and training multiplies earlier differences by at most a few per cent a step: 1e-15 * 1.1^100
# is 1e-11; measured below 1e-14. Clipped, because SimpleRNN's training on the vowels is chaotic otherwise: 1e-16 becomes 1e-5
# within 100 steps, in either implementation.
STEPS, TOLERANCE = 100, 1e-9


@pytest.mark.parametrize("layer", training.LAYERS)
@pytest.mark.parametrize("task", training.TASKS)
def test_loss_curves_of_the_first_steps(task: str, layer: str) -> None:
    given = training.TASKS[task]()
    batches = training.orders(given, STEPS)
    mine, theirs = training.ours(given, layer, batches), training.tf_keras_v1(given, layer, batches)
    assert np.max(np.abs(mine.losses - theirs.losses)) <= TOLERANCE
    assert mine.losses[-10:].mean() < 0.8 * mine.losses[:10].mean()
    assert mine.accuracy == theirs.accuracy


def test_another_start_gives_another_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the comparison sees: a mask that is not looked at."""
    from dataclasses import replace

    given = training.vowels()
    batches = training.orders(given, 10)
    mine = training.ours(replace(given, mask=np.ones_like(given.mask)), "GRU", batches)
    theirs = training.tf_keras_v1(given, "GRU", batches)
    assert np.max(np.abs(mine.losses - theirs.losses)) > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("layer", training.LAYERS)
@pytest.mark.parametrize("task", training.TASKS)
def test_the_same_accuracy_after_training(task: str, layer: str) -> None:
    given = training.TASKS[task]()
    batches = training.orders(given, given.epochs * -(-len(given.x) // 32))
    mine, theirs = training.ours(given, layer, batches), training.tf_keras_v1(given, layer, batches)
    assert mine.accuracy == theirs.accuracy > 0.75
