"""The tasks that cells are trained on: two made ones of the literature, two of real data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Batch = tuple[Array, Array, Array | None]  # x (n, T, features), y, mask (n, T) or None


@dataclass(frozen=True)
class Task:
    """Sequences to learn: `draw(rng, n)` training batches, `test(rng, n)` others.

    `loss` is "mse" or "categorical_crossentropy"; `baseline` is the loss of the best answer that ignores the input; `right`
    (output, y) says for each sequence whether it is solved. Arrays are float32.
    """

    name: str
    features: int
    outputs: int
    loss: str
    baseline: float
    draw: Callable[[np.random.Generator, int], Batch]
    test: Callable[[np.random.Generator, int], Batch]
    right: Callable[[Array, Array], Array]


def load(name: str, length: int | None = None) -> Task:
    """A task by name; `length` is the number of steps of the made ones and of the window of sunspots."""
    task: Task = _TASKS[name]() if length is None else _TASKS[name](length)
    return task


def _made(name: str, features: int, outputs: int, loss: str, baseline: float, draw: Any, right: Any) -> Task:
    return Task(name, features, outputs, loss, baseline, draw, draw, right)


@cache
def adding(length: int = 20) -> Task:
    """The adding problem (Hochreiter and Schmidhuber 1997, task 4): two of the numbers are marked, their sum is asked for.

    `length` to 1.1 `length` steps, shorter ones masked behind; x is (number in [-1, 1], marker), the target 0.5 + (X1 + X2) /
    4, solved where the error is below 0.04. X1 is marked among the first ten, X2 among the first length / 2 - 1 that are left.
    """
    early, late = min(10, length // 2), max(length // 2 - 1, 1)  # places where each may stand

    def draw(rng: np.random.Generator, n: int) -> Batch:
        most = length + length // 10
        lengths = rng.integers(length, most + 1, n)
        x = np.zeros((n, most, 2), np.float32)
        mask = np.arange(most) < lengths[:, np.newaxis]
        x[:, :, 0] = rng.uniform(-1, 1, (n, most)) * mask
        rows = np.arange(n)
        first, second = rng.integers(0, early, n), rng.integers(0, late, n)
        second += second >= first  # among those that are left
        x[rows, 0, 1] = x[rows, lengths - 1, 1] = -1
        x[rows, first, 1] = x[rows, second, 1] = 1
        values = x[:, :, 0].copy()
        values[:, 0] = 0  # where the first pair is marked, it counts as zero
        y = 0.5 + (values[rows, first] + values[rows, second]) / 4
        return x, y[:, np.newaxis].astype(np.float32), mask

    # the variance of (X1 + X2) / 4, each uniform on [-1, 1] where it is not the first pair, which counts as zero
    counts = (1 - 1 / early) + (1 - (1 - 1 / early) / late)
    return _made("adding", 2, 1, "mse", counts / 3 / 16, draw, lambda out, y: np.abs(out - y)[:, 0] < 0.04)


@cache
def temporal_order(length: int = 20) -> Task:
    """Two of the symbols are A or B, the others c to f; the class is which two, in order (Pascanu et al. 2013, section 4.1.1).

    The marked ones stand in [T/10, 2T/10) and [5T/10, 6T/10), as the authors' code draws them; x is one of six symbols, the
    four classes are AA, AB, BA, BB.
    """

    def draw(rng: np.random.Generator, n: int) -> Batch:
        symbols = rng.integers(2, 6, (n, length))
        rows, kinds = np.arange(n), rng.integers(0, 2, (2, n))
        for kind, tenth in zip(kinds, (1, 5), strict=True):
            low, high = tenth * length // 10, (tenth + 1) * length // 10
            symbols[rows, rng.integers(low, max(high, low + 1), n)] = kind
        x, y = np.eye(6, dtype=np.float32)[symbols], np.eye(4, dtype=np.float32)[2 * kinds[0] + kinds[1]]
        return x, y, None

    return _made("temporal-order", 6, 4, "categorical_crossentropy", float(np.log(4)), draw, _class_is_right)


@cache
def vowels() -> Task:
    """JapaneseVowels (M. Kudo et al. 1999, from aeon): 9 speakers, 12 channels, 7 to 29 steps, shorter ones masked behind."""
    from rnnproof.extras import needed

    parts = []
    for split in ("train", "test"):
        sequences, labels = needed("aeon.datasets").load_japanese_vowels(split=split)
        x = np.zeros((len(sequences), 29, 12), np.float32)
        mask = np.zeros(x.shape[:2], bool)
        for place, sequence in enumerate(sequences):
            x[place, : sequence.shape[1]] = sequence.T
            mask[place, : sequence.shape[1]] = True
        parts.append((x, np.eye(9, dtype=np.float32)[np.asarray(labels).astype(int) - 1], mask))
    draw, test = (_from(part) for part in parts)
    return Task("vowels", 12, 9, "categorical_crossentropy", float(np.log(9)), draw, test, _class_is_right)


@cache
def sunspots(length: int = 24) -> Task:
    """The yearly sunspot numbers from 1700 on (statsmodels): from `length` years the next one, in units of the deviation.

    Trained on what is before 1930, tested on the rest; solved where the error is below half a standard deviation.
    """
    from rnnproof.extras import needed

    data = needed("statsmodels.datasets").sunspots.load().data
    values, cut = np.asarray(data["SUNACTIVITY"], float), int(np.sum(np.asarray(data["YEAR"]) < 1930))
    values = ((values - values[:cut].mean()) / values[:cut].std()).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, length + 1)
    x, y = windows[:, :-1, np.newaxis], windows[:, -1:]
    early = cut - length
    draw, test = _from((x[:early], y[:early], None)), _from((x[early:], y[early:], None))
    baseline = float(np.var(y[:early]))
    return Task("sunspots", 1, 1, "mse", baseline, draw, test, lambda out, y: np.abs(out - y)[:, 0] < 0.5)


def _from(arrays: Batch) -> Callable[[np.random.Generator, int], Batch]:
    """Draws of different entries, at most all of them."""

    def draw(rng: np.random.Generator, n: int) -> Batch:
        x, y, mask = arrays
        chosen = rng.permutation(len(x))[:n]
        return x[chosen], y[chosen], None if mask is None else mask[chosen]

    return draw


def _class_is_right(output: Array, y: Array) -> Array:
    return np.asarray(output.argmax(axis=1) == y.argmax(axis=1))


_TASKS: dict[str, Any] = {"adding": adding, "temporal-order": temporal_order, "vowels": vowels, "sunspots": sunspots}
