"""50 steps of every optimiser with every clipping option, beside the framework that has the rule."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof import optimizers
from tests.lazy import tf
from tests.lazy import tf_keras_v1_optimizers as optimizer_v1

STEPS, SIZE, SPLIT = 50, 11, 4
_RNG = np.random.default_rng(3)
START, CENTRE, SCALE = _RNG.normal(size=SIZE), 3 * _RNG.normal(size=SIZE), np.linspace(0.2, 3, SIZE)
CLIPS: dict[str, dict[str, float]] = {
    "none": {},
    "clipnorm": {"clipnorm": 0.7},
    "clipvalue": {"clipvalue": 0.3},
    "both": {"clipnorm": 0.7, "clipvalue": 0.3},
}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{}, {"momentum": 0.9, "decay": 0.01}, {"momentum": 0.9, "nesterov": True}],
    "Adagrad": [{}, {"decay": 0.05}],
    "RMSprop": [{}, {"rho": 0.8, "decay": 0.05}],
    "Adadelta": [{}, {"decay": 0.05}],
    "Adam": [{}, {"amsgrad": True}],
    "Adamax": [{}],
    "Nadam": [{}, {"schedule_decay": 0.05}],
}


@dataclass(frozen=True)
class Row:
    """One comparison: the largest difference of the variables over all steps, relative to their largest entry."""

    optimizer: str
    options: dict[str, Any]
    clip: str
    semantics: str
    reference: str
    error: float


def gradient(p: Any) -> Any:
    """Of a bowl with ripples: of order 10."""
    return 2 * SCALE * (p - CENTRE) + 3 * np.cos(3 * p)


def split(p: Any) -> list[Any]:
    """Two variables of different shapes."""
    return [p[:SPLIT].reshape(2, 2).copy(), p[SPLIT:].copy()]


def joined(parts: Any) -> Any:
    return np.concatenate([np.ravel(part) for part in parts])


def ours(name: str, options: dict[str, Any], *, prepare: Callable[[Any], None] | None = None, factor: float = 1.0) -> Any:
    """The variables after each step, as one row of numbers; `factor` scales the gradients."""
    optimizer, parts, path = getattr(optimizers, name)(**options), split(START), []
    for _ in range(STEPS):
        if prepare is not None:
            prepare(optimizer)
        optimizer.apply_gradients(zip(split(factor * gradient(joined(parts))), parts, strict=True))
        path.append(joined(parts))
    return np.array(path)


def v1(name: str, options: dict[str, Any], *, rates: Any = None) -> Any:
    """tf_keras's v1 optimiser on one variable that holds everything: its clipnorm then is the norm of all gradients.

    `rates` sets the learning rate of each step. The graph leaves open whether a learning rate that decays reads `iterations`
    before or after it grows; here it grows when a step's updates are done, so that the first step has the rate itself.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.Variable(START, dtype=tf.float64)
        optimizer = getattr(optimizer_v1, name)(**options)
        loss = tf.reduce_sum(SCALE * (variable - CENTRE) ** 2) + tf.reduce_sum(tf.sin(3 * variable))
        updates = optimizer.get_updates(loss, [variable])
        made = [update for update in updates if not isinstance(update, tuple)]
        steps = [update for update in made if update.op.type != "AssignAddVariableOp"]
        count = [update for update in made if update.op.type == "AssignAddVariableOp"]
        with tf.control_dependencies(steps):
            later = [tf.compat.v1.assign(*update) for update in updates if isinstance(update, tuple)]
        session.run(tf.compat.v1.global_variables_initializer())
        path = []
        for step in range(STEPS):
            if rates is not None:
                optimizer.lr.load(rates[step], session)
            session.run([*steps, *later])
            session.run(count)
            path.append(session.run(variable))
        return np.array(path)


def eager(optimizer: Any, factor: float = 1.0) -> Any:
    """A later generation, on the two variables."""
    parts = [tf.Variable(part) for part in split(START)]
    path = []
    for _ in range(STEPS):
        gradients = [tf.constant(g) for g in split(factor * gradient(joined([part.numpy() for part in parts])))]
        optimizer.apply_gradients(zip(gradients, parts, strict=True))
        path.append(joined([part.numpy() for part in parts]))
    return np.array(path)


def error(path: Any, reference: Any) -> float:
    return float(np.max(np.abs(path - reference)) / np.max(np.abs(reference)))


def rows() -> list[Row]:
    """Every optimiser and clip against tf_keras v1, whose update rules are those of Keras 2.2.4."""
    found = []
    for name, variants in OPTIONS.items():
        for options in variants:
            for clip, limits in CLIPS.items():
                both = {**options, **limits}
                found.append(Row(name, options, clip, "keras-2.2.4", "tf_keras v1", error(ours(name, both), v1(name, both))))
    return found


GENERATIONS = {"legacy": "tf_keras.optimizers.legacy", "new": "tf_keras.optimizers", "Keras 3": "keras.optimizers"}


def generations() -> list[Row]:
    """The later generations with their rules and our hyperparameters, unclipped, on gradients of order 10 and of order 0.01.

    The largest difference is over the longest way that a variable went.
    """
    found = []
    for name in OPTIONS:
        rate = 0.1  # large enough for a different rule to show
        for factor, size in ((1.0, "10"), (1e-3, "0.01")):
            path = ours(name, {"lr": rate}, factor=factor)
            for label, module in GENERATIONS.items():
                theirs = eager(getattr(importlib.import_module(module), name)(learning_rate=rate), factor)
                apart = float(np.max(np.abs(path - theirs)) / np.max(np.abs(theirs - START)))
                found.append(Row(name, {}, "none", "", f"{label}, {size}", apart))
    return found
