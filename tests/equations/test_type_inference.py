"""What a use tells of a symbol's kind: every row by its example, and the rows in the error where none applies."""

from __future__ import annotations

import pytest

from rnnproof.equations.reader import read_text
from rnnproof.equations.type_inference import MATRIX, SCALAR, TOLD, VECTOR, Told
from rnnproof.errors import EquationError


def kind(symbol: object) -> str:
    shape = getattr(symbol, "shape", ())
    return SCALAR if not shape else VECTOR if shape[1] == 1 else MATRIX


@pytest.mark.parametrize("row", TOLD, ids=lambda row: row.pattern)
def test_a_use_tells_the_kind(row: Told) -> None:
    (cell,) = read_text(f"$${row.example}$$", name="told")
    assert {p.name: kind(p.symbol) for p in cell.parameters}[row.symbol] == row.kind


def test_an_ambiguous_symbol_is_told_what_would_have_told() -> None:
    with pytest.raises(EquationError) as refusal:
        read_text(r"$$h_t = \tanh(W x_t + R h_{t-1}) + q p h_{t-1}$$", name="open")
    assert "could be a scalar, a vector or a matrix" in str(refusal.value)
    assert all(row.pattern in str(refusal.value) for row in TOLD)


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
