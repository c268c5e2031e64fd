"""Real sequences from PyPI packages, and the same model trained on them by rnnproof and by tf_keras from the same start."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rnnproof import optimizers
from rnnproof.layers import GRU, LSTM, Dense, Sequential, SimpleRNN
from rnnproof.layers import losses as loss_functions
from tests.lazy import tf, tf_keras
from tests.lazy import tf_keras_v1_layers as v1
from tests.lazy import tf_keras_v1_optimizers as optimizer_v1

CLIP = 1.0  # of each array's norm, as tf_keras's v1 optimisers have it; SimpleRNN's gradients explode on the vowels without
LAYERS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}


@dataclass(frozen=True)
class Task:
    """Sequences (n, T, channels), one-hot classes, and which steps count (None: all)."""

    x: Any
    y: Any
    mask: Any
    test_x: Any
    test_y: Any
    test_mask: Any
    units: int
    rate: float
    epochs: int


def _one_hot(labels: Any, classes: int) -> Any:
    return np.eye(classes)[labels]


@cache
def digits() -> Task:
    """scikit-learn's handwritten digits as 8 steps of 8 pixels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    x, y, cut = found.images / 16.0, _one_hot(found.target, 10), 1350
    return Task(x[:cut], y[:cut], None, x[cut:], y[cut:], None, units=24, rate=0.01, epochs=15)


@cache
def vowels() -> Task:
    """JapaneseVowels: 9 speakers, 12 channels, 7 to 29 steps; shorter sequences are filled up behind and masked."""
    from aeon.datasets import load_japanese_vowels

    parts = []
    for split in ("train", "test"):
        sequences, labels = load_japanese_vowels(split=split)
        x = np.zeros((len(sequences), 29, 12))
        mask = np.zeros(x.shape[:2], bool)
        for place, sequence in enumerate(sequences):
            x[place, : sequence.shape[1]] = sequence.T
            mask[place, : sequence.shape[1]] = True
        parts += [x, _one_hot(np.asarray(labels).astype(int) - 1, 9), mask]
    return Task(*parts, units=20, rate=0.002, epochs=40)


TASKS = {"digits": digits, "vowels": vowels}


def model(task: Task, layer: str) -> Any:
    """The layer, then Dense softmax, in float64."""
    made = Sequential([LAYERS[layer](task.units, seed=1, dtype="float64"), Dense(task.y.shape[1], "softmax", seed=2)])
    made.build((1, *task.x.shape[1:]))
    return made


def orders(task: Task, steps: int, size: int = 32) -> list[Any]:
    """Batches of indices, a new order each epoch."""
    rng, found = np.random.default_rng(5), []
    while len(found) < steps:
        order = rng.permutation(len(task.x))
        found += [order[start : start + size] for start in range(0, len(order), size)]
    return found[:steps]


@dataclass(frozen=True)
class Result:
    losses: Any
    accuracy: float
    seconds: float


def ours(task: Task, layer: str, batches: list[Any]) -> Result:
    made = model(task, layer)
    made.optimizer = optimizers.Adam(lr=task.rate, clipnorm=CLIP, clip_semantics="tf.keras-2.15")
    loss, start, found = loss_functions.CategoricalCrossentropy(), time.perf_counter(), []
    for batch in batches:
        mask = None if task.mask is None else task.mask[batch]
        found.append(made.train_on_batch(task.x[batch], task.y[batch], loss, mask)["loss"])
    seconds = time.perf_counter() - start
    output = made.predict(task.test_x, mask=task.test_mask)
    return Result(np.array(found), accuracy(output, task.test_y), seconds)


def accuracy(output: Any, y: Any) -> float:
    return float(np.mean(output.argmax(1) == y.argmax(1)))


def tf_keras_v1(task: Task, layer: str, batches: list[Any]) -> Result:
    """v1 layers, loss and Adam of tf_keras in a graph, from our first weights."""
    weights = model(task, layer).get_weights()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float64, (None, *task.x.shape[1:]))
        y = tf.compat.v1.placeholder(tf.float64, (None, task.y.shape[1]))
        mask = tf.compat.v1.placeholder(tf.bool, (None, task.x.shape[1])) if task.mask is not None else None
        recurrent, dense = getattr(v1, layer)(task.units), v1.Dense(task.y.shape[1], activation="softmax")
        output = dense(recurrent(x, mask=mask))
        loss = tf.reduce_mean(tf_keras.backend.categorical_crossentropy(y, output))
        variables = [*recurrent.trainable_weights, *dense.trainable_weights]
        updates = optimizer_v1.Adam(lr=task.rate, clipnorm=CLIP).get_updates(loss, variables)
        session.run(tf.compat.v1.global_variables_initializer())
        for variable, value in zip(variables, weights, strict=True):
            session.run(tf.compat.v1.assign(variable, value))

        def feed(xs: Any, ys: Any, counts: Any) -> dict[Any, Any]:
            return {x: xs, y: ys, **({mask: counts} if mask is not None else {})}

        start, found = time.perf_counter(), []
        for batch in batches:
            counts = None if task.mask is None else task.mask[batch]
            found.append(session.run([loss, *updates], feed(task.x[batch], task.y[batch], counts))[0])
        seconds = time.perf_counter() - start
        predicted = session.run(output, feed(task.test_x, task.test_y, task.test_mask))
        return Result(np.array(found), accuracy(predicted, task.test_y), seconds)
