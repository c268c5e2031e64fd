"""One step of the simple RNN and of the LSTM, forward and backward, by hand; each mistake is a switch."""

from __future__ import annotations

import numpy as np

from tests.doctor.planted.activations import carried, next_gate, sigmoid, slope
from tests.doctor.planted.names import GATES, Array, Net, Step, Switches

LSTM = GATES["lstm"]


def rnn_step(net: Net, x: Array, h: Array, c: Array, m: Switches) -> Step:
    """h = tanh(x W + h U + b)."""
    a = x @ net.W["h"] + net.b["h"]
    if "forward-lacks-recurrence/term" not in m:
        a = a + h @ net.U["h"]
    return Step(x=x, h_prev=h, c_prev=c, a={"h": a}, h=np.tanh(a), c=c)


def rnn_back(s: Step, net: Net, seed: Array, next_h: Array, next_c: Array, m: Switches) -> Step:
    """The step backward: seed is the loss's own gradient for this state, next_h what later steps carry back."""
    dh = seed + next_h
    factor = slope("h", s.h, s.a["h"], m, tanh=True)
    raw = dh * factor
    if "carry-added-on-the-wrong-side-of-an-activation/h" in m:
        raw = seed * factor + next_h
    if "wrong-factor/twice-h" in m:
        raw = 2 * raw
    if "wrong-factor/minus-h" in m:
        raw = -raw
    back = carried("h", ("h",), raw, net.U, m)
    if "carry-missing-weight-and-derivative/h" in m:
        back = dh
    if "wrong-variable/carry-by-dh" in m:
        back = dh @ net.U["h"].T
    if "wrong-factor/half-carry" in m:
        back = 0.5 * back
    bias = {"h": dh if "wrong-variable/b-by-dh" in m else raw}
    if "variable-rebound/raw" in m:
        bias = {"h": raw @ net.U["h"].T}  # raw = raw @ U.T came before db += raw
    left = {"h": dh if "gradient-used-for-value/U" in m else s.h_prev}
    return Step(raw={"h": raw}, rec={"h": raw}, left=left, bias=bias, dh=back, dc=np.zeros_like(dh))


def lstm_step(net: Net, x: Array, h: Array, c: Array, m: Switches) -> Step:
    """i, f, o sigmoid, g tanh; c = f c + i g; h = o tanh(c)."""
    a = {k: x @ net.W[k] + net.b[k] for k in LSTM}
    if "forward-lacks-recurrence/term" not in m:
        a = {k: a[k] + h @ net.U[k] for k in LSTM}
    i, f, o, g = sigmoid(a["i"]), sigmoid(a["f"]), sigmoid(a["o"]), np.tanh(a["g"])
    new = f * c + i * g
    return Step(x=x, h_prev=h, c_prev=c, a=a, i=i, f=f, o=o, g=g, c=new, h=o * np.tanh(new), f_before=None)


def lstm_back(s: Step, net: Net, seed: Array, next_h: Array, next_c: Array, m: Switches) -> Step:
    """The step backward; dc goes to the step before as dc * f."""
    dh = seed + next_h
    dc = cell_gradient(s, dh, next_c, m)
    tc = np.tanh(s.c)
    to_c = dc * s.f
    if "variable-rebound/dc" in m:
        dc = to_c  # dc = dc * f came before the gates
    d_i, d_f, d_o, d_g = dc * s.g, dc * s.c_prev, dh * tc, dc * s.i
    if "variable-rebound/dh" in m:
        d_o = dh * s.o * tc  # dh = dh * o came before
    if "wrong-variable/o-by-c" in m or "forward-backward-mismatch/no-tanh" in m:
        d_o = dh * s.c
    if "wrong-variable/g-by-f" in m:
        d_g = dc * s.f
    if "wrong-variable/i-by-f" in m:
        d_i = dc * s.f
    if "wrong-variable/f-by-h" in m:
        d_f = dc * s.h_prev
    if "off-by-one/c" in m:
        d_f = dc * s.c
    if "gradient-used-for-value/i" in m:
        d_i = dc * (dc * s.i)
    if "gradient-used-for-value/o" in m:
        d_o = dh * (dh * s.o * (1 - tc**2))
    raw = lstm_raw(s, net, {"i": d_i, "f": d_f, "o": d_o, "g": d_g}, m)
    back = sum((carried(k, LSTM, raw[k], net.U, m) for k in LSTM), np.zeros_like(dh))
    if "carry-missing-weight-and-derivative/h" in m:
        back = dh
    if "hidden-carry-dropped/h" in m:
        back = np.zeros_like(dh)
    left = {k: dh if "gradient-used-for-value/U" in m and k == "g" else s.h_prev for k in LSTM}
    return Step(raw=raw, rec=raw, left=left, bias=raw, dh=back, dc=lstm_cell_carry(s, dc, to_c, m))


def cell_gradient(s: Step, dh: Array, next_c: Array, m: Switches) -> Array:
    """dc = dc_next + dh * o * tanh'(c)."""
    gate = s.i if "wrong-variable/dc-by-i" in m else s.o
    factor = slope("cell", np.tanh(s.c), s.c, m, tanh=True)
    if "forward-backward-mismatch/no-tanh" in m:
        factor = np.ones_like(factor)
    if "carry-added-on-the-wrong-side-of-an-activation/c" in m:
        return np.asarray((next_c + dh * gate) * factor)
    if "wrong-factor/twice-cell" in m:
        factor = 2 * factor
    return np.asarray(next_c + dh * gate * factor)


def lstm_cell_carry(s: Step, dc: Array, to_c: Array, m: Switches) -> Array:
    """What goes back to the cell state before: dc * f."""
    if "cell-carry-dropped/c" in m:
        return np.zeros_like(dc)
    if "carry-missing-weight-and-derivative/c" in m:
        return dc
    if "wrong-variable/carry-by-i" in m:
        return np.asarray(dc * s.i)
    if "off-by-one/carry-f" in m and s.f_before is not None:
        return np.asarray(dc * s.f_before)
    return to_c


def lstm_raw(s: Step, net: Net, d: dict[str, Array], m: Switches) -> dict[str, Array]:
    """Gradients before the activations."""
    raw = {}
    for k in LSTM:
        y = getattr(s, k)
        if k == "f" and "copy-paste-other-gate/sigma" in m:
            y = s.i
        if k in "if" and "copy-paste-other-gate/recomputed" in m:
            y = sigmoid(s.a[k] - net.b[k] + net.b["o"])  # recomputed, with the bias of o
        raw[k] = d[k] * slope(k, y, s.a[k], m, tanh=k == "g")
    if "wrong-factor/twice-i" in m:
        raw["i"] = 2 * raw["i"]
    if "wrong-factor/minus-f" in m:
        raw["f"] = -raw["f"]
    if "copy-paste-other-gate/raw" in m:
        raw["o"] = raw[next_gate("i", LSTM)]
    return raw
