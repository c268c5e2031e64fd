"""The oracles' reading of the equations, against sums written out by hand, and its kinks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

from rnnproof.equations import activations
from rnnproof.equations import expressions as ex
from rnnproof.equations.cell import Cell
from rnnproof.errors import EquationError, UsageError
from rnnproof.generation.build import load_text
from rnnproof.verification import ORACLES, check, checking
from rnnproof.verification.differences import central
from rnnproof.verification.interpreter import Interpreter, erf, survey
from rnnproof.verification.module_under_test import Subject, subject
from rnnproof.verification.sample import Layout, measure
from tests import zoo
from tests.verification.modules import RNN

SIZES = {"T": 3, "B": 2, "input": 4, "hidden": 5}


def _first_step(cell: Cell) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    point = Layout.of_cell(cell).draw(SIZES, 0)
    assert point.xs is not None
    new = Interpreter(cell, point.sizes).step(point.at(0), point.xs[0], point.initial)
    return new, point.params, point.xs[0], point.initial


def test_an_lstm_step_entry_by_entry() -> None:
    new, p, x, old = _first_step(zoo.lstm())

    def gate(name: str, function: object, b: int, k: int) -> float:
        total = p[f"b_{name}"][k]
        total += sum(p[f"W_{name}"][k, j] * x[b, j] for j in range(4)) + sum(
            p[f"R_{name}"][k, j] * old["h"][b, j] for j in range(5)
        )
        return float(function(total))  # type: ignore[operator]

    def sigmoid(value: float) -> float:
        return 1 / (1 + math.exp(-value))

    for b in range(2):
        for k in range(5):
            i, f, o = (gate(name, sigmoid, b, k) for name in "ifo")
            c = f * old["c"][b, k] + i * gate("c", math.tanh, b, k)
            assert new["c"][b, k] == pytest.approx(c, rel=1e-13)
            assert new["h"][b, k] == pytest.approx(o * math.tanh(c), rel=1e-13)


def test_concatenation_transposition_scalars_and_dot_products() -> None:
    new, p, x, old = _first_step(zoo.odds_and_ends())
    for b in range(2):
        s = p["W"] @ np.concatenate([old["h"][b], x[b]])
        a = s * (1 + erf(s / math.sqrt(2))) / 2
        h = p["alpha"] * np.tanh(p["V"] @ a) + p["V"].T @ (p["p"] * a) + math.tanh(p["q"] @ old["h"][b]) / 3 * old["h"][b]
        np.testing.assert_allclose(new["h"][b], h, rtol=1e-12)


@pytest.mark.parametrize("name", activations.names())
def test_every_activation_equals_its_definition(name: str) -> None:
    entry = activations.find(name)
    assert entry is not None
    node = sp.Symbol("v")
    values = np.array([-7.3, -2.6, -0.4, 0.3, 2.4, 6.1])
    found = Interpreter(zoo.lstm(), {}).evaluate(entry.function(node), {node: values})
    exact = [float(entry.definition.subs(activations.X, sp.Rational(str(value))).evalf(30)) for value in values]
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-15)  # 1 + e^x loses what lies 1e-16 below one


@pytest.mark.parametrize("name", activations.names())
def test_autograd_and_jax_agree_on_every_activation(name: str) -> None:
    """Neither trips over a branch that is not taken: the wide points reach both ends of every piece."""
    cell = zoo.simple_rnn(name, f"rnn_{name}")
    bare = Subject(cell.name, None, cell, Layout.of_cell(cell))
    point, _ = checking.draw(bare, {**SIZES, "T": 1, "B": 20}, 0, "float64")
    first, second = (ORACLES[oracle].compute(bare, point).values for oracle in ("autograd", "jax"))
    assert set(first) == set(second)
    for label, values in first.items():
        assert np.all(np.isfinite(values))
        assert checking.relative_error(second[label], values)[0] <= 1e-12, label


def test_an_activation_a_person_registers_works_in_every_oracle() -> None:
    z = sp.Symbol("z")
    activations.activation("bent_for_a_test", sp.Piecewise((z / 2, z <= -1), (z + z**2 / 4 + sp.Rational(1, 4), True)))
    cell = zoo.simple_rnn("bent_for_a_test", "bent")
    text = RNN.replace("np.tanh(", "f(").replace(
        "(1 - h[t + 1] * h[t + 1])", "df(xs[t] @ W.T + h[t] @ R.T + trace.params['b'])"
    )
    text += "\ndef f(a):\n    return np.where(np.real(a) <= -1, a / 2, a + a * a / 4 + 0.25)\n"
    text += "\ndef df(a):\n    return np.where(a <= -1, a.dtype.type(0.5), 1 + a / 2)\n"
    small = [{"T": 2, "B": 2, "input": 4, "hidden": 3}]  # z^2 grows without bound in a long run
    evidence = check(load_text("by_hand", text), against=cell, oracles=["autograd", "jax", "central", "complex"], sizes=small)
    assert evidence.ok, evidence.failures
    assert activations.kinks(cell.equations[0].expression.function.expr.func) == ()


def test_a_function_without_a_rule_is_an_error_that_names_it() -> None:
    v = sp.Symbol("v")
    with pytest.raises(EquationError, match="gamma"):
        Interpreter(zoo.lstm(), {}).evaluate(sp.gamma(v), {v: np.ones(2)})


def test_dimensions_are_read_and_never_evaluated() -> None:
    assert measure("2*hidden + input", {"hidden": 3, "input": 4}) == 10
    for text in ("__import__('os')", "hidden**2", "-1"):
        with pytest.raises(UsageError, match="not known"):
            measure(text, {"hidden": 3})


def test_the_distance_to_a_kink_is_the_smallest_over_time() -> None:
    cell = zoo.simple_rnn("hard_sigmoid", "hard")
    point = Layout.of_cell(cell).draw(SIZES, 1)
    assert point.xs is not None
    h, nearest = point.initial["h"], math.inf
    for x in point.xs:
        a = x @ point.params["W"].T + h @ point.params["R"].T + point.params["b"]
        nearest = min(nearest, float(np.min(np.abs(np.abs(a) - 2.5))))
        h = np.clip(0.2 * a + 0.5, 0, 1)
    found = survey(cell, point)
    assert (found.distance, found.name) == (pytest.approx(nearest, rel=1e-9), "hard_sigmoid")
    assert (survey(zoo.simple_rnn(), point).distance, survey(zoo.simple_rnn(), point).name) == (math.inf, "")


RELU = RNN.replace("np.tanh(", "relu(").replace("(1 - h[t + 1] * h[t + 1])", "(h[t + 1] > 0)")
RELU = RELU.replace("def forward", "def relu(a):\n    return np.where(np.real(a) > 0, a, 0)\n\n\ndef forward")


@pytest.mark.slow
def test_points_are_drawn_away_from_kinks() -> None:
    cell = zoo.simple_rnn("relu", "relu_rnn")
    module = load_text("relu_by_hand", RELU)
    evidence = check(module, against=cell, oracles=["autograd", "jax", "central", "complex"])
    assert evidence.ok, evidence.failures
    for seed in range(5):
        point, note = checking.draw(subject(module, cell), {"T": 9, "B": 7, "input": 13, "hidden": 17}, seed, "float64")
        assert note == "" and survey(cell, point).distance > checking.REACH / 9


def test_a_point_at_a_kink_is_reported_and_not_passed() -> None:
    """Everything zero: relu(0) at every step, where one-sided slopes differ and no tolerance gives a comparison a meaning."""
    cell = zoo.simple_rnn("relu", "relu_rnn")
    under_test = subject(load_text("relu_by_hand", RELU), cell)
    point = under_test.layout.draw(SIZES, 0)
    flat = point.with_leaves({label: 0 * value for label, value in point.leaves().items()})
    assert (survey(cell, flat).distance, survey(cell, flat).name) == (0.0, "relu")
    assert set(central(under_test, flat).kinks) == {"b"}
    assert central(under_test, checking.draw(under_test, SIZES, 0, "float64")[0]).kinks == {}


def test_a_kink_that_cannot_be_avoided_has_its_own_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "ATTEMPTS", 1)
    monkeypatch.setattr(checking, "REACH", 1e3)
    cell = zoo.simple_rnn("relu", "relu_rnn")
    evidence = check(load_text("relu_by_hand", RELU), against=cell, oracles=["autograd"], sizes=[SIZES])
    assert {row.verdict for row in evidence} == {"kink"} and not evidence.ok
    assert "relu" in evidence[0].note


def test_a_cell_that_grows_is_checked_where_it_does_not() -> None:
    """h = (W x) h h + b over 200 steps leaves every float behind unless it starts small."""
    body = ex.add(ex.hadamard(ex.multiply(zoo.matrix("W", zoo.n, zoo.m), zoo.x), zoo.h_old, zoo.h_old), zoo.column("b"))
    cell = Cell.from_sympy("squares", {zoo.h: body}, previous={zoo.h: zoo.h_old}, inputs=[zoo.x])
    bare = Subject(cell.name, None, cell, Layout.of_cell(cell))
    long = {"T": 200, "B": 2, "input": 4, "hidden": 3}
    assert survey(cell, bare.layout.draw(long, 0)).largest > checking.BOUND
    point, _ = checking.draw(bare, long, 0, "float32")
    assert survey(cell, point).largest <= checking.BOUND
    assert all(np.all(np.isfinite(value)) for value in ORACLES["jax"].compute(bare, point).values.values())
