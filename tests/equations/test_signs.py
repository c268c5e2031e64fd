"""A sign that the text calls a convolution is no product: refused, wherever and however the text says it."""

from __future__ import annotations

import pytest

from rnnproof.equations import signs
from rnnproof.equations.reader import read_text
from rnnproof.errors import EquationError

STAR = r"$$ H_t = \tanh(W_x * X_t + W_h * H_{t-1}) $$"
AST = r"$$ H_t = \tanh(W_x \ast X_t + W_h \ast H_{t-1}) $$"
CIRCLE = r"$$ H_t = \tanh(W_x X_t + W_h \circ H_{t-1}) $$"


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        (STAR, r"where $*$ is the convolution and $\circ$ the elementwise product."),
        (STAR, r"where $\ast$ denotes a convolution."),
        (AST, r"where $*$ denotes a convolution."),
        (STAR, "Here '*' denotes the convolution operator and 'o' the Hadamard product."),
        (STAR, r"where $*$ and $\circ$ denote the convolution operator and the Hadamard product."),
        (STAR, r"where $\circ$ is the Hadamard product and $*$ convolves its arguments."),
        (STAR, r"We write the convolution operator ($*$) between kernels and maps."),
        (STAR, r"ConvLSTM replaces the matrix products by convolutions, as Shi et al. proposed."),
        (STAR, r"ここで $*$ は畳み込みを表す。"),
        (CIRCLE, r"where $\circ$ is a circular convolution."),
    ],
)
def test_a_convolution_is_refused(equation: str, text: str) -> None:
    with pytest.raises(EquationError, match="convolution.*write a product, or say that it is one") as raised:
        read_text(f"{equation}\n\n{text}")
    assert str(raised.value).startswith("cell:1: ") and "^" in str(raised.value)


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        (STAR, "A recurrent layer."),
        (STAR, r"The input is the output of a convolutional network; $*$ is the matrix product."),
        (AST, r"where $*$ denotes multiplication. Convolutional layers come before."),
        (CIRCLE, r"where $*$ is the convolution and $\circ$ the elementwise product."),
        (r"$$ h_t = \tanh(W x_t + R h_{t-1}) $$", r"where $*$ is the convolution, which we do not use."),
        (r"$$ h^*_t = \tanh(W x_t + R h^*_{t-1}) $$", r"Convolutional networks do not remember."),
    ],
)
def test_other_signs_are_read(equation: str, text: str) -> None:
    assert len(read_text(f"{equation}\n\n{text}")) == 1


def test_a_text_is_searched_once_for_all_its_equations() -> None:
    """Searched for each, a long document of many equations takes time with the square of its length."""
    signs._said.cache_clear()
    lines = r" \\ ".join(rf"a_{{{i},t}} = \tanh(W_{{{i}}} x_t)" for i in range(20))
    total = " + ".join(f"a_{{{i},t}}" for i in range(20))
    read_text(rf"$$ {lines} \\ h_t = {total} + R h_{{t-1}} $$")
    assert signs._said.cache_info().misses == 1 and signs._said.cache_info().hits >= 20
