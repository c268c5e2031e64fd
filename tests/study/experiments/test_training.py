"""Training runs: what is measured is what happened, step by step, and what overflows is a result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnnproof.layers import losses
from rnnproof.runtime import clipping
from rnnproof.study.experiments import tasks
from rnnproof.study.experiments.training import CLIPS, SEMANTICS, Training, diverged
from rnnproof.study.sweep.trial import spawned

(SEED,) = spawned(3, 1)
RUN = Training("temporal-order", 12, "SimpleRNN", 7, "SGD", 0.3, "norm", 0.2, 5, 40, SEED, target=0.95)


def test_the_same_record_gives_the_same_result() -> None:
    assert RUN.run() == RUN.run()
    assert RUN.run() != replace(RUN, seed=spawned(3, 2)[1]).run()


@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("clip", CLIPS)
def test_what_a_run_says_is_what_its_steps_were(layer: str, clip: str) -> None:
    """The same run step by step, with the clipping computed outside the optimiser."""
    trial = replace(RUN, layer=layer, clip=clip, limit=None if clip == "none" else 0.05)
    result = trial.run()
    weights, data, _ = trial.seed.streams(3)
    task = tasks.load(trial.task, trial.length)
    model, loss = trial.model(task, weights), losses.get(task.loss)
    option = {CLIPS[clip]: 0.05} if clip != "none" else {}
    values, norms, cosines, entries = [], [], [], []
    for _ in range(trial.steps):
        x, y, mask = task.draw(data, trial.batch)
        output = model(x, mask=mask, training=True)
        value, d = loss(y, output)
        model.backward(d)
        after, _ = clipping.clip(model.gradients, **option, semantics=SEMANTICS)
        old, new = (np.concatenate([g.ravel() for g in arrays]).astype(float) for arrays in (model.gradients, after))
        values.append(value)
        norms.append(np.linalg.norm(old))
        changed = np.abs(new - old) > 3e-7 * np.abs(old)
        if changed.any():
            cosines.append(old @ new / np.linalg.norm(old) / np.linalg.norm(new))
            entries.append(changed.mean())
        for weight, gradient in zip(model.weights, after, strict=True):
            weight -= np.float32(trial.lr) * gradient
    # the two runs add the same float32 numbers, in which an update rounds once or twice: 40 steps of 1e-7, amplified
    close: Any = {"rel": 1e-3}
    assert result["first"] == values[0] and result["final"] == pytest.approx(np.mean(values[-4:]), **close)
    assert result["norm_median"] == pytest.approx(np.median(norms), **close)
    assert result["norm_largest"] == pytest.approx(np.max(norms), **close)
    assert result["clipped"] == len(cosines) / trial.steps and (len(cosines) > 0) == (clip != "none")
    if cosines:
        assert result["cosine"] == pytest.approx(np.mean(cosines), **close)
        assert result["cosine_least"] == pytest.approx(np.min(cosines), **close)
        assert result["entries_clipped"] == pytest.approx(np.mean(entries), rel=0.05)
    blocks = [np.mean(values[at : at + 10]) for at in range(len(values) - 9)]
    reached = [at + 10 for at, mean in enumerate(blocks) if mean <= 0.95 * task.baseline]
    assert result["to_target"] == (reached[0] if reached else None)
    assert result["at"][0] == 1 and result["at"][-1] == 40 and result["loss_at"][0] == values[0]


def test_a_run_that_overflows_says_at_which_step() -> None:
    """Warnings are errors here: none is given."""
    trial = replace(RUN, task="adding", length=10, lr=1.0, clip="none", limit=None, steps=200)
    result = trial.run()
    step = result["stopped"]
    assert step is not None and step == result["steps"] < 200 and diverged(result)
    assert result["final"] is None and result["wrong"] is None
    shorter = replace(trial, steps=step - 1).run()
    assert shorter["stopped"] is None and shorter["loss_at"] == pytest.approx(result["loss_at"][: len(shorter["loss_at"])])


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        ({"stopped": 3, "final": None, "first": 1.0, "baseline": 1.0}, True),
        ({"stopped": None, "final": 1.4, "first": 1.0, "baseline": 0.5}, False),
        ({"stopped": None, "final": 1.6, "first": 1.0, "baseline": 0.5}, True),
        ({"stopped": None, "final": 1.6, "first": 1.0, "baseline": 1.2}, False),
    ],
)
def test_diverged(result: dict[str, Any], wanted: bool) -> None:
    assert diverged(result) is wanted


def test_a_solved_task_ends_the_run() -> None:
    trial = replace(RUN, length=10, units=20, batch=20, steps=1500, start="smart-tanh", lr=0.05, limit=1.0, tested=500)
    result = trial.run()
    assert result["solved"] is not None and result["solved"] % 50 == 0 and result["wrong"] < 0.01 + 3 * 0.01
    assert result["steps"] == result["solved"]


def test_pascanus_first_weights() -> None:
    task = tasks.load("temporal-order", 10)
    smart, dense = replace(RUN, units=50, start="smart-tanh").model(task, np.random.default_rng(0)).layers
    kernel, recurrent, bias = smart.weights
    assert dense.weights[0].std() == pytest.approx(0.01, rel=0.2) and not dense.weights[1].any()  # 200 draws: 5 % of deviation
    assert (np.count_nonzero(recurrent, axis=0) == 15).all() and not bias.any()
    # float32 weights: the radius is exact to some roundings
    assert np.max(np.abs(np.linalg.eigvals(recurrent.astype(float)))) == pytest.approx(0.95, rel=1e-5)
    assert kernel.std() == pytest.approx(0.01, rel=0.15)  # 300 draws: 4 % of deviation
    basic, dense = replace(RUN, units=50, start="basic-tanh").model(task, np.random.default_rng(0)).layers
    assert dense.weights[0].std() == pytest.approx(0.1, rel=0.2)
    assert basic.weights[1].std() == pytest.approx(0.1, rel=0.06)  # 2500 draws: 1.4 % of deviation


def test_a_frozen_layer_stays_as_it_was() -> None:
    """What is left is a regression on fixed features: its gradients do not grow, and only the output layer learns."""
    trial = replace(RUN, frozen=True, clip="none", limit=None, lr=0.01)
    weights = trial.seed.streams(3)[0]
    task = tasks.load(trial.task, trial.length)
    first = trial.model(task, weights).get_weights()
    kept: list[Any] = []
    model = Training.model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "model", lambda self, *given: kept.append(model(self, *given)) or kept[-1])
        result = trial.run()
    assert all(np.array_equal(a, b) for a, b in zip(kept[0].layers[0].weights, first[:3], strict=True))
    assert not np.array_equal(kept[0].layers[1].weights[0], first[3]) and not diverged(result)


def test_targets_need_ten_batches() -> None:
    assert replace(RUN, steps=9, target=100.0).run()["to_target"] is None
    assert replace(RUN, steps=10, target=100.0).run()["to_target"] == 10
