"""Verdicts of clipping, temporal order, GRU against LSTM, unrolling: computed from the numbers, so other numbers turn them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnnproof.study import experiments
from rnnproof.study.experiments import clipping_findings, gradient_clipping, gru_vs_lstm, temporal_order, unroll
from rnnproof.study.experiments.gru_vs_lstm import Cost, multiply_adds
from rnnproof.study.experiments.training import Training
from rnnproof.study.sweep import findings
from rnnproof.study.sweep.findings import CONDITION, HOLDS, NOT
from rnnproof.study.sweep.trial import spawned

pytestmark = [pytest.mark.slow]

FINE = {
    "baseline": 1.0,
    "first": 1.2,
    "final": 0.3,
    "stopped": None,
    "to_target": 50,
    "solved": None,
    "wrong": 0.1,
    "steps": 150,
    "norm_first": 0.5,
    "norm_median": 1.0,
    "norm_largest": 9.0,
    "clipped": 1.0,
    "entries_clipped": 0.5,
    "cosine": 0.9,
    "cosine_least": 0.8,
    "at": [1, 150],
    "loss_at": [1.2, 0.3],
}


def verdicts(module: Any, results: list[Any]) -> dict[str, str]:
    return {statement.name: statement.verdict for statement in module.findings(results).statements}


def clipped(change: Any) -> dict[str, str]:
    """The verdicts where every run is fine but for what `change(trial)` says of it."""
    results = [(trial, {**FINE, **change(trial)}) for trial in gradient_clipping.trials("default", 0)]
    return verdicts(gradient_clipping, results)


def test_explosions() -> None:
    broken = {"stopped": 7, "final": None, "to_target": None}

    def none(trial: Training) -> bool:
        return trial.clip == "none" and not trial.frozen

    assert clipped(lambda t: {})["explode"] == NOT
    assert clipped(lambda t: broken if none(t) else {})["explode"] == HOLDS
    assert clipped(lambda t: broken if none(t) and t.layer == "SimpleRNN" else {})["explode"] == CONDITION
    # where the control diverges too, the rate was too large; where no gradient grew, nothing exploded
    assert clipped(lambda t: broken if t.clip == "none" else {})["explode"] == NOT
    assert clipped(lambda t: {**broken, "norm_largest": 1.0} if none(t) else {})["explode"] == NOT


def test_small_limits() -> None:
    def slow(trial: Training) -> dict[str, Any]:
        return {"to_target": None if trial.limit == 0.001 else 50}

    assert clipped(lambda t: {})["slow"] == clipped(lambda t: {})["slow-adaptive"] == NOT
    every = clipped(slow)
    assert every["slow"] == every["slow-adaptive"] == HOLDS
    only_sgd = clipped(lambda t: slow(t) if t.optimizer == "SGD" else {})
    assert (only_sgd["slow"], only_sgd["slow-adaptive"]) == (HOLDS, NOT)
    assert clipped(lambda t: {"to_target": None})["slow"] == NOT  # nothing that arrives, nothing that is slow


def test_norm_and_value() -> None:
    assert clipped(lambda t: {})["alike"] == HOLDS
    assert clipped(lambda t: {"final": 0.6} if t.clip == "value" else {})["alike"] == NOT
    assert clipped(lambda t: {"final": 0.6} if t.clip == "value" and t.task == "vowels" else {})["alike"] == CONDITION
    assert clipped(lambda t: {"final": 0.33} if t.clip == "value" else {})["alike"] == HOLDS  # a tenth more
    dead = {"stopped": 7, "final": None, "to_target": None}
    assert clipped(lambda t: dead)["alike"] == NOT  # two that are dead are not alike
    exact, turned = {"cosine_least": 1.0}, {"cosine_least": 0.7}
    assert clipped(lambda t: turned if t.clip == "value" else exact)["direction"] == HOLDS
    assert clipped(lambda t: exact if t.clip == "global" else turned)["direction"] == CONDITION
    assert clipped(lambda t: exact)["direction"] == clipped(lambda t: turned)["direction"] == NOT


def test_the_default_sweep_has_every_combination_it_names() -> None:
    for scale, count in (("quick", 52 + 6), ("default", 1280 + 60), ("full", 4 * 3 * 4 * 3 * 22 * 5 + 4 * 3 * 3 * 5)):
        trials = gradient_clipping.trials(scale, 0)
        assert len({trial.key for trial in trials}) == len(trials) == count
    full: Any = gradient_clipping.trials("full", 0)
    assert {t.limit for t in full} == {None, *(10.0**p for p in range(-3, 4))}
    assert len({t.seed for t in full}) == 5 and {t.optimizer for t in full} == {"SGD", "Adagrad", "RMSprop", "Adam"}
    named = {trial.key for trial in full}
    assert {t.key for t in gradient_clipping.trials("default", 0)} <= named  # the default is a part of it: nothing is run twice


def test_steps_to_the_target_count_runs_that_never_arrive() -> None:
    trial = gradient_clipping.trials("quick", 0)[0]
    assert isinstance(trial, Training)
    group: Any = [(trial, {**FINE, "to_target": steps}) for steps in (20, 30, None, 40, None)]
    assert clipping_findings.steps(group) == (30, 40, math.inf)
    assert clipping_findings.steps_text(group) == "40 [30, > 150]"
    assert clipping_findings.steps_text([(trial, {**FINE, "to_target": None})] * 5) == "> 150"


def test_longer_sequences() -> None:
    def results(none: int, clip: int) -> list[Any]:
        trials: Any = temporal_order.trials("default", 0)
        reach = {"none": none, "global": clip}
        return [(t, {**FINE, "solved": 500 if t.length <= reach[t.clip] else None}) for t in trials]

    assert verdicts(temporal_order, results(20, 40)) == verdicts(temporal_order, results(20, 30)) == {"longer": HOLDS}
    assert verdicts(temporal_order, results(30, 30)) == verdicts(temporal_order, results(40, 20)) == {"longer": NOT}
    one = results(20, 20)
    place = next(n for n, (t, _) in enumerate(one) if t.clip == "global" and t.length == 30)
    one[place] = (one[place][0], {**FINE, "solved": 9})
    assert verdicts(temporal_order, one) == {"longer": CONDITION}  # one pair of runs shows nothing yet
    found = str(temporal_order.findings(results(0, 30)).statements[0].evidence)
    assert "SGD (smart-tanh) to length 0" in found and "SGD with clipping (smart-tanh) to length 30" in found


def _costs(seconds: float) -> list[Any]:
    cell = {"parameters": 4, "forward": 4, "backward": 8, "tape": 100.0, "seconds": 1.0}
    gru = {"parameters": 3, "forward": 3, "backward": 6, "tape": 85.0, "seconds": seconds}
    costs = [(Cost(n, n // 2, 1, spawned(0, 1)[0]), {"lstm": cell, "gru": gru, "gru_reset_after": gru}) for n in (32, 64)]
    return costs


def _trained(better: dict[str, str]) -> list[Any]:
    trials: Any = [t for t in gru_vs_lstm.trials("quick", 0) if isinstance(t, Training)]
    return [(t, {**FINE, "final": 0.1 if better.get(t.task) == t.layer else 0.4}) for t in trials]


def test_gru_and_lstm() -> None:
    mixed = _trained({"adding": "GRU", "vowels": "LSTM"})
    assert verdicts(gru_vs_lstm, _costs(0.8) + mixed) == {"computations": HOLDS, "space": HOLDS, "neither": HOLDS}
    assert verdicts(gru_vs_lstm, _costs(1.2) + mixed)["computations"] == CONDITION
    everywhere = _trained(dict.fromkeys(gru_vs_lstm.TASKS, "GRU"))
    assert verdicts(gru_vs_lstm, _costs(0.8) + everywhere)["neither"] == NOT
    assert verdicts(gru_vs_lstm, _costs(0.8) + _trained({"adding": "GRU"}))["neither"] == CONDITION
    dead = [(t, {**FINE, "final": None, "stopped": 3}) for t, _ in mixed]
    assert verdicts(gru_vs_lstm, _costs(0.8) + dead)["neither"] == CONDITION  # nothing learned, nothing shown
    lost = [(t, {**r, "final": None} if t.layer == "GRU" else r) for t, r in mixed]
    assert verdicts(gru_vs_lstm, _costs(0.8) + lost)["neither"] == NOT  # the LSTM is ahead everywhere


def test_multiply_adds_are_counted_as_on_paper() -> None:
    """An LSTM step: four gates, each n x (m + n); backward twice that, for the states and for the weights; a GRU's: three."""
    sizes = {"hidden": 7, "input": 5}
    from rnnproof.calculus.adjoint import adjoint
    from rnnproof.calculus.flatten import flatten
    from rnnproof.equations import catalogue

    for name, gates in (("simple_rnn", 1), ("lstm", 4), ("gru", 3), ("gru_reset_after", 3)):
        program = flatten(catalogue.load(name))
        assert multiply_adds(program, sizes) == gates * 7 * (5 + 7)
        assert multiply_adds(adjoint(program), sizes) == 2 * gates * 7 * (5 + 7)


