"""The catalogue: every document is one cell, its parameters in print order, its framework table complete."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from rnnproof import layouts
from rnnproof.equations import catalogue, expressions
from rnnproof.errors import UsageError
from tests.equations.test_reader import summary

EXPECTED = {
    "simple_rnn": "h | x | W(hidden,input) R(hidden,hidden) b(hidden)",
    "lstm": "h c | x | " + " ".join(f"W_{g}(hidden,input) R_{g}(hidden,hidden) b_{g}(hidden)" for g in ("hbar", "i", "f", "o")),
    "gru": "h | x | " + " ".join(f"W_{g}(hidden,input) R_{g}(hidden,hidden) b_{g}(hidden)" for g in ("z", "r", "hbar")),
    "gru_reset_after": "h | x | "
    + " ".join(f"W_{g}(hidden,input) R_{g}(hidden,hidden) b_{g}(hidden)" for g in ("z", "r"))
    + " W_hbar(hidden,input) b_hbar(hidden) R_hbar(hidden,hidden) c_hbar(hidden)",
    "lstm_peephole": "h c | x | "
    + " ".join(f"W_{g}(hidden,input) R_{g}(hidden,hidden) p_{g}(hidden) b_{g}(hidden)" for g in ("i", "f"))
    + " W_hbar(hidden,input) R_hbar(hidden,hidden) b_hbar(hidden)"
    + " W_o(hidden,input) R_o(hidden,hidden) p_o(hidden) b_o(hidden)",
    "shortcut": "o |  | *W(hidden,hidden) *b(hidden)",
    "gate": "o |  | *W_t(hidden,hidden) *b_t(hidden) *W_c(hidden,hidden) *b_c(hidden) *W(hidden,hidden) *b(hidden)",
}


def test_the_names() -> None:
    assert set(catalogue.names()) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_cells(name: str) -> None:
    cell = catalogue.load(name)
    assert cell.name == name
    assert summary(cell) == EXPECTED[name]
    assert cell.open_functions == ()


@pytest.mark.parametrize("name", EXPECTED)
def test_every_parameter_and_state_has_its_latex(name: str) -> None:
    cell = catalogue.load(name)
    symbols = {p.symbol for p in cell.parameters} | {e.symbol for e in cell.equations}
    for equation in cell.equations:
        symbols |= expressions.symbols(equation.expression)
    assert {symbol.name for symbol in symbols} <= set(cell.tex)


@pytest.mark.parametrize("name", EXPECTED)
def test_framework_arrays_stack_each_parameter_once(name: str) -> None:
    cell = catalogue.load(name)
    for layer in layouts.catalogue()[name]:
        stacked = [part for _, parts in layer.weights for part in parts if part != ";" and not part.startswith("+")]
        assert sorted(stacked) == sorted(p.name for p in cell.parameters), layer


def test_framework_options_and_rows() -> None:
    layers = {layer.framework: layer for layer in layouts.catalogue()["gru_reset_after"]}
    assert dict(layers["keras"].options) == {"reset_after": "True", "recurrent_activation": "sigmoid"}
    assert dict(layers["keras"].weights)["bias"] == ("b_z", "b_r", "b_hbar", ";", "+b_z", "+b_r", "c_hbar")
    assert dict(layers["torch"].weights)["weight_ih_l0"] == ("W_r", "W_z", "W_hbar")
    assert layers["torch"].options == ()
    assert [layer.framework for layer in layouts.catalogue()["gru"]] == ["keras", "onnx"]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_document_cites_its_source(name: str) -> None:
    text = (resources.files("rnnproof.equations") / "catalogue" / f"{name}.md").read_text(encoding="utf-8")
    assert re.search(r"\b(19|20)\d\d\b|arXiv \d{4}\.\d{4,5}", text.split("$$")[0])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'lstmm'.*gru_reset_after.*simple_rnn"):
        catalogue.load("lstmm")
