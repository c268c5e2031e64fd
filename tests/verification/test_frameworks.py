"""Keras and torch as oracles: weights mapped there and gradients back, and a wrong gate order seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rnnproof import layouts
from rnnproof.equations import catalogue
from rnnproof.errors import UsageError
from rnnproof.verification import ORACLES, check, checking, frameworks
from rnnproof.verification.module_under_test import Subject
from rnnproof.verification.sample import Layout
from tests import zoo

pytestmark = [pytest.mark.frameworks]

SIZES = {"T": 3, "B": 2, "input": 4, "hidden": 5}


@pytest.mark.parametrize("framework", ["keras", "torch"])
@pytest.mark.parametrize("make", [lambda: catalogue.load("lstm"), lambda: catalogue.load("gru_reset_after")])
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
def test_a_swapped_gate_in_the_mapping_is_seen(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = catalogue.load("lstm")
    swapped = []
    for layer in layouts.catalogue()[cell.name]:
        weights = tuple((name, (parts[1], parts[0], *parts[2:])) for name, parts in layer.weights)
        swapped.append(replace(layer, weights=weights))
    monkeypatch.setattr(layouts, "catalogue", lambda: {cell.name: tuple(swapped)})
    bare = Subject(cell.name, None, cell, Layout.of_cell(cell))
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
    cell = catalogue.load("lstm")
    assert "float64" in ORACLES["keras"].applies(Subject("lstm", None, cell, Layout.of_cell(cell)))