def test_the_tape_is_what_the_trace_holds() -> None:
    result = Cost(7, 5, 1, spawned(0, 1)[0]).run()
    # LSTM: h, c, i, f, o, hbar and tanh c of each step, 4 bytes each; the two states once more before the first step. GRU:
    # h, z, r, hbar, 1 - z and r * h, the state once more
    assert result["lstm"]["tape"] == pytest.approx(4 * (7 * 7 + 2 * 7 / gru_vs_lstm.LENGTH), rel=1e-12)
    assert result["gru"]["tape"] == pytest.approx(4 * (6 * 7 + 7 / gru_vs_lstm.LENGTH), rel=1e-12)
    assert result["lstm"]["parameters"] == 4 * 7 * (5 + 7 + 1) and result["gru"]["parameters"] == 3 * 7 * (5 + 7 + 1)


def test_unrolling() -> None:
    def results(short: float, long: float, code: int) -> list[Any]:
        trials: Any = unroll.trials("default", 0)
        one = {"memory": [100, 100], "first": [1.0, 1.0]}
        return [
            (t, {**one, "seconds": [short if t.length == 5 else long, 1.0], "code": [1000, 1000 + code * t.length]})
            for t in trials
        ]

    assert verdicts(unroll, results(1.0, 1.0, 50)) == {"faster": NOT, "memory": CONDITION}
    assert verdicts(unroll, results(1.3, 1.0, 0)) == {"faster": HOLDS, "memory": NOT}
    assert verdicts(unroll, results(1.0, 1.3, 0))["faster"] == CONDITION


