"""Modules of the contract written by hand for the tests, as text, so that faults can be planted in them."""

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


# As in a course: batch first, weights transposed, arrays of np.zeros, which are float64 whatever comes in.
COURSE_RNN = """
from types import SimpleNamespace
import numpy as np

PARAMETERS = {"W": ("hidden", "input"), "R": ("hidden", "hidden"), "b": ("hidden",)}
STATES = ("h",)


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x.dot(Wx) + prev_h.dot(Wh) + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    dtanh = dnext_h * (1 - next_h**2)
    return dtanh.dot(Wx.T), dtanh.dot(Wh.T), x.T.dot(dtanh), prev_h.T.dot(dtanh), dtanh.sum(axis=0)


def rnn_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    h = np.zeros((N, T, len(b)))
    cache, prev = [], h0
    for t in range(T):
        prev, c = rnn_step_forward(x[:, t], prev, Wx, Wh, b)
        h[:, t] = prev
        cache.append(c)
    return h, cache


def rnn_backward(dh, cache):
    N, T, H = dh.shape
    D = cache[0][0].shape[1]
    dx, dWx, dWh, db = np.zeros((N, T, D)), np.zeros((D, H)), np.zeros((H, H)), np.zeros(H)
    dprev = np.zeros((N, H))
    for t in reversed(range(T)):
        dx[:, t], dprev, dwx, dwh, dbt = rnn_step_backward(dh[:, t] + dprev, cache[t])
        dWx += dwx
        dWh += dwh
        db += dbt
    return dx, dprev, dWx, dWh, db


def forward(params, xs, initial):
    h, cache = rnn_forward(xs.swapaxes(0, 1), initial["h"], params["W"].T, params["R"].T, params["b"])
    return SimpleNamespace(states={"h": h.swapaxes(0, 1)}, cache=cache)


def backward(trace, d):
    dx, dh0, dWx, dWh, db = rnn_backward(d["h"].swapaxes(0, 1), trace.cache)
    return SimpleNamespace(params={"W": dWx.T, "R": dWh.T, "b": db}, inputs=dx.swapaxes(0, 1), initial={"h": dh0})
"""

# c_t = f c_{t-1} + i g, h_t = o tanh(c_t); backward reads both keys of d.
LSTM = """
from types import SimpleNamespace
import numpy as np

GATES = ("i", "f", "o", "hbar")
SHAPES = {"W": ("hidden", "input"), "R": ("hidden", "hidden"), "b": ("hidden",)}
PARAMETERS = {f"{kind}_{gate}": shape for gate in GATES for kind, shape in SHAPES.items()}
STATES = ("h", "c")


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(params, xs, initial=None):
    steps, batch, _ = xs.shape
    hidden = len(params["b_i"])
    h, c = np.zeros((2, batch, hidden), xs.dtype)
    if initial is not None:
        h, c = initial["h"], initial["c"]
    tape, hs, cs = [], [], []
    for t in range(steps):
        a = {g: xs[t] @ params[f"W_{g}"].T + h @ params[f"R_{g}"].T + params[f"b_{g}"] for g in GATES}
        i, f, o, g = sigmoid(a["i"]), sigmoid(a["f"]), sigmoid(a["o"]), np.tanh(a["hbar"])
        c_new = f * c + i * g
        tape.append((xs[t], h, c, i, f, o, g, c_new))
        h, c = o * np.tanh(c_new), c_new
        hs.append(h)
        cs.append(c)
    return SimpleNamespace(states={"h": np.stack(hs), "c": np.stack(cs)}, tape=tape, params=params)


def backward(trace, d):
    params, tape = trace.params, trace.tape
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    d_x = [None] * len(tape)
    d_h, d_c = np.zeros_like(tape[0][1]), np.zeros_like(tape[0][1])
    for t in reversed(range(len(tape))):
        x, h, c, i, f, o, g, c_new = tape[t]
        d_h = d_h + d["h"][t]
        d_c = d_c + d["c"][t] + d_h * o * (1 - np.tanh(c_new) ** 2)
        d_a = {
            "i": d_c * g * i * (1 - i),
            "f": d_c * c * f * (1 - f),
            "o": d_h * np.tanh(c_new) * o * (1 - o),
            "hbar": d_c * i * (1 - g * g),
        }
        # d_a is done
        for k, v in d_a.items():
            grads[f"W_{k}"] += v.T @ x
            grads[f"R_{k}"] += v.T @ h
            grads[f"b_{k}"] += v.sum(axis=0)
        d_x[t] = sum(v @ params[f"W_{k}"] for k, v in d_a.items())
        d_h = sum(v @ params[f"R_{k}"] for k, v in d_a.items())
        d_c = d_c * f
    return SimpleNamespace(params=grads, inputs=np.stack(d_x), initial={"h": d_h, "c": d_c})
"""

# What a person does who follows a course: c starts from zero, and the loss reads h alone.
FROM_ZERO = (('initial["h"], initial["c"]', 'initial["h"], np.zeros_like(initial["h"])'), (' + d["c"][t]', ""))


def planted(text: str, *changes: tuple[str, str]) -> Any:
    """A module with pieces of its text replaced, each of which must be there."""
    for right, wrong in changes:
        assert right in text, right
        text = text.replace(right, wrong)
    return load_text("by_hand", text)
