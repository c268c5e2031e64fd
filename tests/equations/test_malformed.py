"""Malformed documents: each raises one EquationError that names document and line, shows a caret, and says what cures it."""

from __future__ import annotations

import pytest

from rnnproof.equations import reader
from rnnproof.errors import EquationError

# the text (put on line 3 of a document) and words its message must hold
MALFORMED = {
    "unbalanced brace": (r"$$h_t = \tanh(W_{x x_t + R h_{t-1})$$", ["'{' is still open", "close it"]),
    "unbalanced brace, other side": (r"$$h_t = \tanh(W x_t} + R h_{t-1})$$", ["} closes nothing", "balance"]),
    "unclosed parenthesis": (r"$$h_t = \tanh(W x_t + R h_{t-1}$$", ["'(' is still open"]),
    "extra parenthesis": (r"$$h_t = W x_t) + h_{t-1}$$", [") closes nothing"]),
    "mixed brackets": (r"$$h_t = \tanh(W x_t + R h_{t-1}]$$", ["( is closed by ]", "close it with )"]),
    "unclosed display": ("$$h_t = h_{t-1}", ["$$ is never closed"]),
    "unclosed environment": (r"\begin{align} h_t = h_{t-1}", [r"\begin{align} is never closed"]),
    "unknown macro": (r"$$h_t = \foo{x_t} + h_{t-1}$$", [r"\foo is not understood", "without it"]),
    "a sum": (r"$$h_t = \sum_i x_i + h_{t-1}$$", ["a sum is understood as a product of a matrix and a vector only"]),
    "a norm": (r"$$h_t = |x_t| + h_{t-1}$$", ["'|' is not understood"]),
    "nothing on the right": (r"$$h_t = $$", ["ends too early"]),
    "two operators": (r"$$h_t = W x_t + \odot h_{t-1}$$", [r"\odot is not expected here"]),
    "two equal signs": (r"$$h_t = h_{t-1} = x_t$$", ["two updates of h_{t-1}"]),
    "no update": (r"$$y_t = V h_{t-1} + U x_t$$", ["state h has no update", "add an equation"]),
    "two updates": (r"$$h_t = W h_{t-1} \\ h_t = x_t + h_{t-1}$$", ["two updates of h_t", "keep one"]),
    "two steps back": (r"$$h_t = W h_{t-2} + U h_{t-1}$$", ["h_{t-2} lies 2 steps back", "state of its own"]),
    "read ahead": (r"$$h_t = W h_{t+1} + U h_{t-1}$$", ["h_{t+1} lies ahead"]),
    "input of an earlier step": (
        r"$$h_t = W x_t + U x_{t-1} + V x_{t-2} + h_{t-1}$$",
        ["x_{t-2} is an earlier x", "state of its own"],
    ),
    "circle of definitions": (
        r"$$a_t = b_t + h_{t-1} \\ b_t = a_t \\ h_t = b_t$$",
        ["needs itself within one step", "break the circle"],
    ),
    "ambiguous letter": (
        r"$$h_t = a h_{t-1} + W x_t$$",
        ["a could be a scalar, a vector or a matrix", r"declare it", r"$a \in \mathbb{R}$"],
    ),
    "ambiguous dot": (r"$$h_t = a \cdot h_{t-1} + W x_t$$", ["a could be a scalar", "declare"]),
    "declared otherwise": (
        r"$W \in \mathbb{R}$ $$h_t = W x_t + U h_{t-1} + W \odot W \odot (V x_t)^T$$",
        ["transposed vector"],
    ),
    "scalar by declaration, added to a matrix": (
        r"$\gamma \in \mathbb{R}$ $$h_t = (W + \gamma) h_{t-1}$$",
        ["W could be a scalar, a vector or a matrix", "declare"],
    ),
    "scalar and identity": (r"$$h_t = \alpha h_{t-1} + (\alpha + I) h_{t-1}$$", ["a scalar and a matrix", "by I"]),
    "number and matrix": (r"$$h_t = (A - A^T + 1 + I) h_{t-1}$$", ["a number and a matrix", "write I"]),
    "sizes in conflict": (
        r"$W \in \mathbb{R}^{m \times n}$, $h_t \in \mathbb{R}^n$ $$h_t = \tanh(W h_{t-1})$$",
        ["shapes do not fit", "size m", "size n"],
    ),
    "a vector that contains itself": (r"$$h_t = [h_{t-1}, x_t]$$", ["shapes do not fit", "size of h_t"]),
    "matrix and vector": (r"$$h_t = W x_t + W \odot h_{t-1}$$", ["meets a", "entry by entry"]),
    "which is the input": (r"$$h_t = h_{t-1} \odot a_t + b_t$$", ["a_t has no equation", "say in the text"]),
    "one name for two symbols": (r"$$h_t = W_h^f x_t + W_{h,f} h_{t-1}$$", ["both have the name W_h_f", "rename"]),
    "index left out": (r"$$h_t = W x_t + U h_{t-1} + h$$", ["h and h_t differ in the index only"]),
    "power of a vector": (r"$$h_t = x_t^2 + x_t + h_{t-1}$$", ["looks like a power", "products"]),
    "power of a vector that stands nowhere else": (r"$$h_t = x_t^2 + h_{t-1}$$", ["looks like a power", "in parentheses"]),
    "power of a scalar": (r"$$h_t = \alpha^{2} h_{t-1} + W x_t$$", ["looks like a power"]),
    "inverse": (r"$$h_t = W^{-1} h_{t-1} + x_t$$", ["W^{-1} looks like a power"]),
    "exponential": (r"$$h_t = e^{-h_{t-1}} + W x_t$$", ["e^{-h_{t-1}} looks like a power", r"\exp(...)"]),
    "exponential of a symbol": (r"$$h_t = e^{x_t} + h_{t-1}$$", ["e^{x_t} looks like a power", r"\exp(...)"]),
    "power of a function": (r"$$h_t = \tanh^2(x_t + h_{t-1})$$", ["power of a function"]),
    "power of a bracket": (r"$$h_t = (x_t + h_{t-1})^2$$", ["only a symbol carries scripts"]),
    "function without its argument's end": (r"$$h_t = \tanh W x_t + h_{t-1}$$", ["where does the argument", "parentheses"]),
    "function without argument": (r"$$h_t = \tanh + h_{t-1}$$", ["needs its argument"]),
    "function of two": (r"$$h_t = \tanh(x_t, h_{t-1})$$", ["takes one argument", "[a, b]"]),
    "function of a list and more": (r"$$h_t = F(h_{t-1}, x_t; \theta)$$", ["a comma and a ;", "[a; b]"]),
    "a matrix of several columns": (
        r"$$h_t = \begin{bmatrix} A & B \end{bmatrix} h_{t-1} + x_t$$",
        ["a matrix of several columns", "products as a sum"],
    ),
    "an entry": (r"$$h_t = h_{t-1}[0] + x_t$$", ["an entry of a vector", "whole vectors"]),
    "division by a matrix": (r"$$h_t = W x_t + h_{t-1} / W$$", ["may be an inverse", r"\oslash"]),
    "division by zero": (r"$$h_t = W x_t + h_{t-1} / 0$$", ["division by zero"]),
    "python keyword": (r"$$\text{class}_t = \text{class}_{t-1}$$", ["'class' is a word of Python", "another word"]),
    "import in a text": (r"$$h_t = \text{__import__('os')} h_{t-1}$$", ["__import__('os')", "is no name"]),
    "dunder in a text": (r"$$h_t = \mathrm{x.__class__} + h_{t-1}$$", ["not expected here"]),
    "code in a script": (r"$$h_t = W_{\text{os.system(1)}} h_{t-1}$$", ["os.system(1)", "is no name"]),
    "accent over an expression": (r"$$h_t = \bar{W x_t} + h_{t-1}$$", [r"\bar stands over one symbol"]),
    "a row declared": (r"$u \in \mathbb{R}^{1 \times n}$ $$h_t = u \odot h_{t-1}$$", ["neither a column nor a matrix"]),
    "a state declared scalar": (r"$h_t \in \mathbb{R}$ $$h_t = W x_t + h_{t-1}$$", ["states are vectors"]),
    "matrices on both sides": (r"$$h_t = A x_t B + h_{t-1}$$", ["matrices on both sides"]),
    "no recurrence": (r"$$y_t = W x_t + b$$", ["no system of equations", "no recurrence"]),
    "no mathematics": ("Only words.", ["no system of equations", "write one such as"]),
    "only inline mentions": (r"Here $h_t$ is the state.", ["no system of equations", "no equation"]),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_the_message_says_what_where_and_the_cure(case: str) -> None:
    text, words = MALFORMED[case]
    with pytest.raises(EquationError) as caught:
        reader.read_text(f"# Notes\n\n{text}\n", "notes")
    message = str(caught.value)
    for word in words:
        assert word in message, message
    if case != "no mathematics":
        assert "notes:3" in message, message


def test_the_caret_stands_under_the_fault() -> None:
    text = "$$\n\\begin{align}\na_t &= W x_t \\\\\nh_t &= \\tanh(a_t + \\foo{h_{t-1}})\n\\end{align}\n$$"
    with pytest.raises(EquationError) as caught:
        reader.read_text(text, "notes")
    first, line, caret = str(caught.value).split("\n")
    assert first.startswith("notes:4: \\foo")
    assert line[caret.index("^") :].startswith("\\foo")


def test_an_unreadable_inline_remark_spoils_nothing() -> None:
    text = r"With $p_t = \max(V h_{t-1})$, $\foo = 3$ and $x_{t} \in \mathcal{X}$: $$h_t = \tanh(W x_t + R h_{t-1})$$"
    (cell,) = reader.read_text(text)
    assert [state.name for state in cell.states] == ["h"]


def test_an_inline_gate_that_cannot_be_read_is_no_remark() -> None:
    with pytest.raises(EquationError, match="foo"):
        reader.read_text(r"With $z_t = \foo(V h_{t-1})$: $$h_t = z_t \odot \tanh(W x_t + R h_{t-1})$$")


@pytest.mark.parametrize("function", [r"\mathrm{softmax}", r"\operatorname{softmax}", "softmax", r"\text{Softmax}"])
def test_an_output_of_softmax_is_passed_over(function: str) -> None:
    """Nothing reads it, and softmax is not among the operations: the cell is read without it, and says so."""
    text = rf"$$h_t = \tanh(W x_t + R h_{{t-1}})$$ with $p_t = {function}(V h_t)$ and $L = -\log p_t$"
    (cell,) = reader.read_text(text)
    assert [state.name for state in cell.states] == ["h"]
    assert any(over.tex.startswith("p_t") and "output" in over.reason for over in cell.passed_over)
