"""`Training`: one model trained on one task by one optimiser from one seed, and all that is measured on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof import layers, optimizers
from rnnproof.layers import losses
from rnnproof.study.experiments import tasks
from rnnproof.study.experiments.tasks import Task
from rnnproof.study.sweep.trial import Result, Seed, Trial

# Keras 3's clipnorm is of each array by itself, as the lecture defines the norm; global_clipnorm is of all together.
SEMANTICS = "keras-3"
CLIPS = {"none": "", "norm": "clipnorm", "value": "clipvalue", "global": "global_clipnorm"}
_BLOCK = 10  # steps over which a batch's loss is averaged before it is compared with a target
_CURVE = 40  # points that are kept of the course of the loss
_GATES: dict[str, dict[str, Any]] = {
    "SimpleRNN": {},
    "LSTM": {"recurrent_activation": "sigmoid", "implementation": 2},
    "GRU": {"recurrent_activation": "sigmoid", "implementation": 2},
}


@dataclass(frozen=True)
class Training(Trial):
    """A training run: `steps` batches, float32.

    `clip` is none, norm (of each array), value or global (the norm of all), by `limit`; `start` names the first weights;
    `target` is a loss to reach, as a share of that of the best constant answer; with `tested`, the run ends once less than
    1 % of that many test sequences are wrong. `frozen` puts the recurrent layer's first weights back after each step: what
    diverges then does so for the learning rate of the output layer, and not for gradients that explode in the recurrence.
    """

    task: str
    length: int | None
    layer: str
    units: int
    optimizer: str
    lr: float
    clip: str
    limit: float | None
    batch: int
    steps: int
    seed: Seed
    start: str = "keras"
    target: float | None = None
    tested: int = 0
    frozen: bool = False

    def run(self) -> Result:
        """Losses at the start and at the end; the step at which it was not finite; steps to the target; what clipping did."""
        weights, data, test = self.seed.streams(3)
        task = tasks.load(self.task, self.length)
        model = self.model(task, weights)
        loss = losses.get(task.loss)
        course, first = _Course(task, self), model.layers[0].get_weights()
        with np.errstate(all="ignore"):
            for step in range(self.steps):
                x, y, mask = task.draw(data, self.batch)
                measured = model.train_on_batch(x, y, loss, mask)
                if self.frozen:
                    model.layers[0].set_weights(first)
                course.add(measured, model.optimizer.last_clip)  # type: ignore[union-attr]  # model() sets it
                finite = all(np.isfinite(weight).all() for weight in model.weights)
                if not math.isfinite(measured["loss"]) or not finite:
                    course.stopped = step + 1
                    break
                if self.tested and course.promising and _wrong(model, task, test, self.tested) < 0.01:
                    course.solved = step + 1
                    break
            if course.stopped is None:
                course.wrong = _wrong(model, task, test, self.tested or 1000)
        return course.result()

    def model(self, task: Task, rng: np.random.Generator) -> layers.Sequential:
        """The layer and a Dense one behind it, with their first weights and the optimiser."""
        last = "softmax" if task.loss == "categorical_crossentropy" else "linear"
        seeds = [int(seed) for seed in rng.integers(0, 2**31, 2)]
        layer = getattr(layers, self.layer)(self.units, seed=seeds[0], dtype="float32", **_GATES[self.layer])
        model = layers.Sequential([layer, layers.Dense(task.outputs, activation=last, seed=seeds[1], dtype="float32")])
        model.build((1, self.length or 1, task.features), np.float32)
        if self.start != "keras":
            STARTS[self.start](model, rng)
        options = {CLIPS[self.clip]: self.limit, "clip_semantics": SEMANTICS} if self.clip != "none" else {}
        model.optimizer = getattr(optimizers, self.optimizer)(lr=self.lr, **options)
        return model


class _Course:
    """What is noted at each step of a run."""

    def __init__(self, task: Task, trial: Training) -> None:
        self.task, self.trial = task, trial
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.cosines: list[float] = []
        self.shares: list[float] = []
        self.accuracies: list[float] = []
        self.stopped: int | None = None
        self.solved: int | None = None
        self.wrong: float | None = None

    def add(self, measured: dict[str, float], clip: Any) -> None:
        self.losses.append(measured["loss"])
        self.accuracies.append(measured.get("accuracy", 0.0))
        self.norms.append(clip.norm_before)
        if clip.share_clipped > 0:
            self.shares.append(clip.share_clipped)
            self.cosines.append(clip.cosine)

    @property
    def promising(self) -> bool:
        """Every 50 steps: whether the batches since the last time were right often enough to be worth a test."""
        return len(self.losses) % 50 == 0 and float(np.mean(self.accuracies[-50:])) > 0.985

    def result(self) -> Result:
        """As JSON can hold it; infinite numbers and NaN are None."""
        losses = np.array(self.losses)
        blocks = np.convolve(losses, np.full(_BLOCK, 1 / _BLOCK), "valid") if len(losses) >= _BLOCK else losses[:0]
        goal = -math.inf if self.trial.target is None else self.trial.target * self.task.baseline
        reached = np.flatnonzero(blocks <= goal)
        points = np.unique(np.linspace(0, len(losses) - 1, _CURVE).astype(int))
        last = losses[-max(len(losses) // 10, 1) :]
        norms = [norm for norm in self.norms if math.isfinite(norm)]
        cosines = [cosine for cosine in self.cosines if math.isfinite(cosine)]
        measured = {
            "baseline": self.task.baseline,
            "first": losses[0],
            "final": math.nan if self.stopped else float(np.mean(last)),
            "stopped": self.stopped,
            "to_target": int(reached[0]) + _BLOCK if len(reached) else None,
            "solved": self.solved,
            "wrong": self.wrong,
            "steps": len(losses),
            "norm_first": self.norms[0],
            "norm_median": np.median(norms) if norms else None,
            "norm_largest": np.max(norms) if norms else None,
            "clipped": len(self.shares) / len(losses),
            "entries_clipped": np.mean(self.shares) if self.shares else 0.0,
            "cosine": np.mean(cosines) if cosines else None,
            "cosine_least": np.min(cosines) if cosines else None,
            "at": [int(point) + 1 for point in points],
            "loss_at": [_plain(losses[point]) for point in points],
        }
        return {name: _plain(value) for name, value in measured.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def _wrong(model: layers.Sequential, task: Task, rng: np.random.Generator, count: int) -> float:
    """The share of test sequences that are not right."""
    x, y, mask = task.test(rng, count)
    return 1.0 - float(np.mean(task.right(model.predict(x, mask=mask, batch_size=1000), y)))


def smart_tanh(model: layers.Sequential, rng: np.random.Generator) -> None:
    """Pascanu et al. 2013: weights of deviation 0.01, the recurrent ones 15 a unit, with a spectral radius of 0.95."""
    layer, dense = model.layers
    units = len(layer.weights[1])
    recurrent = np.zeros((units, units))
    for column in range(units):
        chosen = rng.permutation(units)[: min(15, units)]
        recurrent[chosen, column] = rng.standard_normal(len(chosen))
    recurrent *= 0.95 / np.max(np.abs(np.linalg.eigvals(recurrent)))
    kernel, output = (0.01 * rng.standard_normal(one.weights[0].shape) for one in (layer, dense))
    layer.set_weights([kernel, recurrent, np.zeros(units)])
    dense.set_weights([output, np.zeros_like(dense.weights[1])])


def basic_tanh(model: layers.Sequential, rng: np.random.Generator) -> None:
    """Pascanu et al. 2013: all weights of deviation 0.1."""
    for layer in model.layers:
        *matrices, bias = layer.weights
        layer.set_weights([0.1 * rng.standard_normal(matrix.shape) for matrix in matrices] + [np.zeros_like(bias)])


STARTS: dict[str, Callable[[layers.Sequential, np.random.Generator], None]] = {
    "smart-tanh": smart_tanh,
    "basic-tanh": basic_tanh,
}


def diverged(result: Result) -> bool:
    """A number was not finite, or the loss at the end is over 1.5 times that at the start and that of a constant answer."""
    return result["stopped"] is not None or result["final"] > 1.5 * max(result["first"], result["baseline"])
