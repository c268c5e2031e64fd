"""A module of the contract written by hand for the tests, as text, so that faults can be planted in it."""

from __future__ import annotations

from typing import Any

from rnnproof.generation.build import load_text

# h_t = tanh(W x_t + R h_{t-1} + b), with a time loop, a carry and sums over time.
RNN = """
from types import SimpleNamespace

import numpy as np

PARAMETERS = {"W": ("hidden", "input"), "R": ("hidden", "hidden"), "b": ("hidden",)}
STATES = ("h",)


def forward(params, xs, initial=None):
    W, R, b = params["W"], params["R"], params["b"]
    steps, batch, _ = xs.shape
    h = np.empty((steps + 1, batch, len(b)), xs.dtype)
    h[0] = 0 if initial is None else initial["h"]
    for t in range(steps):
        h[t + 1] = np.tanh(xs[t] @ W.T + h[t] @ R.T + b)
    return SimpleNamespace(states={"h": h[1:]}, h=h, xs=xs, params=params)


def backward(trace, d_states):
    W, R = trace.params["W"], trace.params["R"]
    h, xs = trace.h, trace.xs
    steps = len(xs)
    d_h = d_states.get("h", np.zeros_like(h[1:]))
    if d_h.shape != trace.states["h"].shape:
        raise ValueError("shape")
    d_a = np.empty_like(h[1:])
    carry = np.zeros_like(h[0])
    for t in range(steps - 1, -1, -1):
        total = d_h[t] + carry
        d_a[t] = total * (1 - h[t + 1] * h[t + 1])
        carry = d_a[t] @ R
    d_W = np.einsum("tbi,tbj->ij", d_a, xs)
    d_R = np.einsum("tbi,tbj->ij", d_a, h[:-1])
    d_b = d_a.sum(axis=(0, 1))
    d_xs = d_a @ W
    return SimpleNamespace(params={"W": d_W, "R": d_R, "b": d_b}, inputs=d_xs, initial={"h": carry})
"""

# (what is wrong, the right text, the wrong text, a gradient it spoils)
FAULTS = [
    ("sign", "d_h[t] + carry", "d_h[t] - carry", "W"),
    ("dropped carry", "d_h[t] + carry", "d_h[t]", "R"),
    ("a factor near one", '{"W": d_W, "R": d_R, "b": d_b}', '{"W": d_W * 1.0000001, "R": d_R, "b": d_b}', "W"),
    ("transposed matrix", "d_a[t] @ R", "d_a[t] @ R.T", "initial h"),
    ("missing activation derivative", "total * (1 - h[t + 1] * h[t + 1])", "total", "b"),
    ("derivative of the wrong step", "(1 - h[t + 1] * h[t + 1])", "(1 - h[t] * h[t])", "inputs"),
    ("off by one in time", "h[:-1]", "h[1:]", "R"),
    ("only the first step in the sum", "d_a.sum(axis=(0, 1))", "d_a[0].sum(axis=0)", "b"),
]


def rnn(right: str = "", wrong: str = "") -> Any:
    """The module, with one piece of its text replaced."""
    assert right in RNN
    return load_text("rnn_by_hand", RNN.replace(right, wrong) if right else RNN)
