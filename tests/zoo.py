"""The shared zoo: cells built from SymPy, small enough to read, each here for one property the others lack."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from rnnproof.equations import activations as act
from rnnproof.equations import expressions as ex
from rnnproof.equations.cell import Body, Cell, Parameter

n, m = sp.symbols("hidden input", integer=True, positive=True)


def column(name: str, rows: sp.Expr = n) -> sp.MatrixSymbol:
    return sp.MatrixSymbol(name, rows, 1)


def matrix(name: str, rows: sp.Expr = n, columns: sp.Expr = n) -> sp.MatrixSymbol:
    return sp.MatrixSymbol(name, rows, columns)


x, h, h_old, c, c_old = column("x_t", m), column("h"), column("h_old"), column("c"), column("c_old")
sigma = act.find("sigmoid").function
mul, add, had, fun = ex.multiply, ex.add, ex.hadamard, ex.apply


def _affine(gate: str, state: sp.MatrixExpr = h_old) -> sp.MatrixExpr:
    return add(mul(matrix(f"W_{gate}", n, m), x), mul(matrix(f"R_{gate}"), state), column(f"b_{gate}"))


def simple_rnn(activation: str = "tanh", name: str = "simple_rnn") -> Cell:
    """h = f(W x + R h_old + b)."""
    body = add(mul(matrix("W", n, m), x), mul(matrix("R"), h_old), column("b"))
    return Cell.from_sympy(name, {h: fun(act.find(activation).function, body)}, previous={h: h_old}, inputs=[x])


def lstm() -> Cell:
    """Two states, four gates."""
    i, f, o, g = (column(name) for name in "ifog")
    equations = {
        i: fun(sigma, _affine("i")),
        f: fun(sigma, _affine("f")),
        o: fun(sigma, _affine("o")),
        g: fun(sp.tanh, _affine("c")),
        c: add(had(f, c_old), had(i, g)),
        h: had(o, fun(sp.tanh, c)),
    }
    return Cell.from_sympy("lstm", equations, previous={h: h_old, c: c_old}, inputs=[x])


def gru() -> Cell:
    """Reset after the product: two biases in one gate, `1 - z`."""
    z, r, hh = column("z"), column("r"), column("hh")
    recurrent = add(mul(matrix("R_h"), h_old), column("c_h"))
    equations = {
        z: fun(sigma, _affine("z")),
        r: fun(sigma, _affine("r")),
        hh: fun(sp.tanh, add(mul(matrix("W_h", n, m), x), column("b_h"), had(r, recurrent))),
        h: add(had(z, h_old), had(add(sp.OneMatrix(n, 1), mul(sp.S.NegativeOne, z)), hh)),
    }
    return Cell.from_sympy("gru_after", equations, previous={h: h_old}, inputs=[x])


def shortcut(bound: bool = True) -> Cell:
    """o = f(o_old) + o_old over layers: no input, an open function, its body's parameters with a value for each step."""
    o, o_old, argument = column("o"), column("o_old"), column("a")
    cell = Cell.from_sympy("shortcut", {o: add(ex.OpenFunction("f", o_old, n), o_old)}, previous={o: o_old}, index="l")
    if not bound:
        return cell
    W, b = matrix("W"), column("b")
    body = Body("f", argument, fun(sp.tanh, add(mul(W, argument), b)))
    parameters = (Parameter("W", W, per_step=True), Parameter("b", b, per_step=True))
    return Cell(**{**vars(cell), "bodies": (body,), "parameters": parameters})


def odds_and_ends() -> Cell:
    """Concatenation, a transposed and a twice-used matrix, a scalar parameter, a dot product, a vector parameter, gelu."""
    a, alpha = column("a"), sp.Symbol("alpha")
    W, V, p, q = matrix("W", n, n + m), matrix("V"), column("p"), column("q")
    equations = {
        a: fun(act.find("gelu").function, mul(W, ex.concatenate(h_old, x))),
        h: add(
            mul(alpha, fun(sp.tanh, mul(V, a))),
            mul(sp.Transpose(V), had(p, a)),
            mul(sp.tanh(ex.Dot(q, h_old)), sp.Rational(1, 3), h_old),
        ),
    }
    return Cell.from_sympy("odds", equations, previous={h: h_old}, inputs=[x])


CELLS: dict[str, Callable[[], Cell]] = {
    "simple_rnn": simple_rnn,
    "relu_rnn": lambda: simple_rnn("relu", "relu_rnn"),
    "hard_rnn": lambda: simple_rnn("hard_sigmoid", "hard_rnn"),
    "lstm": lstm,
    "gru_after": gru,
    "shortcut": shortcut,
    "odds": odds_and_ends,
}
