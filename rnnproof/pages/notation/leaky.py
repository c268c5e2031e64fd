"""A leaky state behind a mask that is given with the data: h_t = m_t * (k h_{t-1} + tanh(W x_t))."""

import sympy as sp

from rnnproof.equations.cell import Cell
from rnnproof.equations.expressions import apply, hadamard

hidden, size = sp.symbols("hidden input", integer=True, positive=True)
x, m = sp.MatrixSymbol("x", size, 1), sp.MatrixSymbol("m", hidden, 1)
h, h_prev = sp.MatrixSymbol("h", hidden, 1), sp.MatrixSymbol("h_prev", hidden, 1)
W, k = sp.MatrixSymbol("W", hidden, size), sp.Symbol("k", real=True)

value = hadamard(m, k * h_prev + apply(sp.tanh, W * x))
cell = Cell.from_sympy("leaky", {h: value}, previous={h: h_prev}, inputs=[x], constants=[m])
