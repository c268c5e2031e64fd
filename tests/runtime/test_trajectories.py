"""50 steps of every optimiser, clipped in every way, against tf_keras v1, later generations, Keras 3 and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rnnproof import optimizers
from tests.runtime import trajectories
from tests.runtime.trajectories import CLIPS, OPTIONS, STEPS, error, ours, v1

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")]

# All in float64. A step makes some ten roundings of 1e-16 of the variable's size; over 50 steps on this loss, whose curvature
# times the learning rate is below one, they add up at most: 50 * 10 * 1e-16 = 5e-14.
TOLERANCE = 5e-14
# Keras 3 and tf_keras's later optimisers keep the learning rate and the betas in float32: 6e-8 relative in each step's length,
# and a clipped path of 50 steps is as long as its variable: 50 steps of at most that, with some room for the betas' powers.
SINGLE = 1e-5
# Where later generations do otherwise, the paths part by more than this.
APART = 1e-3

PARAMETERS = [(name, options, clip) for name, variants in OPTIONS.items() for options in variants for clip in CLIPS]


@pytest.mark.parametrize(("name", "options", "clip"), PARAMETERS)
def test_tf_keras_v1(name: str, options: dict[str, Any], clip: str) -> None:
    both = {**options, **CLIPS[clip]}
    assert error(ours(name, both), v1(name, both)) <= TOLERANCE


@pytest.mark.parametrize("name", ["Adam", "Adamax"])
def test_decay_of_adam(name: str) -> None:
    """v1's graph of these two makes `iterations` grow within the updates, with or after the rate: it is set from outside."""
    rates = [0.05 / (1 + 0.1 * step) for step in range(STEPS)]
    assert error(ours(name, {"lr": 0.05, "decay": 0.1}), v1(name, {"lr": 0.05}, rates=rates)) <= TOLERANCE


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
@pytest.mark.parametrize("semantics", ["tf.keras-2.15", "keras-3"])
def test_clipping_of_later_generations(semantics: str, clip: str) -> None:
    import keras
    import tf_keras

    module = tf_keras.optimizers.legacy if semantics == "tf.keras-2.15" else keras.optimizers
    theirs = trajectories.eager(module.SGD(learning_rate=0.01, **{clip: 0.7}))
    assert error(ours("SGD", {clip: 0.7, "clip_semantics": semantics}), theirs) <= SINGLE
    assert error(ours("SGD", {}), theirs) > 0.01


def test_torch_clipping() -> None:
    """clip_grad_norm_ and then clip_grad_value_, on both variables together, before plain steps."""
    parts = [torch.tensor(part, requires_grad=True) for part in trajectories.split(trajectories.START)]
    optimizer = torch.optim.SGD(parts, lr=0.01)
    path = []
    for _ in range(STEPS):
        gradients = trajectories.split(trajectories.gradient(trajectories.joined([p.detach().numpy() for p in parts])))
        for part, value in zip(parts, gradients, strict=True):
            part.grad = torch.tensor(value)
        torch.nn.utils.clip_grad_norm_(parts, 0.7)
        torch.nn.utils.clip_grad_value_(parts, 0.3)
        optimizer.step()
        path.append(trajectories.joined([p.detach().numpy() for p in parts]))
    options = {"clipnorm": 0.7, "clipvalue": 0.3, "clip_semantics": "torch"}
    assert error(ours("SGD", options), np.array(path)) <= TOLERANCE
    assert error(ours("SGD", {"clipnorm": 0.7, "clipvalue": 0.3}), np.array(path)) > TOLERANCE  # its 1e-6 shows


def test_later_generations_differ_where_the_table_says() -> None:
    found: dict[str, set[str]] = {}
    for row in trajectories.generations():
        if row.error > APART:
            found.setdefault(row.optimizer, set()).add(row.reference.partition(",")[0])
        else:
            assert row.error <= SINGLE, row
    assert found == {"Adagrad": {"legacy", "new", "Keras 3"}, "RMSprop": {"new", "Keras 3"}, "Nadam": {"new", "Keras 3"}}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_planted_fault_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = getattr(optimizers, name)
    right = made._update
    monkeypatch.setattr(made, "_update", lambda self, p, g, slots, step: right(self, p, g * 1.001 + 1e-4, slots, step))
    assert error(ours(name, {}), v1(name, {})) > TOLERANCE


@pytest.mark.parametrize("name", OPTIONS)
def test_learning_state_goes_on_where_it_stopped(name: str) -> None:
    def restart(optimizer: Any) -> None:
        state = optimizer.get_weights()
        fresh = getattr(optimizers, name).from_config(optimizer.get_config())
        fresh.set_weights(state)
        optimizer.__dict__.update(fresh.__dict__)

    options = OPTIONS[name][-1]
    np.testing.assert_array_equal(ours(name, options, prepare=restart), ours(name, options))


@pytest.mark.parametrize("name", OPTIONS)
def test_float32_stays_float32(name: str) -> None:
    parts = [part.astype(np.float32) for part in trajectories.split(trajectories.START)]
    before = [part.copy() for part in parts]
    optimizer = getattr(optimizers, name)(clipnorm=0.5)
    report = optimizer.apply_gradients([(np.ones_like(part), part) for part in parts])
    assert all(part.dtype == np.float32 for part in parts) and all((a != b).any() for a, b in zip(parts, before, strict=True))
    assert all(array.dtype == np.float32 for array in optimizer.get_weights() if array.ndim)
    assert report is optimizer.last_clip and report.norm_after == pytest.approx(0.5, rel=1e-6)
