"""Gradient flow: formulas against generated code, bounds that hold, and planted faults that are seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnnproof.study.experiments import flow
from rnnproof.study.experiments.flow import Flow
from rnnproof.study.experiments.flow_statements import statements
from rnnproof.study.sweep.findings import CONDITION, HOLDS, NOT
from rnnproof.study.sweep.trial import spawned

(SEED,) = spawned(4, 1)
SMALL = [
    Flow("plain", 5, (1, 3, 7), SEED, gain=1.1),
    Flow("shortcut", 6, (2, 5), SEED, gain=0.9),
    Flow("gate", 5, (1, 6), SEED, gain=1.3, bias=2.0),
    Flow("simple_rnn", 7, (1, 4, 9), SEED, radius=1.1),
    Flow("simple_rnn", 7, (1, 40), SEED, radius=0.9, drive=0.0),
    Flow("lstm", 6, (1, 5, 20), SEED, bias=1.0),
    Flow("gru", 5, (1, 5, 20), SEED),
    Flow("gru", 5, (3, 8), SEED, bias=5.0),
]


@pytest.mark.parametrize("trial", SMALL, ids=lambda trial: trial.label)
def test_the_formulas_give_what_the_generated_code_gives(trial: Flow) -> None:
    result = trial.run()
    # products of up to 40 matrices of up to 12 columns, each rounding 12 times, in two orders
    assert max(result["differ"]) < 40 * 12 * 10 * np.finfo(float).eps
    for measured, formula, largest, norms in zip(
        *(result[n] for n in ("measured", "formula", "largest", "norms")), strict=True
    ):
        assert measured == pytest.approx(formula, abs=1e-12) and measured <= largest + 1e-12 and largest <= norms + 1e-12
    assert all(bound is None or norms <= bound + 1e-12 for norms, bound in zip(result["norms"], result["bound"], strict=True))


def test_the_bound_is_what_the_paper_says() -> None:
    """(g sigma_max)^k with g = 1 for tanh; for the shortcut 1 + sigma_max in each layer."""
    trial = SMALL[3]
    weights, _ = trial.seed.streams(2)
    recurrent = trial._params(flow._module("simple_rnn"), weights, 9)["R"]
    assert np.max(np.abs(np.linalg.eigvals(recurrent))) == pytest.approx(1.1)
    expected = [k * np.log10(np.linalg.norm(recurrent, 2)) for k in trial.distances]
    assert trial.run()["bound"] == pytest.approx(expected)
    stack = SMALL[1]
    weights, _ = stack.seed.streams(2)
    layers = stack._params(flow._module("shortcut"), weights, 5)["W"]
    logs = np.cumsum([np.log10(1 + np.linalg.norm(layer, 2)) for layer in layers])
    assert stack.run()["bound"] == pytest.approx([logs[k - 1] for k in stack.distances])


def test_the_elementwise_paths() -> None:
    """The shortcut's is the identity; the LSTM's is its forget gates, computed here from the module's own tape."""
    assert SMALL[1].run()["path"] == pytest.approx([0, 0], abs=1e-15)
    assert SMALL[3].run()["path"] == [None] * 3  # in a SimpleRNN every path goes through a matrix
    trial = SMALL[5]
    weights, data = trial.seed.streams(2)
    module = flow._module("lstm")
    params = trial._params(module, weights, 20)
    xs, first = trial._start(module, params, data, 20)
    end = data.standard_normal(6)
    end /= np.linalg.norm(end)
    trace = module.forward(params, xs, first)
    for distance, found in zip(trial.distances, trial.run()["path"], strict=True):
        o, tanh_c = (trace.tape[name][distance - 1, :, 0] for name in ("o", "tanh_c"))
        gates = np.prod(trace.tape["f"][:distance, :, 0], axis=0)
        assert found == pytest.approx(np.log10(np.linalg.norm(end * o * (1 - tanh_c**2) * gates)), abs=1e-12)


def test_at_rest_a_simple_rnn_is_its_matrix() -> None:
    result = SMALL[4].run()
    assert result["norms"] == pytest.approx(result["bound"])  # tanh'(0) = 1 in every step
    assert result["measured"][-1] / 40 == pytest.approx(np.log10(0.9), abs=0.05)


def _findings(trials: list[Any]) -> dict[str, str]:
    results = [(trial, trial.run()) for trial in trials]
    return {statement.name: statement.verdict for statement in flow.findings(results).statements}


def test_a_gradient_where_the_formula_says_none_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    at = flow.Formulas.at

    def nothing(self: Any, *given: Any) -> Any:
        found = at(self, *given)
        return replace(found, full=0 * found.full)

    monkeypatch.setattr(flow.Formulas, "at", nothing)
    assert SMALL[0].run()["differ"] == [np.inf] * 3


@pytest.fixture(scope="module")
def quick() -> list[Any]:
    return [replace(trial, distances=(1, 10, 40)) for trial in flow.trials("quick", 0) if trial.seed.key == (0,)]  # type: ignore[attr-defined, type-var]


@pytest.mark.slow
def test_verdicts_follow_the_numbers(quick: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = _findings(quick)
    assert verdicts["formula"] == verdicts["bound"] == HOLDS
    measured = Flow._measured

    def scaled(by: float) -> Any:
        return lambda self, *given: by * measured(self, *given)

    monkeypatch.setattr(Flow, "_measured", scaled(1 + 1e-10))  # a planted error in the tenth digit
    assert _findings(quick)["formula"] != HOLDS
    monkeypatch.setattr(Flow, "_measured", scaled(1e12))
    assert _findings(quick)["bound"] != HOLDS


def test_verdicts_of_curves() -> None:
    """Each statement about the curves turns with the numbers."""
    results = [(trial, RESULT) for trial in flow.trials("quick", 0)]

    def verdicts(**measured: Any) -> dict[str, str]:
        curves = {t.label: {"distances": (1, 10, 40), "path": [0.0] * 3} for t, _ in results}  # type: ignore[attr-defined]
        for label, curve in curves.items():
            value = next((v for key, v in measured.items() if key in label.replace(" ", "_").replace(",", "")), 0.0)
            curve["measured"] = curve["largest"] = [0.0, value / 4, value]
        return {s.name: s.verdict for s in statements(results, curves, 0.0)}

    assert verdicts()["shortcut"] == HOLDS and verdicts(shortcut=5.0)["shortcut"] == CONDITION
    assert verdicts(shortcut=-5.0)["shortcut"] == NOT
    assert verdicts(radius_1=9.0)["explode"] == HOLDS and verdicts()["explode"] == NOT
    assert verdicts(**{"radius_1.1_at_h": 9.0, "radius_1.5_at_h": 9.0})["explode"] == CONDITION
    assert verdicts(lstm=-9.0)["lstm"] == NOT and verdicts()["lstm"] == HOLDS
    assert verdicts(forget_bias_0=-9.0)["lstm"] == CONDITION and verdicts(**{"gru_update": -9.0})["gru"] == CONDITION
    assert verdicts(carry_bias=-9.0)["gate"] == NOT
    factors = {f"radius_{r:g}_at_h": 40 * float(np.log10(r)) for r in (0.5, 0.9, 1.0, 1.1, 1.5)}
    assert verdicts(**factors)["radius"] == HOLDS and verdicts()["radius"] == NOT


RESULT = {name: [0.0] for name in flow.MEASURED}
