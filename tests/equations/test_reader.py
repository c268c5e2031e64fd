"""The reader, notation by notation: names, roles, shapes and the order of the parameters."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

from rnnproof.equations import expressions, reader
from rnnproof.equations.cell import Cell


def read_one(text: str, name: str = "cell") -> Cell:
    (cell,) = reader.read_text(text, name)
    return cell


def summary(cell: Cell) -> str:
    """`states | input | parameters with shapes`, compact: `h | x | W(hidden,input) b(hidden)`; * marks one for each step."""

    def shape(symbol: Any) -> str:
        if not getattr(symbol, "is_Matrix", False):
            return "()"
        rows, columns = symbol.shape
        return f"({rows})" if columns == 1 else f"({rows},{columns})".replace(" ", "")

    states = " ".join(state.name for state in cell.states)
    inputs = " ".join(symbol.name for symbol in cell.inputs)
    parameters = " ".join(f"{'*' if p.per_step else ''}{p.name}{shape(p.symbol)}" for p in cell.parameters)
    return f"{states} | {inputs} | {parameters}"


SIMPLE = "h | x | W(hidden,input) R(hidden,hidden) b(hidden)"
WITH_CONCATENATION = "h | x | W(hidden,hidden+input) b(hidden)"

NOTATIONS = {
    "scalar gate by a dot product": (
        r"$$g_t = \sigma(w^\top h_{t-1} + \beta) \\ h_t = g_t h_{t-1} + (1 - g_t) \tanh(W x_t)$$ with $w \in \mathbb{R}^n$",
        "h | x | w(hidden) beta() W(hidden,input)",
    ),
    "time constant": (r"$$h_t = \frac{1}{\tau} h_{t-1} + \tanh(W x_t)$$", "h | x | tau() W(hidden,input)"),
    "dollars": (r"$$h_t = \tanh(W x_t + R h_{t-1} + b)$$", SIMPLE),
    "brackets": (r"\[ h_t = \tanh(W x_t + R h_{t-1} + b). \]", SIMPLE),
    "inline": (r"The state is $h_t = \tanh(W x_t + R h_{t-1} + b)$, as usual.", SIMPLE),
    "inline parentheses": (r"The state is \(h_t = \tanh(W x_t + R h_{t-1} + b)\).", SIMPLE),
    "no delimiters": (r"h_t = \tanh(W x_t + R h_{t-1} + b)", SIMPLE),
    "no delimiters, carried on": ("h_t = \\tanh(W x_t\n + R h_{t-1} + b)", SIMPLE),
    "math fence": ("```math\nh_t = \\tanh(W x_t + R h_{t-1} + b)\n```", SIMPLE),
    "equation": (r"\begin{equation} h_t = \tanh(W x_t + R h_{t-1} + b) \label{eq:h} \end{equation}", SIMPLE),
    "align*": (r"\begin{align*} h_t &= \tanh(W x_t + R h_{t-1} + b) \nonumber \\ \end{align*}", SIMPLE),
    "gather": (r"\begin{gather} h_t = \tanh(W x_t + R h_{t-1} + b) \tag{3} \end{gather}", SIMPLE),
    "eqnarray": (r"$$\begin{eqnarray} h_t & = & \tanh(W x_t + R h_{t-1} + b) \end{eqnarray}$$", SIMPLE),
    "aligned in dollars": (r"$$\begin{aligned} a_t &= W x_t \\[2pt] h_t &= \tanh(a_t + R h_{t-1} + b) \end{aligned}$$", SIMPLE),
    "continued row": ("\\begin{align} h_t &= \\tanh(W x_t \\\\ &\\quad + R h_{t-1} + b) \\end{align}", SIMPLE),
    "comment": ("$$h_t = \\tanh(W x_t % the input\n + R h_{t-1} + b)$$", SIMPLE),
    "equation number": (r"$$h_t = \tanh(W x_t + R h_{t-1} + b), \qquad (3)$$", SIMPLE),
    "array with a brace": (r"$$\left\{\begin{array}{l} h_t = \tanh(W x_t + R h_{t-1} + b) \end{array}\right.$$", SIMPLE),
    "spacing": (r"$$h_t = \tanh\!\left(W\,x_t + R\;h_{t-1} + b\right) \quad$$", SIMPLE),
    "sized brackets": (r"$$h_t = \tanh\bigl( W x_t + R h_{t-1} + b \bigr)$$", SIMPLE),
    "square brackets": (r"$$h_t = \tanh[W x_t + R h_{t-1} + b]$$", SIMPLE),
    "curly brackets": (r"$$h_t = \tanh\{W x_t + R h_{t-1} + b\}$$", SIMPLE),
    "assignment": (r"$$h_t := \tanh(W x_t + R h_{t-1} + b)$$", SIMPLE),
    "arrow": (r"$$h_t \leftarrow \tanh(W x_t + R h_{t-1} + b)$$", SIMPLE),
    "bold": (r"$$\mathbf{h}_t = \tanh(\mathbf W \boldsymbol{x}_t + \mathbf{R} \bm{h}_{t-1} + {\bf b})$$", SIMPLE),
    "bold and plain": (r"$$h_t = \tanh(W x_t + R \mathbf{h}_{t-1} + \mathrm{b})$$", SIMPLE),
    "index above": (r"$$h^t = \tanh(W x^t + R h^{t-1} + b)$$", SIMPLE),
    "index in parentheses": (r"$$h^{(t)} = \tanh(W x^{(t)} + R h^{(t-1)} + b)$$", SIMPLE),
    "index in angles": (r"$$h^{<t>} = \tanh(W x^{<t>} + R h^{<t-1>} + b)$$", SIMPLE),
    "index in langle": (
        r"$$h^{\langle t \rangle} = \tanh(W x^{\langle t\rangle} + R h^{\langle t-1 \rangle} + b)$$",
        SIMPLE,
    ),
    "index n": (r"$$h_n = \tanh(W x_n + R h_{n-1} + b)$$", SIMPLE),
    "index k": (r"$$h_k = \tanh(W x_k + R h_{k-1} + b)$$", SIMPLE),
    "index i": (r"$$h_i = \tanh(W x_i + R h_{i-1} + b)$$", SIMPLE),
    "next step, input now": (r"$$h_{t+1} = \tanh(W x_t + R h_t + b)$$", SIMPLE),
    "next step, input then": (r"$$h_{t+1} = \tanh(W x_{t+1} + R h_t + b)$$", SIMPLE),
    "intermediate without index": (
        r"$$a = W x_t + b \\ h_t = \tanh(a + R h_{t-1})$$",
        "h | x | W(hidden,input) b(hidden) R(hidden,hidden)",
    ),
    "capital state": (r"$$C_t = \tanh(W x_t + R C_{t-1})$$", "C | x | W(hidden,input) R(hidden,hidden)"),
    "state y": (r"$$y^t = \tanh(W x^t + R y^{t-1} + b)$$", "y | x | W(hidden,input) R(hidden,hidden) b(hidden)"),
    "rows": (r"$$h_t = \tanh(x_t W + h_{t-1} R + b)$$", "h | x | W(input,hidden) R(hidden,hidden) b(hidden)"),
    "capital rows": (
        r"$$\mathbf{H}_t = \tanh(\mathbf{X}_t \mathbf{W}_{xh} + \mathbf{H}_{t-1} \mathbf{W}_{hh} + \mathbf{b}_h)$$",
        "H | X | W_xh(input,hidden) W_hh(hidden,hidden) b_h(hidden)",
    ),
    "concatenation": (r"$$h_t = \tanh(W \cdot [h_{t-1}, x_t] + b)$$", WITH_CONCATENATION),
    "concatenation, semicolon": (r"$$h_t = \tanh(W [h_{t-1}; x_t] + b)$$", WITH_CONCATENATION),
    "concatenation, a sign made binary": (r"$$h_t = \tanh(W [h_{t-1} \mathbin{\|} x_t] + b)$$", WITH_CONCATENATION),
    "concatenation, transposed": (r"$$h_t = \tanh(W [h_{t-1}^\top, x_t^\top]^\top + b)$$", WITH_CONCATENATION),
    "concatenation, matrix": (r"$$h_t = \tanh(W \begin{bmatrix} h_{t-1} \\ x_t \end{bmatrix} + b)$$", WITH_CONCATENATION),
    "transposed": (r"$$h_t = \tanh(W^T x_t + R^\top h_{t-1} + b)$$", "h | x | W(input,hidden) R(hidden,hidden) b(hidden)"),
    "transposed, other signs": (
        r"$$h_t = \tanh(W^{\mathsf T} x_t + R^\intercal h_{t-1} + b^{\prime})$$",
        "h | x | W(input,hidden) R(hidden,hidden) bprime(hidden)",
    ),
    "bar without braces": (
        r"$$h_t = \tanh(W_\bar{h}x_t+R_\bar hh_{t-1}+b_\bar{h})$$",
        "h | x | W_hbar(hidden,input) R_hbar(hidden,hidden) b_hbar(hidden)",
    ),
    "labels": (
        r"$$h_t = \tanh(W_{xh} x_t + W_{h,h} h_{t-1} + b_h^{f})$$",
        "h | x | W_xh(hidden,input) W_h_h(hidden,hidden) b_h_f(hidden)",
    ),
    "numbers above as labels": (
        r"$$h_t^2 = \tanh(W^2 h_t^1 + R^2 h_{t-1}^2)$$",
        "h_2 | h_1 | W_2(hidden,input) R_2(hidden,hidden)",
    ),
    "numbers above without the first": (
        r"$$h_t^2 = \tanh(W^2 x_t + R^2 h_{t-1}^2)$$",
        "h_2 | x | W_2(hidden,input) R_2(hidden,hidden)",
    ),
    "a number in parentheses is a label": (
        r"$$h_t = \tanh(W x_t + W^{(2)} h_{t-1})$$",
        "h | x | W(hidden,input) W_2(hidden,hidden)",
    ),
    "a state e above": (r"$$e^{t} = W x^t + e^{t-1}$$", "e | x | W(hidden,input)"),
    "words": (
        r"$$h_t = \mathrm{ReLU}(W_\text{in} x_t + W_{\mathrm{rec}} h_{t-1} + \text{bias})$$",
        "h | x | W_in(hidden,input) W_rec(hidden,hidden) bias(hidden)",
    ),
    "underscored word": (r"$$h_t = \text{hard\_sigmoid}(W x_t + R h_{t-1} + b)$$", SIMPLE),
    "operatorname": (r"$$h_t = \operatorname{softsign}(W x_t + R h_{t-1} + b)$$", SIMPLE),
    "primes and stars": (
        r"$$h'_t = \tanh(W x_t + R h'_{t-1} + b^*)$$",
        "hprime | x | W(hidden,input) R(hidden,hidden) bstar(hidden)",
    ),
    "accents": (
        r"$$\tilde{h}_t = \tanh(\hat W x_t + \vec{R} \tilde h_{t-1} + \widehat{b})$$",
        "htilde | x | What(hidden,input) Rvec(hidden,hidden) bhat(hidden)",
    ),
    "unicode": (
        "$$h_t = σ(W x_t + R h_{t−1} + β) ⊙ γ$$",
        "h | x | W(hidden,input) R(hidden,hidden) beta(hidden) gamma(hidden)",
    ),
    "python keyword from Greek": (r"$$h_t = \lambda h_{t-1} + W x_t$$", "h | x | lambda() W(hidden,input)"),
    "function without parentheses": (r"$$c_t = W x_t + c_{t-1} \\ h_t = \tanh c_t$$", "h c | x | W(hidden,input)"),
    "scalar": (r"$$h_t = (1 - \alpha) h_{t-1} + \alpha \tanh(W x_t)$$", "h | x | alpha() W(hidden,input)"),
    "scalar by use": (r"$$h_t = (1 - a) h_{t-1} + W x_t$$", "h | x | a() W(hidden,input)"),
    "scalar declared": (r"With $a \in \mathbb{R}$, $$h_t = a h_{t-1} + W x_t$$", "h | x | a() W(hidden,input)"),
    "vector by use": (r"$$h_t = \sigma(W x_t + u \odot h_{t-1})$$", "h | x | W(hidden,input) u(hidden)"),
    "vector declared": (r"$u \in \mathbb{R}^n$ $$h_t = \sigma(W x_t + u \cdot h_{t-1})$$", "h | x | W(hidden,input) u(hidden)"),
    "matrix declared": (r"$w \in \mathbb{R}^{m \times n}$ $$h_t = \sigma(w x_t + h_{t-1})$$", "h | x | w(hidden,input)"),
    "declared list": (
        r"$$h_t = \tanh(w x_t + r h_{t-1}), \quad w \in \mathbb{R}^{m\times d}, r \in \mathbb{R}^{m\times m}$$",
        "h | x | w(hidden,input) r(hidden,hidden)",
    ),
    "stars": (
        r"$$f_t = \sigma(U * x_t + V * h_{t-1}) \\ h_t = f_t * h_{t-1} + (1 - f_t) * \tanh(W * x_t)$$",
        "h | x | U(hidden,input) V(hidden,hidden) W(hidden,input)",
    ),
    "dot behind a circle": (
        r"$$r_t = \sigma(U x_t) \\ h_t = r_t \odot W \cdot h_{t-1}$$",
        "h | x | U(hidden,input) W(hidden,hidden)",
    ),
    "circle before a product": (
        r"$$r_t = \sigma(U x_t) \\ h_t = r_t \circ W h_{t-1}$$",
        "h | x | U(hidden,input) W(hidden,hidden)",
    ),
    "matrix expression": (
        r"$$h_t = h_{t-1} + \epsilon \tanh((W - W^T - \gamma I) h_{t-1} + V x_t)$$",
        "h | x | epsilon() W(hidden,hidden) gamma() V(hidden,input)",
    ),
    "matrix intermediate": (
        r"$$A = W - W^\top \\ h_t = \tanh(A h_{t-1} + V x_t)$$",
        "h | x | W(hidden,hidden) V(hidden,input)",
    ),
    "chain of matrices": (r"$$h_t = A B x_t + h_{t-1}$$", "h | x | A(hidden,A_rank) B(A_rank,input)"),
    "dot product": (
        r"$$a_t = \sigma(w^T h_{t-1}) \\ h_t = a_t h_{t-1} + (1 - a_t) \tanh(W x_t)$$",
        "h | x | w(hidden) W(hidden,input)",
    ),
    "fraction": (r"$$h_t = \frac{1}{2} h_{t-1} + \tfrac12 W x_t$$".replace("12", "{1}{2}"), "h | x | W(hidden,input)"),
    "division": (r"$$h_t = (h_{t-1} + W x_t) / 2$$", "h | x | W(hidden,input)"),
    "output": (
        r"$$h_t = \tanh(W x_t + R h_{t-1}) \\ y_t = V h_t + c$$",
        "y h | x | W(hidden,input) R(hidden,hidden) V(y_size,hidden) c(y_size)",
    ),
    "two sizes": (
        r"$$g_t = \tanh(U x_t + V h_{t-1}) \\ h_t = R g_t$$",
        "h | x | U(g_size,input) V(g_size,hidden) R(hidden,g_size)",
    ),
    "used twice": (r"$$h_t = \tanh(W x_t + R h_{t-1} + R \tanh(R h_{t-1}))$$", "h | x | W(hidden,input) R(hidden,hidden)"),
    "recursion over layers": (r"$$h_l = \tanh(W_l h_{l-1} + b_l)$$", "h |  | *W(hidden,hidden) *b(hidden)"),
    "per step beside an input": (
        r"$$h^{(l)} = \tanh(W^{(l)} h^{(l-1)} + V x^{(l)} + b^{(l)})$$",
        "h | x | *W(hidden,hidden) V(hidden,input) *b(hidden)",
    ),
    "input that is only added": (r"$$h_t = \tanh(x_t + R h_{t-1})$$", "h | x | R(hidden,hidden)"),
    "input called x": (r"$$h_t = x_t + m \odot h_{t-1}$$", "h | x | m(hidden)"),
    "declared to be a parameter of each step": (
        r"The parameter $m_t$ is learned. $$h_t = W x_t + m_t \odot h_{t-1}$$",
        "h | x | W(hidden,input) *m(hidden)",
    ),
    "a label that never moves": (
        r"$$h_t^{(l)} = \tanh(W^{(l)} x_t + R^{(l)} h_{t-1}^{(l)})$$",
        "h_l | x | W_l(hidden,input) R_l(hidden,hidden)",
    ),
    "index behind a comma": (r"$$h_{i,t} = \tanh(W x_{i,t} + R h_{i,t-1})$$", "h_i | x_i | W(hidden,input) R(hidden,hidden)"),
    "ones": (r"$$z_t = \sigma(W x_t) \\ h_t = (\mathbf{1} - z_t) \odot h_{t-1}$$", "h | x | W(hidden,input)"),
    "capital I with an index is a gate": (r"$$I_t = \sigma(W x_t) \\ h_t = I_t \odot h_{t-1}$$", "h | x | W(hidden,input)"),
    "the same equation twice": (
        r"$$h_t = \tanh(W x_t + R h_{t-1} + b)$$ and again $$\mathbf{h}_t = \tanh(W x_{t} + R h_{t-1} + b).$$",
        SIMPLE,
    ),
    "inline sketch of a displayed equation": (
        r"A network $h_t = f(h_{t-1}, x_t)$ such as $$h_t = \tanh(W x_t + R h_{t-1} + b)$$",
        SIMPLE,
    ),
    "values in the text": (r"$$h_t = \tanh(W x_t + R h_{t-1} + b)$$ with $b = 0$ at first and $T = 9$", SIMPLE),
    "GRU of tutorials": (
        r"$$z_t = \sigma(W_z \cdot [h_{t-1}, x_t]) \\ \tilde{h}_t = \tanh(W \cdot [z_t * h_{t-1}, x_t])$$"
        r"$$h_t = (1 - z_t) * h_{t-1} + z_t * \tilde{h}_t$$",
        "h | x | W_z(hidden,hidden+input) W(hidden,hidden+input)",
    ),
    "dots between matrices and vectors": (
        r"$$h_t = \tanh(W \cdot x_t + R \cdot h_{t-1} + b)$$",
        SIMPLE,
    ),
    "peephole": (
        r"$$i_t = \sigma(W x_t + W_{ci} \odot c_{t-1}) \\ c_t = i_t \odot c_{t-1}$$",
        "c | x | W(hidden,input) W_ci(hidden)",
    ),
    "a condition": (r"$$h_t = \tanh(W x_t + R h_{t-1} + b), \quad t \geq 1$$", SIMPLE),
    "a condition in words": (r"$$h_t = \tanh(W x_t + R h_{t-1} + b) \quad \text{for all } t$$", SIMPLE),
    "a condition for all": (r"$$h_t = \tanh(W x_t + R h_{t-1} + b), \forall t > 0$$", SIMPLE),
    "a matrix in an aligned row": (
        r"\begin{align} h_t &= \tanh(W \begin{bmatrix} h_{t-1} \\ x_t \end{bmatrix} + b) &\\ y_t &= V h_t\end{align}",
        "y h | x | W(hidden,hidden+input) b(hidden) V(y_size,hidden)",
    ),
    "initial values": (r"$$h_t = \tanh(W x_t + R h_{t-1} + b), \quad h_0 = 0, \quad t = 1, \ldots, T$$", SIMPLE),
}


@pytest.mark.parametrize("notation", NOTATIONS)
def test_notation(notation: str) -> None:
    text, expected = NOTATIONS[notation]
    assert summary(read_one(text)) == expected


def test_equations_of_one_notation_mean_the_same() -> None:
    simple = read_one(NOTATIONS["dollars"][0])
    same = [name for name, (_, expected) in NOTATIONS.items() if expected == SIMPLE and "without" not in name]
    assert len(same) > 25
    for name in same:
        cell = read_one(NOTATIONS[name][0])
        if len(cell.equations) == 1 and name not in ("words", "underscored word", "operatorname"):
            assert cell.equations[0].expression == simple.equations[0].expression, name


OPEN = {
    r"$$x_{l+1} = x_l + F(x_l)$$": ("F",),
    r"$o^{(l)} = f^{(l)}(o^{(l-1)})+o^{(l-1)}$": ("f",),
    r"$$h_t = \phi(W x_t + R h_{t-1} + b)$$": ("phi",),
    r"$$h_t = g(W x_t + R h_{t-1})$$": ("g",),
    r"$$h_t = \sigma_g(W x_t + R h_{t-1})$$": ("sigma_g",),
    r"$$h_t = W(x_t + h_{t-1})$$": (),
    r"$$z_t = \sigma(U x_t) \\ h_t = z_t \odot (1 - h_{t-1})$$": (),
}


@pytest.mark.parametrize("text", OPEN)
def test_open_functions(text: str) -> None:
    assert read_one(text).open_functions == OPEN[text]


def test_the_printed_form_is_kept() -> None:
    cell = read_one(r"$$\bar{h}_t & = & \tanh(W_\bar{h}x_t+R^{(1)} \bar{h}_{t-1}), \label{a} \qquad (3)$$", "mine")
    assert cell.name == "mine"
    assert cell.tex == {
        "hbar": r"\bar{h}_t",
        "hbar_prev": r"\bar{h}_{t-1}",
        "W_hbar": r"W_{\bar{h}}",
        "x": "x_t",
        "R_1": "R^{(1)}",
    }
    (equation,) = cell.equations
    assert equation.tex == r"\bar{h}_t = \tanh(W_\bar{h}x_t+R^{(1)} \bar{h}_{t-1})"
    assert equation.where == "mine:1"


def test_scripts_of_scripts_are_printed() -> None:
    cell = read_one(r"$$h_t = \tanh(W_{h_t} x_t + R_{h_{ab}} h_{t-1} + b_{\bar{h}_\lambda})$$")
    assert [cell.tex[name] for name in ("W_ht", "R_hab", "b_hbarlambda")] == ["W_{h_t}", "R_{h_{ab}}", r"b_{\bar{h}_{\lambda}}"]


def test_states_come_latest_first() -> None:
    text = r"$$c_t = f_t \odot c_{t-1} + W x_t \\ h_t = \tanh(c_t) \\ f_t = \sigma(R h_{t-1}) \\ y_t = V h_t$$"
    cell = read_one(text)
    assert [state.name for state in cell.states] == ["y", "h", "c"]
    assert cell.states[0].old is None and cell.states[1].old is not None
    assert [equation.symbol.name for equation in cell.equations] == ["f", "c", "h", "y"]


def _symbols() -> dict[str, Any]:
    n, m = (sp.Symbol(name, integer=True, positive=True) for name in ("hidden", "input"))
    columns = {name: sp.MatrixSymbol(name, n, 1) for name in ("h_prev", "r")}
    return {"x": sp.MatrixSymbol("x", m, 1), "W": sp.MatrixSymbol("W", n, n), "U": sp.MatrixSymbol("U", n, m), **columns}


def test_precedence_is_that_of_print() -> None:
    given = _symbols()
    W, U, x, h, r = (given[name] for name in ("W", "U", "x", "h_prev", "r"))
    gate = r"r_t = \sigma(U x_t) \\ "
    product = expressions.multiply(W, h)
    expected = {
        r"r_t \odot W h_{t-1}": expressions.hadamard(r, product),
        r"r_t \odot W \cdot h_{t-1}": expressions.hadamard(r, product),
        r"W h_{t-1} \odot r_t": expressions.hadamard(product, r),
        r"W \cdot h_{t-1} \odot r_t": expressions.hadamard(product, r),
        r"W (h_{t-1} \odot r_t)": expressions.multiply(W, expressions.hadamard(h, r)),
        r"r_t * W * h_{t-1}": expressions.hadamard(r, product),
        r"-W h_{t-1}": expressions.multiply(-1, W, h),
        r"h_{t-1} - 2 r_t": expressions.add(h, expressions.multiply(-1, 2, r)),
        r"h_{t-1} W \odot r_t": expressions.hadamard(expressions.multiply(sp.Transpose(W), h), r),
        r"W U x_t + r_t + h_{t-1}": expressions.add(expressions.multiply(W, U, x), r, h),
        r"(1 - r_t) \odot h_{t-1}": expressions.hadamard(
            expressions.add(sp.OneMatrix(h.shape[0], 1), expressions.multiply(-1, r)), h
        ),
    }
    for printed, expression in expected.items():
        cell = read_one(f"$${gate}h_t = {printed}$$")
        assert cell.equations[-1].expression == expression, printed
