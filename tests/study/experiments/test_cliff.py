"""The cliff: its gradient is right, clipped steps are as short as they should be, and verdicts follow the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnproof.study.experiments import cliff
from rnnproof.study.experiments.cliff import Descent
from rnnproof.study.sweep.findings import CONDITION, HOLDS, NOT
from rnnproof.study.sweep.trial import spawned

pytestmark = [pytest.mark.slow]


def test_the_surface_is_the_papers() -> None:
    rng = np.random.default_rng(0)
    w, b = rng.uniform(3, 7, 5), rng.uniform(-3, -1, 5)
    values, d_w, d_b = cliff.losses(w, b)
    for at in range(5):

        def loss(w_: complex, b_: complex) -> Any:
            x: Any = 0.5
            for _ in range(50):
                x = w_ / (1 + np.exp(-x)) + b_
            return (1 / (1 + np.exp(-x)) - 0.7) ** 2

        # 50 steps of the same roundings in another order; slopes up to a few hundred
        assert values[at] == pytest.approx(loss(w[at], b[at]), rel=1e-11)
        assert d_w[at] == pytest.approx(loss(w[at] + 1e-30j, b[at]).imag / 1e-30, rel=1e-9, abs=1e-13)
        assert d_b[at] == pytest.approx(loss(w[at], b[at] + 1e-30j).imag / 1e-30, rel=1e-9, abs=1e-13)


@pytest.fixture(scope="module")
def results() -> list[Any]:
    seeds = spawned(0, 12)
    return [(trial, trial.run()) for s in seeds for clip in cliff.CLIPS for trial in [Descent(clip, 0.3, 80, s)]]


@pytest.mark.slow
def test_clipped_steps_are_no_longer_than_the_limit_allows(results: list[Any]) -> None:
    for trial, result in results:
        longest = max(result["lengths"])
        if trial.clip != "none":
            # the norm of two entries at the limit
            most = 0.3 * cliff.LIMIT * (np.sqrt(2) if trial.clip == "value" else 1)
            assert longest <= most * (1 + 1e-12)
        for before, after, norm, length in zip(
            result["points"], result["points"][1:], result["norms"], result["lengths"], strict=False
        ):
            assert length == pytest.approx(np.hypot(*np.subtract(after, before)))
            assert trial.clip != "none" or length == pytest.approx(0.3 * norm, rel=1e-9, abs=1e-12)
    assert max(max(r["lengths"]) for t, r in results if t.clip == "none") > cliff.FAR


def test_all_kinds_start_alike(results: list[Any]) -> None:
    starts: dict[Any, set[Any]] = {}
    for trial, result in results:
        starts.setdefault(trial.seed, set()).add(tuple(result["points"][0]))
    assert len(starts) == 12 and all(len(points) == 1 for points in starts.values())


def test_verdicts_follow_the_numbers(results: list[Any]) -> None:
    def verdicts(changed: list[Any]) -> dict[str, str]:
        return {statement.name: statement.verdict for statement in cliff.findings(changed).statements}

    def changed(lengths: float, ends: dict[str, float], outside: dict[str, float]) -> list[Any]:
        made = []
        for trial, result in results:
            new = {
                "points": [[outside[trial.clip], -2.0]],
                "lengths": [lengths if trial.clip == "none" else 0.1],
                "losses": [ends[trial.clip]],
                "norms": [9.0],
            }
            made.append((trial, {name: values * len(result[name]) for name, values in new.items()}))
        return made

    good, bad = dict.fromkeys(cliff.CLIPS, 0.0), {"none": 1.0, "norm": 0.0, "value": 0.0}
    inside, gone = dict.fromkeys(cliff.CLIPS, 5.0), {"none": 99.0, "norm": 5.0, "value": 5.0}
    thrown = verdicts(changed(5.0, bad, gone))
    assert thrown == {"thrown": HOLDS, "prevented": HOLDS, "ends": HOLDS}
    assert verdicts(changed(0.01, bad, gone))["thrown"] == verdicts(changed(0.01, bad, gone))["prevented"] == NOT
    assert verdicts(changed(5.0, good, inside)) == {"thrown": HOLDS, "prevented": NOT, "ends": NOT}
    by_norm = {"none": 1.0, "norm": 0.0, "value": 1.0}
    assert verdicts(changed(5.0, by_norm, gone)) == {"thrown": HOLDS, "prevented": CONDITION, "ends": CONDITION}
    assert verdicts(results)["prevented"] in (HOLDS, CONDITION)
