"""One step of the two GRUs, forward and backward, by hand; each mistake is a switch."""

from __future__ import annotations

import numpy as np

from tests.doctor.planted.activations import carried, sigmoid, slope
from tests.doctor.planted.names import GATES, Array, Net, Step, Switches

GRU = GATES["gru"]


def gru_step(net: Net, x: Array, h: Array, c: Array, m: Switches) -> Step:
    """z, r sigmoid; n = tanh(x W + (r h) U + b); h = z h + (1 - z) n, or the other way round."""
    return _forward(net, x, h, c, m, reset_after=False)


def gru_reset_after_step(net: Net, x: Array, h: Array, c: Array, m: Switches) -> Step:
    """As gru, but n = tanh(x W + b + r (h U + second bias))."""
    return _forward(net, x, h, c, m, reset_after=True)


def _forward(net: Net, x: Array, h: Array, c: Array, m: Switches, reset_after: bool) -> Step:
    on = 0.0 if "forward-lacks-recurrence/term" in m else 1.0
    a = {k: x @ net.W[k] + on * h @ net.U[k] + net.b[k] for k in "zr"}
    z, r = sigmoid(a["z"]), sigmoid(a["r"])
    u = h @ net.U["n"] * on + net.second_bias
    inner = r * u if reset_after else on * (r * h) @ net.U["n"]
    a["n"] = x @ net.W["n"] + net.b["n"] + inner
    n = np.tanh(a["n"])
    new = (1 - z) * h + z * n if net.blend_new else z * h + (1 - z) * n
    return Step(x=x, h_prev=h, c_prev=c, a=a, z=z, r=r, n=n, u=u, h=new, c=c, z_before=None)


def gru_back(s: Step, net: Net, seed: Array, next_h: Array, next_c: Array, m: Switches) -> Step:
    """The step backward, the reset gate inside of the recurrent matrix."""
    dh, direct, d_n, d_z = _blend(s, net, seed + next_h, m)
    raw_n = d_n * _slope(s, "n", m)
    if "forward-backward-mismatch/reset" in m:
        inner = raw_n * s.r
        rec_n, left_n, d_r, through = inner, s.h_prev, raw_n * s.u, carried("n", GRU, inner, net.U, m)
    else:
        inner = carried("n", GRU, raw_n, net.U, m)
        rec_n, left_n, d_r, through = raw_n, s.r * s.h_prev, inner * s.h_prev, inner * s.r
    if "wrong-variable/U-without-reset" in m:
        left_n = s.h_prev
    if "wrong-variable/r-by-n" in m:
        d_r = inner * s.n
    if "wrong-variable/through-by-z" in m:
        through = inner * s.z
    if "gradient-used-for-value/r" in m:
        d_r = inner * dh
    return _finish(
        s, net, Step(dh=dh, direct=direct, d_z=d_z, d_r=d_r, raw_n=raw_n, rec_n=rec_n, left_n=left_n, through=through), m
    )


def gru_reset_after_back(s: Step, net: Net, seed: Array, next_h: Array, next_c: Array, m: Switches) -> Step:
    """The step backward, the reset gate applied after the recurrent matrix."""
    dh, direct, d_n, d_z = _blend(s, net, seed + next_h, m)
    raw_n = d_n * _slope(s, "n", m)
    if "forward-backward-mismatch/reset" in m:
        inner = carried("n", GRU, raw_n, net.U, m)
        rec_n, left_n, d_r, through = raw_n, s.r * s.h_prev, inner * s.h_prev, inner * s.r
    else:
        rec_n, left_n, d_r = raw_n * s.r, s.h_prev, raw_n * s.u
        through = carried("n", GRU, rec_n, net.U, m)
    if "wrong-variable/U-without-reset" in m:
        rec_n = raw_n
    if "wrong-variable/r-by-n" in m:
        d_r = raw_n * s.n
    if "wrong-variable/through-by-z" in m:
        through = carried("n", GRU, raw_n * s.z, net.U, m)
    if "gradient-used-for-value/r" in m:
        d_r = raw_n * dh
    return _finish(
        s, net, Step(dh=dh, direct=direct, d_z=d_z, d_r=d_r, raw_n=raw_n, rec_n=rec_n, left_n=left_n, through=through), m
    )


def _blend(s: Step, net: Net, dh: Array, m: Switches) -> tuple[Array, Array, Array, Array]:
    """Through h = old * h_prev + new * n: dh, the direct carry, the gradients of n and of z."""
    swapped = net.blend_new != ("forward-backward-mismatch/blend" in m)
    old, new, sign = (1 - s.z, s.z, -1.0) if swapped else (s.z, 1 - s.z, 1.0)
    before = s.h_prev
    if "off-by-one/z" in m:
        before = s.h
    direct, d_n, d_z = dh * old, dh * new, sign * dh * (before - s.n)
    if "variable-rebound/dh" in m:
        d_n, d_z = direct * new, sign * direct * (before - s.n)  # dh = dh * old came before
    if "variable-rebound/dh-new" in m:
        direct, d_z = d_n * old, sign * d_n * (before - s.n)  # dh = dh * new came before
    if "gradient-used-for-value/z" in m:
        d_z = sign * dh * (direct - d_n)
    if "wrong-factor/minus-z" in m:
        d_z = -d_z
    if "wrong-factor/twice-n" in m:
        d_n = 2 * d_n
    if "wrong-variable/n-by-old" in m:
        d_n = dh * old
    if "wrong-variable/z-by-r" in m:
        d_z = sign * dh * (s.r - s.n)
    if "wrong-variable/direct-by-new" in m:
        direct = dh * new
    if "wrong-variable/direct-by-r" in m:
        direct = dh * s.r
    if "off-by-one/carry-z" in m and s.z_before is not None:
        direct = dh * (1 - s.z_before if swapped else s.z_before)
    return dh, direct, d_n, d_z


def _slope(s: Step, k: str, m: Switches) -> Array:
    y = getattr(s, k)
    if k == "r" and "copy-paste-other-gate/sigma" in m:
        y = s.z
    return slope(k, y, s.a[k], m, tanh=k == "n")


def _finish(s: Step, net: Net, d: Step, m: Switches) -> Step:
    """The gates before their activations, and what goes back to h_prev."""
    slopes = {k: _slope(s, k, m) for k in "zr"}
    if "copy-paste-other-gate/recomputed" in m:
        y = sigmoid(s.a["r"] - net.b["r"] + net.b["z"])  # recomputed, with the bias of z
        slopes["r"] = y * (1 - y)
    raw = {"z": d.d_z * slopes["z"], "r": d.d_r * slopes["r"], "n": d.raw_n}
    if "copy-paste-other-gate/raw" in m:
        raw["r"] = raw["z"]
    gates = sum((carried(k, GRU, raw[k], net.U, m) for k in "zr"), np.zeros_like(d.dh))
    back = d.direct + d.through + gates
    if "carry-missing-weight-and-derivative/h" in m:
        back = d.dh
    if "hidden-carry-dropped/h" in m:
        back = d.direct  # nothing through the matrices
    left = {"z": s.h_prev, "r": s.h_prev, "n": d.left_n}
    if "gradient-used-for-value/U" in m:
        left["z"] = d.dh
    return Step(raw=raw, rec=raw | {"n": d.rec_n}, left=left, bias=raw, dh=back, dc=np.zeros_like(d.dh))