@pytest.mark.parametrize("name", ["clipping", "temporal-order", "gru-vs-lstm"])
def test_sweeps_in_which_every_run_diverged_are_reported_too(name: str) -> None:
    """Findings and figures of runs in which no number is left."""
    module = experiments.load(name)
    nothing = dict.fromkeys(("final", "to_target", "solved", "wrong", "norm_median", "norm_largest", "cosine", "cosine_least"))
    dead = {**FINE, **nothing, "stopped": 3, "steps": 3, "loss_at": [1.0, None]}
    results = [(t, dead) for t in module.trials("quick", 0) if isinstance(t, Training)]
    found = module.findings([*results, *(_costs(1.0) if name == "gru-vs-lstm" else [])])
    assert found.statements and module.figures(found)


def test_unrolled_code_grows_with_the_length() -> None:
    found = [replace(trial, length=n, repetitions=1).run() for trial in unroll.trials("quick", 0)[:1] for n in (3, 9)]  # type: ignore[type-var]
    (loop, short), (_, long) = (result["code"] for result in found)
    assert long > short > 0 and long - short > 6 * 1024 > 0 and loop > 0


def test_statistics() -> None:
    assert findings.quartiles([None, 1.0, 2.0, 3.0, np.inf]) == (1.0, 2.0, 3.0) and findings.quartiles([None]) == (None,) * 3
    assert findings.spread([1.0, 2.0, np.inf]) == "2 [1, inf]" and findings.spread([None]) == ""
    assert findings.share([True, False, True, True]) == 0.75 and findings.share([]) == 0
    for log in (-400.0, -31.25, -3.0, 0.0, 3.999, 12.3, 400.0):
        text = findings.power(log)
        mantissa, _, exponent = text.partition("e")
        assert math.log10(float(mantissa)) + int(exponent or 0) == pytest.approx(log, abs=0.025)  # two digits
    assert findings.power(None) == "" and np.isclose(float(findings.power(0.5)), 10**0.5, rtol=0.01)
