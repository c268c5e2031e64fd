"""`bind`: bodies for open functions, from outside and printed in the document."""

from __future__ import annotations

import pytest

from rnnproof.equations import reader
from rnnproof.equations.binding import bind
from rnnproof.equations.cell import Cell
from rnnproof.errors import BindError
from tests.equations.test_reader import summary


def shortcut() -> Cell:
    return reader.read_text(r"$o^{(l)} = f^{(l)}(o^{(l-1)})+o^{(l-1)}$", "shortcut")[0]


BODIES = {
    r"\tanh(W o + b)": "o |  | W(hidden,hidden) b(hidden)",
    r"\tanh(W o^{(l-1)} + b)": "o |  | W(hidden,hidden) b(hidden)",
    r"\tanh(W^{(l)} o + b^{(l)})": "o |  | *W(hidden,hidden) *b(hidden)",
    r"x \mapsto \tanh(W x + b)": "o |  | W(hidden,hidden) b(hidden)",
    r"x \mapsto V \tanh\left(W x + b\right) + c": "o |  | V(hidden,V_rank) W(V_rank,hidden) b(V_rank) c(hidden)",
    r"\alpha o": "o |  | alpha()",
    r"\tanh": "o |  | ",
    "relu": "o |  | ",
    r"\mathrm{swish}": "o |  | ",
}


@pytest.mark.parametrize("body", BODIES)
def test_bodies(body: str) -> None:
    cell = bind(shortcut(), f=body)
    assert summary(cell) == BODIES[body]
    assert cell.open_functions == ()
    (bound,) = cell.bodies
    assert bound.name == "f"
    assert bound.tex.startswith("f^{(l)}(")


def test_a_printed_body_is_the_same_as_a_bound_one() -> None:
    text = r"$$o_l = f(o_{l-1}) + o_{l-1}$$ with $$f(o) = \tanh(W o + b)$$"
    printed = reader.read_text(text)[0]
    bound = bind(reader.read_text(text.split(" with")[0])[0], f=r"\tanh(W o + b)")
    assert printed.bodies[0].expression == bound.bodies[0].expression
    assert summary(printed) == summary(bound)


def test_a_body_shares_the_parameters_of_the_cell() -> None:
    cell = reader.read_text(r"$$h_t = f(h_{t-1}) + W x_t + R h_{t-1}$$")[0]
    assert summary(bind(cell, f=r"z \mapsto \tanh(R z + b)")) == "h | x | W(hidden,input) R(hidden,hidden) b(hidden)"


def test_an_elementwise_body_settles_the_sizes_left_open() -> None:
    cell = reader.read_text(r"$$c_t = \tanh(W x_t + R c_{t-1} + b) \\ h_t = g(c_t) + U h_{t-1}$$")[0]
    assert summary(cell) == "h c | x | W(c_size,input) R(c_size,c_size) b(c_size) U(hidden,hidden)"
    bound = bind(cell, g=r"\sigma")
    assert summary(bound) == "h c | x | W(hidden,input) R(hidden,hidden) b(hidden) U(hidden,hidden)"


def test_a_function_of_a_sum_of_products_keeps_the_size() -> None:
    cell = reader.read_text(r"$$h_t = \sigma_g(W x_t + R h_{t-1} + b)$$")[0]
    assert summary(cell) == "h | x | W(hidden,input) R(hidden,hidden) b(hidden)"
    assert summary(bind(cell, sigma_g=r"\sigma")) == summary(cell)


def test_several_functions() -> None:
    cell = reader.read_text(r"$$h_t = f(h_{t-1}) + g(W x_t)$$")[0]
    assert cell.open_functions == ("f", "g")
    half = bind(cell, f="tanh")
    assert half.open_functions == ("g",)
    assert bind(half, g="relu").open_functions == ()


BAD = {
    "unknown function": ({"g": r"\tanh"}, ["no open function 'g'", "open: f"]),
    "empty": ({"f": " "}, ["empty", "write one such as"]),
    "does not parse": ({"f": r"\tanh(W o"}, ["body of f:1", "is still open", "^"]),
    "unknown macro": ({"f": r"\foo(o)"}, [r"\foo is not understood", "open functions: f"]),
    "code": ({"f": r"\text{__import__('os')} o"}, ["is no name"]),
    "without its argument": ({"f": r"\tanh(W q)"}, ["does not appear", r"\mapsto"]),
    "ambiguous": ({"f": "a o"}, ["a could be", r"\odot"]),
    "open itself": ({"f": "g(o)"}, ["itself an open function"]),
    "shifted parameter": ({"f": r"W^{(l-1)} o"}, ["is shifted"]),
    "deep": ({"f": "(" * 100 + "o" + ")" * 100}, ["nested deeper"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_bodies(case: str) -> None:
    functions, words = BAD[case]
    with pytest.raises(BindError) as caught:
        bind(shortcut(), **functions)
    for word in words:
        assert word in str(caught.value)


def test_a_body_cannot_name_the_cells_states_or_break_its_sizes() -> None:
    cell = reader.read_text(r"$$c_t = W x_t + c_{t-1} \\ h_t = f(x_t) + h_{t-1} + c_t$$")[0]
    with pytest.raises(BindError, match="c is defined by an equation|c is a state"):
        bind(cell, f=r"z \mapsto \tanh(V z) \odot c")
    with pytest.raises(BindError, match="shapes do not fit: the size hidden meets the size input"):
        bind(cell, f=r"\tanh")
    with pytest.raises(BindError, match="no open function 'f'"):
        bind(bind(cell, f=r"z \mapsto V z"), f=r"\tanh")
