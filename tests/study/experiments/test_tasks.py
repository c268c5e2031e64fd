"""The tasks ask what they say: targets are computed again from the inputs, one sequence at a time."""

from __future__ import annotations

import numpy as np
import pytest

from rnnproof.study.experiments import tasks


@pytest.mark.parametrize("length", [6, 10, 23, 100])
def test_adding_asks_for_the_marked_numbers(length: int) -> None:
    task = tasks.load("adding", length)
    x, y, mask = task.draw(np.random.default_rng(0), 3000)
    assert mask is not None and x.shape == (3000, length + length // 10, 2) and x.dtype == y.dtype == np.float32
    lengths = mask.sum(axis=1)
    assert lengths.min() == length and lengths.max() == length + length // 10
    firsts, seconds = [], []
    for values, marks, n, target in zip(x[:, :, 0], x[:, :, 1], lengths, y[:, 0], strict=True):
        assert not values[n:].any() and not marks[n:].any() and np.abs(values).max() <= 1
        marked = np.flatnonzero(marks == 1)
        assert len(marked) == 2 and marked.max() < max(10, length // 2)
        assert marks[n - 1] == -1 and (marks[0] == -1 or 0 in marked)
        counted = [0.0 if place == 0 else float(values[place]) for place in marked]
        assert target == pytest.approx(0.5 + sum(counted) / 4, abs=1e-6)  # two roundings of float32
        firsts.append(marked.min())
        seconds.append(marked.max())
    assert min(firsts) == 0 and max(seconds) >= length // 2 - 2
    # a variance estimated from n draws is off by about sqrt(1.4 / n) of itself (the sum of two uniforms has kurtosis 2.4)
    many = task.draw(np.random.default_rng(1), 100_000)[1].astype(float)
    assert np.var(many) == pytest.approx(task.baseline, rel=4 * np.sqrt(1.4 / 100_000) + 0.005)
    assert task.right(y + 0.03, y).all() and not task.right(y + 0.05, y).any()


@pytest.mark.parametrize("length", [10, 23, 100])
def test_temporal_order_asks_for_the_pair(length: int) -> None:
    task = tasks.load("temporal-order", length)
    x, y, mask = task.draw(np.random.default_rng(0), 2000)
    assert mask is None and x.shape == (2000, length, 6) and (x.sum(axis=2) == 1).all()
    symbols, places = x.argmax(axis=2), []
    for sequence, label in zip(symbols, y.argmax(axis=1), strict=True):
        first, second = np.flatnonzero(sequence < 2)
        assert length // 10 <= first < 2 * length // 10 and 5 * length // 10 <= second < 6 * length // 10
        assert label == 2 * sequence[first] + sequence[second]
        places.append((first, second))
    assert len(set(places)) == (2 * length // 10 - length // 10) * (6 * length // 10 - 5 * length // 10)
    assert {int(label) for label in y.argmax(axis=1)} == {0, 1, 2, 3} and task.baseline == pytest.approx(np.log(4))


def test_vowels_have_their_lengths_and_speakers() -> None:
    task = tasks.load("vowels")
    x, y, mask = task.draw(np.random.default_rng(0), 270)
    test_x, test_y, test_mask = task.test(np.random.default_rng(0), 10_000)
    assert mask is not None and test_mask is not None and x.shape == (270, 29, 12) and test_x.shape == (370, 29, 12)
    for values, counts in ((x, mask), (test_x, test_mask)):
        lengths = counts.sum(axis=1)
        assert lengths.min() == 7 and lengths.max() in (26, 29)
        assert all(row[:n].all() and not row[n:].any() for row, n in zip(counts, lengths, strict=True))
        assert not values[~counts].any() and (np.abs(values[counts]).sum(axis=1) > 0).all()
    assert (y.sum(axis=0) == 30).all() and test_y.sum(axis=0).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert len({sequence.tobytes() for sequence in x}) == 270  # a draw never repeats a sequence


def test_sunspots_ask_for_the_next_year() -> None:
    from statsmodels.datasets import sunspots

    values = np.asarray(sunspots.load().data["SUNACTIVITY"], float)
    task = tasks.load("sunspots", 24)
    x, y, _ = task.draw(np.random.default_rng(0), 10_000)
    test_x, test_y, _ = task.test(np.random.default_rng(0), 10_000)
    assert len(x) == 230 - 24 and len(test_x) == 79 and len(values) == 309
    scale, shift = values[:230].std(), values[:230].mean()
    whole = {tuple(np.round(values[at : at + 25], 1)): at for at in range(309 - 24)}
    for inputs, targets, low, high in ((x, y, 0, 206), (test_x, test_y, 206, 285)):
        windows = np.concatenate([inputs[:, :, 0], targets], axis=1) * scale + shift
        found = sorted(whole[tuple(np.round(window, 1))] for window in windows)
        assert found == list(range(low, high))  # every window once, and no test year was trained on


def test_draws_follow_the_generator() -> None:
    for name in ("adding", "temporal-order", "vowels", "sunspots"):
        task = tasks.load(name)
        one, same, other = (task.draw(np.random.default_rng(seed), 8)[0] for seed in (1, 1, 2))
        assert np.array_equal(one, same) and not np.array_equal(one, other)
