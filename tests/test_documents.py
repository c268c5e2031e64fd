"""From printed equations to checked code: each document is read, given bodies where it leaves functions open, and checked."""

from __future__ import annotations

import numpy as np
import pytest

import rnnproof as rp

pytestmark = [pytest.mark.slow]

DOCUMENTS = {
    "output and state": r"$$a^{(t)} = b + W h^{(t-1)} + U x^{(t)}$$ $$h^{(t)} = \tanh(a^{(t)})$$ $$o^{(t)} = c + V h^{(t)}$$",
    "concatenations": r"""
        $$f_t = \sigma(W_f \cdot [h_{t-1}, x_t] + b_f)$$ $$i_t = \sigma(W_i \cdot [h_{t-1}, x_t] + b_i)$$
        $$\tilde{C}_t = \tanh(W_C \cdot [h_{t-1}, x_t] + b_C)$$ $$C_t = f_t * C_{t-1} + i_t * \tilde{C}_t$$
        $$o_t = \sigma(W_o [h_{t-1}, x_t] + b_o)$$ $$h_t = o_t * \tanh(C_t)$$""",
    "open activations": r"""\begin{align}
        f_t &= \sigma_g(W_{f} x_t + U_{f} h_{t-1} + b_f) \\ i_t &= \sigma_g(W_{i} x_t + U_{i} h_{t-1} + b_i) \\
        \tilde{c}_t &= \sigma_c(W_{c} x_t + U_{c} h_{t-1} + b_c) \\ c_t &= f_t \odot c_{t-1} + i_t \odot \tilde{c}_t \\
        h_t &= \sigma_h(c_t) \end{align}""",
    "row vectors": r"$$\mathbf{H}_t = \tanh(\mathbf{X}_t \mathbf{W}_{xh} + \mathbf{H}_{t-1} \mathbf{W}_{hh} + \mathbf{b}_h).$$",
    "next step": r"\[ f_k = \sigma(W x_k + U h_k) \\ h_{k+1} = f_k \odot h_k + (1-f_k) \odot \tanh(V x_k + Q h_k) \]",
    "leak": r"$$h_t = (1-\alpha) h_{t-1} + \alpha \tanh(W x_t + R h_{t-1} + b)$$",
    "vector recurrence": r"$$h_t = \mathrm{softplus}(W x_t + u \odot h_{t-1} + b)$$",
    "antisymmetric": r"$$h_t = h_{t-1} + \epsilon \tanh\left((W - W^T - \gamma I) h_{t-1} + V x_t + b\right)$$",
    "peephole": r"""$$i_t = \sigma(W_i x_t + R_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\ h_t = \tanh(c_t)$$
        $$c_t = i_t \odot c_{t-1} + (1 - i_t) \odot \tanh(W_c x_t + R_c h_{t-1})$$""",
    "a parameter used twice": r"$$h_t = \tanh(W x_t + W h_{t-1} + b)$$",
    "a function with a body": r"$$o^{(l)} = f(o^{(l-1)}) + o^{(l-1)}$$ $$f(o) = \tanh(W o + b)$$",
    "low rank": r"$$h_t = \tanh(U V h_{t-1} + W x_t)$$",
    "scalar gate": r"""$$g_t = \sigma(w^\top h_{t-1} + \beta)$$ $$h_t = g_t h_{t-1} + (1 - g_t) \tanh(W x_t)$$
        with $w \in \mathbb{R}^{n}$""",
    "transposes": r"$$h_t = \tanh(W^\top x_t + R^{\top} h_{t-1}) / 2$$",
    "time constant": r"$$h_t = (1 - \frac{1}{\tau}) h_{t-1} + \frac{1}{\tau} \tanh(W x_t)$$",
    "an own input at each layer": r"$$o^{(l)} = \tanh(W^{(l)} o^{(l-1)} + U^{(l)} x^{(l)} + b^{(l)})$$",
    "names Python keeps": r"$$\lambda_t = \tanh(W x_t + R \lambda_{t-1})$$",
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_document_to_checked_code(case: str) -> None:
    (cell,) = rp.read_text(DOCUMENTS[case], name="mine")
    cell = rp.bind(cell, **dict.fromkeys(cell.open_functions, r"\tanh")) if cell.open_functions else cell
    assert rp.derive(cell).markdown()
    rows = rp.check(cell, oracles=["autograd", "complex"], dtypes=[np.float64])
    assert rows.ok, str(rows.table())
