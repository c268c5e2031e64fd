"""Gradients that an author prints, right ones and wrong ones, each as the comparison has to judge it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import rnnproof
from rnnproof.equations import catalogue
from rnnproof.equations.reader import read_text
from rnnproof.verification import gradient_comparison as gc
from rnnproof.verification.derived_run import DerivedRun
from rnnproof.verification.gradient_comparison import GradientComparison, compare_printed_gradients

ELMAN = r"$$a_t = U x_t + W h_{t-1} + b$$ $$h_t = \tanh(a_t)$$ $$o_t = V h_t + c$$"
LSTM = r"""$$\begin{aligned}
i_t &= \sigma(W_i x_t + U_i h_{t-1} + b_i) \\ f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f) \\
o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o) \\ g_t &= \tanh(W_g x_t + U_g h_{t-1} + b_g) \\
c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\ h_t &= o_t \odot \tanh(c_t)
\end{aligned}$$"""
GRU = r"""$$z_t = \sigma(W_z x_t + U_z h_{t-1})$$ $$r_t = \sigma(W_r x_t + U_r h_{t-1})$$
$$n_t = \tanh(W_n x_t + U_n (r_t \odot h_{t-1}))$$ $$h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t$$"""
AHEAD = r"$$h_{t+1} = \tanh(A h_t + B x_t)$$"
RESIDUAL = r"$$h_{l+1} = h_l + V_l \phi(U_l h_l + b_l)$$"


def judged(cell: str, *formulas: str) -> list[GradientComparison]:
    text = cell + "\n\nFor the gradients we find\n\n" + "\n\n".join(f"$${formula}$$" for formula in formulas)
    (read,) = read_text(text)
    return list(compare_printed_gradients(read))


RIGHT: list[tuple[str, str, tuple[str, ...]]] = [
    # one step's Jacobian, in both layouts and with a vector for a diagonal matrix
    (ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2) W", ()),
    (ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = W^\top \operatorname{diag}(1 - h_t^2)", (gc.DENOMINATOR,)),
    (ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = (1 - h_t \odot h_t) W", ()),
    (
        ELMAN,
        r"\frac{\partial h_t}{\partial h_{t-1}} = \frac{\partial h_t}{\partial a_t} \frac{\partial a_t}{\partial h_{t-1}}",
        (),
    ),
    (ELMAN, r"\partial h_t / \partial h_{t-1} = \tanh'(a_t) W", ()),
    (ELMAN, r"\frac{dh_{t+1}}{dh_t} = \mathrm{diag}(1 - \tanh^2(a_{t+1})) W", ()),
    (ELMAN, r"\frac{\partial h_T}{\partial h_k} = \prod_{t=k+1}^{T} \mathrm{diag}(1 - h_t^2) W", ()),
    # the loss: what comes from the output, from the next step, and both
    (
        ELMAN,
        r"\frac{\partial L}{\partial h_t} = V^\top \frac{\partial L}{\partial o_t} + W^\top \delta a_{t+1}",
        (),
    ),
    (ELMAN, r"\nabla_{h_t} L = V^\top \nabla_{o_t} L + W^\top \mathrm{diag}(1 - h_{t+1}^2) \nabla_{h_{t+1}} L", ()),
    (ELMAN, r"\frac{\partial L}{\partial h_t} = \frac{\partial L}{\partial o_t} V + \frac{\partial L}{\partial a_{t+1}} W", ()),
    (ELMAN, r"\frac{\partial L}{\partial h_T} = V^\top \frac{\partial L}{\partial o_T}", ()),
    (ELMAN, r"\frac{\partial L}{\partial h_t} = V^\top \frac{\partial L}{\partial o_t}", (gc.LAST_STEP,)),
    (ELMAN, r"\delta h_{t-1} = W^\top \delta a_t", (gc.PASSED_BACK,)),
    (ELMAN, r"\frac{\partial L_t}{\partial h_t} = V^\top \frac{\partial L_t}{\partial o_t}", ()),
    # parameters: the sum over steps, one step's part, and what shape
    (ELMAN, r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \frac{\partial L}{\partial a_t} h_{t-1}^\top", ()),
    (ELMAN, r"\frac{\partial L}{\partial W} = \sum_t \delta a_t \otimes h_{t-1}", ()),
    (
        ELMAN,
        r"\frac{\partial L}{\partial W} = \sum_t h_{t-1} \left(\frac{\partial L}{\partial a_t}\right)^\top",
        (gc.TRANSPOSED,),
    ),
    (ELMAN, r"dW = da_t\, h_{t-1}^\top", (gc.ONE_STEP,)),
    (ELMAN, r"\frac{\partial L}{\partial b} = \sum_t (1 - h_t^2) \odot \frac{\partial L}{\partial h_t}", ()),
    (ELMAN, r"\frac{\partial L}{\partial W} = \sum_t \frac{\partial L}{\partial h_t} \frac{\partial h_t}{\partial W}", ()),
    # gates held fixed, and the whole
    (LSTM, r"\frac{\partial c_t}{\partial c_{t-1}} = f_t", (gc.OTHER_STATES,)),
    (LSTM, r"\frac{\partial c_T}{\partial c_k} = \prod_{t=k+1}^{T} f_t", (gc.OTHER_STATES,)),
    (LSTM, r"\delta o_t = \delta h_t \odot \tanh(c_t)", ()),
    (LSTM, r"\delta_{c_t} = \delta_{h_t} \odot o_t \odot (1 - \tanh(c_t)^2) + \delta_{c_{t+1}} \odot f_{t+1}", ()),
    (LSTM, r"\frac{\partial L}{\partial W_f} = \sum_t \delta f_t \odot f_t \odot (1 - f_t) x_t^\top", ()),
    (GRU, r"\frac{\partial h_t}{\partial h_{t-1}} = \mathrm{diag}(1 - z_t)", (gc.OTHER_SYMBOLS,)),
    (GRU, r"\frac{\partial L}{\partial z_t} = \frac{\partial L}{\partial h_t} \odot (n_t - h_{t-1})", ()),
    # steps printed one ahead, per-step weights, a function left open
    (AHEAD, r"\frac{\partial h_{t+1}}{\partial h_t} = \mathrm{diag}(1 - h_{t+1}^2) A", ()),
    (
        AHEAD,
        r"\frac{\partial L}{\partial B} = \sum_t \mathrm{diag}(1 - h_{t+1}^2) \frac{\partial L}{\partial h_{t+1}} x_t^\top",
        (),
    ),
    (RESIDUAL, r"\frac{\partial h_{l+1}}{\partial h_l} = I + V_l \mathrm{diag}(\phi'(U_l h_l + b_l)) U_l", (gc.STAND_IN,)),
]
WRONG: list[tuple[str, str]] = [
    (ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = W \operatorname{diag}(1 - h_t^2)"),
    (ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t) W"),
    (ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_{t-1}^2) W"),
    (ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = W"),
    (
        ELMAN,
        r"\frac{\partial h_t}{\partial h_{t-1}} = W^\top \operatorname{diag}(1 - h_t^2) = W \operatorname{diag}(1 - h_t^2)",
    ),
    (ELMAN, r"\frac{\partial L}{\partial h_t} = W^\top \frac{\partial L}{\partial h_{t+1}}"),
    (
        ELMAN,
        r"\frac{\partial L}{\partial h_t} = V^\top \frac{\partial L}{\partial o_t} + W \frac{\partial L}{\partial a_{t+1}}",
    ),
    (
        ELMAN,
        r"\frac{\partial L}{\partial h_t} = V^\top \frac{\partial L}{\partial o_t} + W^\top \frac{\partial L}{\partial a_t}",
    ),
    (ELMAN, r"\frac{\partial L}{\partial W} = \sum_t \frac{\partial L}{\partial a_t} h_t^\top"),
    (ELMAN, r"\frac{\partial L}{\partial W} = \sum_t \frac{\partial L}{\partial h_t} h_{t-1}^\top"),
    (ELMAN, r"\frac{\partial L}{\partial b} = \sum_t (1 + h_t^2) \odot \frac{\partial L}{\partial h_t}"),
    (ELMAN, r"\frac{\partial h_T}{\partial h_k} = \prod_{t=k}^{T} \mathrm{diag}(1 - h_t^2) W"),
    (LSTM, r"\frac{\partial c_t}{\partial c_{t-1}} = i_t"),
    (LSTM, r"\delta_{c_t} = \delta_{h_t} \odot o_t \odot (1 - c_t^2) + \delta_{c_{t+1}} \odot f_{t+1}"),
    (LSTM, r"\delta_{c_t} = \delta_{h_t} \odot o_t \odot (1 - \tanh(c_t)^2) + \delta_{c_{t+1}} \odot f_t"),
    (LSTM, r"\delta f_t = \delta c_t \odot c_t"),
    (LSTM, r"\frac{\partial L}{\partial W_f} = \sum_t \delta f_t \odot f_t x_t^\top"),
    (GRU, r"\frac{\partial h_t}{\partial h_{t-1}} = \mathrm{diag}(z_t)"),
    (GRU, r"\frac{\partial L}{\partial z_t} = \frac{\partial L}{\partial h_t} \odot (h_{t-1} - n_t)"),
    (AHEAD, r"\frac{\partial h_{t+1}}{\partial h_t} = \mathrm{diag}(1 - h_t^2) A"),
    (
        AHEAD,
        r"\frac{\partial L}{\partial B} = \sum_t \mathrm{diag}(1 - h_{t+1}^2) \frac{\partial L}{\partial h_{t+1}} x_{t+1}^\top",
    ),
    (RESIDUAL, r"\frac{\partial h_{l+1}}{\partial h_l} = V_l \mathrm{diag}(\phi'(U_l h_l + b_l)) U_l"),
]


@pytest.mark.parametrize(("cell", "formula", "notes"), RIGHT)
def test_a_right_gradient_agrees_and_the_convention_is_named(cell: str, formula: str, notes: tuple[str, ...]) -> None:
    (one,) = judged(cell, formula)
    assert (one.verdict, one.notes) == (gc.AGREES, notes), str(one)


@pytest.mark.parametrize(("cell", "formula"), WRONG)
def test_a_wrong_gradient_differs(cell: str, formula: str) -> None:
    (one,) = judged(cell, formula)
    assert one.verdict == gc.DIFFERS, str(one)
    assert one.error > 1e-4


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (r"\frac{\partial L}{\partial o_t} = \hat{y}_t - y_t", r"it has the symbol \hat{y}_t, which the cell has not"),
        (r"\frac{\partial h_t}{\partial h_{t-1}} = V", gc.SHAPES),
        (r"\frac{\partial h_t}{\partial s_{t-1}} = W", r"it has the symbol s_{t-1}, which the cell has not"),
        (r"\frac{\partial h_t}{\partial h_{t-1}} = g'(a_t) W", "it has the function g', which the cell has not"),
    ],
)
def test_what_cannot_be_compared_says_why(formula: str, reason: str) -> None:
    (one,) = judged(ELMAN, formula)
    assert (one.verdict, one.reason) == (gc.NOT_COMPARED, reason)


def test_a_name_for_a_derivative_is_used_and_not_judged() -> None:
    found = judged(
        ELMAN,
        r"\delta_t = \frac{\partial L}{\partial a_t}",
        r"\delta_t = (1 - h_t^2) \odot (W^\top \delta_{t+1} + V^\top \frac{\partial L}{\partial o_t})",
        r"\delta_t = (1 - h_t^2) \odot (W \delta_{t+1} + V^\top \frac{\partial L}{\partial o_t})",
    )
    assert [one.verdict for one in found] == [gc.AGREES, gc.DIFFERS]


def test_what_the_document_says_of_a_delta_goes_before_what_its_label_looks_like() -> None:
    output = r"o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o)"
    split = LSTM.replace(output, r"a_t &= W_o x_t + U_o h_{t-1} + b_o \\ o_t &= \sigma(a_t)")
    found = judged(
        split,
        r"\delta_{o,t} = \frac{\partial L}{\partial a_t}",
        r"\delta_{o,t} = \frac{\partial L}{\partial h_t} \odot \tanh(c_t) \odot o_t \odot (1 - o_t)",
        r"\delta_{o,t} = \frac{\partial L}{\partial h_t} \odot \tanh(c_t)",
    )
    assert [one.verdict for one in found] == [gc.AGREES, gc.DIFFERS]


def test_the_derived_formula_stands_beside_one_that_differs() -> None:
    (one,) = judged(ELMAN, r"\frac{\partial h_t}{\partial h_{t-1}} = W")
    assert one.derived == rnnproof.derive(read_text(ELMAN)[0]).jacobian("h_t", "h_{t-1}").tex
    (two,) = judged(ELMAN, r"\frac{\partial L}{\partial a_t} = \frac{\partial L}{\partial h_t} \odot h_t")
    assert two.derived == r"\delta_{a_t} = \delta_{h_t} \odot (1 - h_t^{2})"


def closed() -> Iterator[tuple[str, str]]:
    """Every Jacobian of a state by a state in the catalogue, as the derivation prints it, with its cell's equations."""
    for name in catalogue.names():
        cell = catalogue.load(name)
        if not cell.open_functions and not cell.bodies:
            equations = "\n\n".join(f"$${equation.tex}$$" for equation in cell.equations)
            for jacobian in rnnproof.derive(cell).jacobians:
                yield equations, jacobian.tex


