"""The equations and listings the claims speak of, and layers beside them: what a layer computes, from the equations alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from rnnproof.equations import catalogue, reader
from rnnproof.equations.cell import Cell
from rnnproof.generation import build
from rnnproof.study.claims.probes import Array

# As the lecture prints them.
LSTM = r"""
$$
\begin{eqnarray}
\bar{h}_t & = & \tanh(W_\bar{h}x_t+R_\bar{h}h_{t-1}+b_\bar{h}) \\
c_t & = & i_t \odot \bar{h}_t+f_t \odot c_{t-1} \\
h_t & = & o_t\odot \tanh (c_t)
\end{eqnarray}
$$

$$
\begin{eqnarray}
i_t & = & \sigma(W_ix_t+R_ih_{t-1}+b_i) \\
f_t & = & \sigma(W_fx_t+R_fh_{t-1}+b_f) \\
o_t & = & \sigma(W_ox_t+R_oh_{t-1}+b_o) \\
\end{eqnarray}
$$
"""
# The same with x_t and h_{t-1} joined, each gate's W and R one matrix V.
JOINED = r"""
$$\bar{h}_t = \tanh(V_{\bar{h}} [x_t, h_{t-1}] + b_{\bar{h}})$$
$$c_t = i_t \odot \bar{h}_t + f_t \odot c_{t-1}$$
$$h_t = o_t \odot \tanh(c_t)$$
$$i_t = \sigma(V_i [x_t, h_{t-1}] + b_i)$$
$$f_t = \sigma(V_f [x_t, h_{t-1}] + b_f)$$
$$o_t = \sigma(V_o [x_t, h_{t-1}] + b_o)$$
"""
# Keras's order of the gates in its arrays, by the equations' names.
GATES = {"LSTM": ("i", "f", "hbar", "o"), "GRU": ("z", "r", "hbar")}
STATES = {"LSTM": ("h", "c"), "GRU": ("h",)}


def printed(name: str) -> str:
    """The equations: the lecture's for the LSTM; it prints none for the GRU, whose are the catalogue's."""
    return LSTM if name == "LSTM" else "\n".join(f"$${equation.tex}$$" for equation in catalogue.load("gru").equations)


def cell(name: str, activation: str = r"\tanh", gate: str = r"\sigma") -> Cell:
    """The cell that these equations are, with other functions in place of tanh and sigma."""
    (seen,) = reader.read_text(printed(name).replace(r"\tanh", activation).replace(r"\sigma", gate), name.lower())
    return seen


@cache
def module(name: str, activation: str = r"\tanh", gate: str = r"\sigma") -> ModuleType:
    """The module generated from these equations."""
    return build(cell(name, activation, gate))


def parameters(name: str, weights: Sequence[Array]) -> dict[str, Array]:
    """A layer's arrays as the equations name them: kernel (input, gates x units) is W, recurrent_kernel R, bias b."""
    seen: dict[str, Array] = {}
    for letter, array in zip("WRb", weights, strict=False):
        blocks = np.split(array, len(GATES[name]), axis=-1)
        seen |= {f"{letter}_{gate}": block.T for gate, block in zip(GATES[name], blocks, strict=True)}
    return seen


def states(name: str, params: Mapping[str, Array], x: Array, **functions: str) -> dict[str, Array]:
    """{state: (B, T, units)} by the equations, for sequences x (B, T, input)."""
    trace: Any = module(name, **functions).forward(params, x.swapaxes(0, 1))
    return {state: trace.states[state].swapaxes(0, 1) for state in STATES[name]}


def gates(name: str, params: Mapping[str, Array], x: Array) -> dict[str, Array]:
    """{gate: (B, T, units)}: sigma(W x_t + R h_{t-1} + b) of every gate, h by the equations, from zero."""
    h = states(name, params, x)["h"]
    before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
    sums = {g: x @ params[f"W_{g}"].T + before @ params[f"R_{g}"].T + params[f"b_{g}"] for g in GATES[name] if g != "hbar"}
    return {gate: np.asarray(1 / (1 + np.exp(-value))) for gate, value in sums.items()}
