"""Equations stand in the generated text, where their LaTeX may not be taken for Python."""

import warnings

import pytest

import rnnproof


@pytest.mark.parametrize(
    "argument",
    [r"\{W x_t + R h_{t-1}\}", r"(V [x_t \| h_{t-1}])", r"(W\; x_t +\ R h_{t-1})", r"\left\{W x_t + R h_{t-1}\right\}"],
)
def test_a_backslash_begins_no_escape(argument: str) -> None:
    (cell,) = rnnproof.read_text(rf"h_t = \tanh{argument}", name="braces")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(rnnproof.generate(cell), "braces.py", "exec")
