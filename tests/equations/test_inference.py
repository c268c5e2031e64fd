"""What a use tells of a symbol's kind and role: every row by its example, and the rows in the error where none applies."""

from __future__ import annotations

import pytest

from rnnproof.equations.cell import Cell
from rnnproof.equations.reader import read_text
from rnnproof.equations.role_inference import INPUT, PARAMETER, PER_STEP, ROLE_RULES, STATE, STEP, RoleRule
from rnnproof.equations.type_inference import KIND_RULES, MATRIX, SCALAR, VECTOR, KindRule
from rnnproof.errors import EquationError


def kind(symbol: object) -> str:
    shape = getattr(symbol, "shape", ())
    return SCALAR if not shape else VECTOR if shape[1] == 1 else MATRIX


@pytest.mark.parametrize("row", KIND_RULES, ids=lambda row: row.pattern)
def test_a_use_tells_the_kind(row: KindRule) -> None:
    (cell,) = read_text(f"$${row.example}$$", name="told")
    assert {p.name: kind(p.symbol) for p in cell.parameters}[row.symbol] == row.kind


def role(cell: Cell, symbol: str) -> str:
    if symbol in {state.name for state in cell.states}:
        return STATE
    if symbol in {x.name for x in cell.inputs}:
        return INPUT
    for parameter in cell.parameters:
        if parameter.name == symbol:
            return PER_STEP if parameter.per_step else PARAMETER
    assert symbol in {str(equation.symbol) for equation in cell.equations}
    return STEP


@pytest.mark.parametrize("row", ROLE_RULES, ids=lambda row: row.pattern)
def test_a_use_gives_the_role(row: RoleRule) -> None:
    (cell,) = read_text(f"$${row.example}$$", name="role")
    assert role(cell, row.symbol) == row.role


def test_who_is_the_input_is_asked_with_what_would_have_told() -> None:
    with pytest.raises(EquationError) as refusal:
        read_text(r"$$h_t = h_{t-1} \odot a_t + b_t$$", name="open")
    assert "a_t has no equation" in str(refusal.value) and "say in the text that $a_t$ is an input" in str(refusal.value)


def test_an_ambiguous_symbol_is_told_what_would_have_told() -> None:
    with pytest.raises(EquationError) as refusal:
        read_text(r"$$h_t = \tanh(W x_t + R h_{t-1}) + q p h_{t-1}$$", name="open")
    assert "could be a scalar, a vector or a matrix" in str(refusal.value)
    assert all(row.pattern in str(refusal.value) for row in KIND_RULES)


@pytest.mark.parametrize(
    ("text", "divisor"),
    [
        (r"\frac{\tanh(W x_t)}{n_t}", r"n_t = \exp(V h_{t-1})"),
        (r"\tanh(W x_t) \oslash n_t", r"n_t = u + h_{t-1}"),
        (r"\tanh(W x_t) ⊘ (\mathbf{1} + n_t)", r"n_t = \sigma(V h_{t-1})"),
    ],
)
def test_a_vector_divides_entry_by_entry_wherever_it_is_defined(text: str, divisor: str) -> None:
    for lines in ((f"h_t = {text}", divisor), (divisor, f"h_t = {text}")):
        (cell,) = read_text(" ".join(f"$${line}$$" for line in lines), name="quotient")
        (update,) = (equation.expression for equation in cell.equations if str(equation.symbol) == "h")
        assert type(update).__name__ == "Quotient"


def test_what_is_open_below_a_line_is_a_scalar() -> None:
    (cell,) = read_text(r"$$a_t = \alpha + \beta$$ $$h_t = \frac{h_{t-1}}{a_t} + W x_t$$", name="leak")
    assert {p.name: kind(p.symbol) for p in cell.parameters} == {"alpha": SCALAR, "beta": SCALAR, "W": MATRIX}
