"""Equations that are read but mean nothing: refused where the Cell is made, before anything can be derived or proved."""

from __future__ import annotations

import pytest
import sympy as sp

import rnnproof as rp
from rnnproof.errors import EquationError, GenerationError

NINES = "9" * 400


@pytest.mark.parametrize(
    "coefficient",
    [
        r"\frac{0}{1-1}",
        r"\frac{1}{1-1}",
        r"\frac{1}{1-\frac{2}{2}}",
        r"\frac{1}{0 \cdot \alpha}",
        r"\frac{1}{\alpha-\alpha}",
        r"\frac{1}{\alpha\beta-\beta\alpha}",
        r"\frac{1}{x_t^\top x_t - x_t^\top x_t}",
        r"\frac{1}{(\alpha+\beta)(\alpha-\beta) - \alpha\alpha + \beta\beta}",
        r"\frac{1}{\tanh(\alpha+\beta) - \tanh(\beta+\alpha)}",
    ],
)
def test_a_divisor_that_is_always_zero(coefficient: str) -> None:
    with pytest.raises(EquationError, match=r"divides by 0|divisor is 0|division by zero"):
        rp.read_text(rf"$$h_t = {coefficient} h_{{t-1}} + W x_t$$")


def test_a_divisor_that_an_equation_above_makes_zero() -> None:
    with pytest.raises(EquationError, match=r"frac\{1\}\{a_t\}.*divisor is 0"):
        rp.read_text(r"$$\begin{align} a_t &= \alpha - \alpha \\ h_t &= \frac{1}{a_t} h_{t-1} + W x_t \end{align}$$")


@pytest.mark.parametrize(
    "coefficient", [r"\frac{\alpha}{\alpha+1}", r"\frac{1}{x_t^\top x_t}", r"\frac{1}{\mathrm{relu}(\alpha)}"]
)
@pytest.mark.slow
def test_a_divisor_that_can_be_zero_is_the_data_s_business(coefficient: str) -> None:
    assert rp.check(rp.read_text(rf"$$h_t = {coefficient} h_{{t-1}} + W x_t$$")[0], oracles=("autograd",)).ok


@pytest.mark.parametrize("coefficient", [NINES, rf"\frac{{1}}{{{NINES}}}", rf"10 \cdot {'9' * 308}"])
def test_a_constant_that_float64_does_not_hold(coefficient: str) -> None:
    with pytest.raises(EquationError, match="outside the range of float64") as caught:
        rp.read_text(rf"$$h_t = {coefficient} h_{{t-1}} + W x_t$$")
    assert len(str(caught.value)) < 1920


def test_constants_that_overflow_only_together() -> None:
    large = "1" + "0" * 200
    cell = rp.read_text(rf"$$\begin{{align}} a_t &= {large} x_t \\ h_t &= R h_{{t-1}} + {large} a_t \end{{align}}$$")[0]
    with pytest.raises(GenerationError, match="more than float64 holds"):
        rp.generate(cell)


@pytest.mark.parametrize("digits", [f"0.{'3' * 400}", rf"\frac{{{NINES}}}{{{NINES[:-1]}8}}"])
def test_many_digits_of_an_ordinary_number(digits: str) -> None:
    assert rp.check(rp.read_text(rf"$$h_t = {digits} h_{{t-1}} + W x_t$$")[0], oracles=("autograd",)).ok


@pytest.mark.parametrize("number", [sp.nan, sp.oo, sp.zoo, sp.I, sp.Float("1e400"), sp.exp(1000)])
def test_the_same_from_sympy(number: sp.Expr) -> None:
    size = sp.Symbol("n", integer=True, positive=True)
    new, old = sp.MatrixSymbol("h", size, 1), sp.MatrixSymbol("h_prev", size, 1)
    with pytest.raises(EquationError, match="constant"):
        rp.Cell.from_sympy("mine", {new: sp.MatMul(number, old, evaluate=False)}, previous={new: old})
