"""Keras and torch as oracles: weights mapped there and gradients back, and a wrong gate order seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnproof.errors import UsageError
from rnnproof.verification import ORACLES, check, checking, frameworks
from rnnproof.verification.point import Layout
from rnnproof.verification.subject import Subject
from tests import zoo

SIZES = {"T": 3, "B": 2, "input": 4, "hidden": 5}


def test_stacking_and_splitting_are_inverse() -> None:
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal(3) for name in "abc"}
    for parts in [("a", "b"), ("a", "b", ";", "0", "c"), ("0", "a", ";", "c", "b")]:
        array = frameworks.stacked(parts, params, 3)
        assert array.shape == ((2, 6) if ";" in parts else (6,))
        found = frameworks.split(parts, array, params, 3)
        assert set(found) == set(parts) - {";", "0"}
        for name, value in found.items():
            np.testing.assert_array_equal(value, params[name])


def test_a_parameter_that_stands_twice_gets_both_shares() -> None:
    params = {"a": np.zeros(2)}
    found = frameworks.split(("a", ";", "a"), np.array([[1.0, 2.0], [10.0, 20.0]]), params, 2)
    np.testing.assert_array_equal(found["a"], [11.0, 22.0])


@pytest.mark.parametrize("framework", ["keras", "torch"])
@pytest.mark.parametrize("make", [zoo.lstm, zoo.gru])
def test_the_layers_agree_with_autograd_on_the_equations(framework: str, make: object) -> None:
    cell = make()  # type: ignore[operator]
    bare = Subject(cell.name, None, cell, Layout.of_cell(cell))
    theirs = ORACLES[framework].compute(bare, bare.layout.draw(SIZES, 0))
    assert theirs.point is not None
    ours = ORACLES["autograd"].compute(bare, theirs.point).values
    assert set(theirs.values) >= {p.name for p in cell.parameters} | {"inputs", "output h", "initial h"}
    for label, values in theirs.values.items():
        error, index = checking.relative_error(ours[label], values)
        assert error <= 1e-12, (label, index)


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_a_swapped_gate_in_the_mapping_is_seen(framework: str) -> None:
    cell = zoo.lstm()
    swapped = []
    for layer in cell.frameworks:
        weights = tuple((name, (parts[1], parts[0], *parts[2:])) for name, parts in layer.weights)
        swapped.append(replace(layer, weights=weights))
    wrong = replace(cell, frameworks=tuple(swapped))
    bare = Subject(cell.name, None, wrong, Layout.of_cell(wrong))
    theirs = ORACLES[framework].compute(bare, bare.layout.draw(SIZES, 0))
    assert theirs.point is not None
    ours = ORACLES["autograd"].compute(bare, theirs.point).values
    assert checking.relative_error(ours["W_i"], theirs.values["W_i"])[0] > 0.01


def test_a_cell_without_a_layer_says_so() -> None:
    evidence = check(zoo.simple_rnn(), oracles=["autograd", "torch"], dtypes=["float64"], sizes=[SIZES])
    row = next(row for row in evidence if row.oracle == "torch")
    assert row.verdict == "does not apply" and "torch" in row.note and not evidence.ok
    bare = Subject("x", None, zoo.simple_rnn(), Layout.of_cell(zoo.simple_rnn()))
    with pytest.raises(UsageError, match="no torch layer"):
        frameworks.torch(bare, bare.layout.draw(SIZES, 0))


def test_another_keras_backend_does_not_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    cell = zoo.lstm()
    assert "float64" in ORACLES["keras"].applies(Subject("lstm", None, cell, Layout.of_cell(cell)))