@pytest.mark.parametrize(("equations", "formula"), list(closed()))
def test_what_the_derivation_prints_agrees_and_a_planted_fault_does_not(equations: str, formula: str) -> None:
    (one,) = judged(equations, formula)
    assert (one.verdict, one.notes) == (gc.AGREES, ())
    faulty = [formula.replace("^{2}", ""), formula.replace("(1 -", "(1 +")]
    faulty = [text for text in faulty if text != formula]
    assert faulty
    for text in faulty:
        assert judged(equations, text)[0].verdict == gc.DIFFERS, text


def test_the_run_agrees_with_differences_of_its_own_forward() -> None:
    # Central differences of step 1e-6 are off by about 1e-10 here: 1e-12 of truncation, 1e-16 / 1e-6 of rounding.
    (cell,) = read_text(LSTM)
    run = DerivedRun(cell)
    jacobian = run.jacobian("h", 4, "c", 2, "nothing")
    nudge = run.xs["nudge_of_c"]
    found = np.empty_like(jacobian)
    for column in range(found.shape[1]):
        sides = []
        for sign in (1, -1):
            nudge[1, 0, column] = sign * 1e-6
            sides.append(run._forward(1, 5, 1).states["h"][3, 0])
            nudge[1, 0, column] = 0
        found[:, column] = (sides[0] - sides[1]) / 2e-6
    assert np.max(np.abs(found - jacobian)) < 1e-8
