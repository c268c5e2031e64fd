"""The loop over the steps backward, and what each step adds to the gradients; each mistake is a switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np

from tests.doctor.planted.activations import next_gate
from tests.doctor.planted.names import Array, Net, Step, Switches

StepBack = Callable[[Step, Net, Array, Array, Array, Switches], Step]
WINDOWS = {"truncated/window-2": 2, "truncated/window-4": 4}
CLIP = 0.3


def mistaken_tape(tape: list[Step], m: Switches) -> list[Step]:
    """The tape as the backward pass finds it: shifted, overwritten or stale where a mistake says so."""
    tape = [SimpleNamespace(**vars(s)) for s in tape]
    last = SimpleNamespace(**vars(tape[-1]))
    for t, s in enumerate(tape):
        s.t, s.x_used, s.h_used, s.first = t, s.x, None, t == 0
        if t:
            s.f_before, s.z_before = getattr(tape[t - 1], "f", None), getattr(tape[t - 1], "z", None)
        if "off-by-one/x" in m:
            s.x_used = tape[max(t - 1, 0)].x
        if "stale-cache/x" in m:
            s.x_used = last.x  # self.x, written by every step
        if "off-by-one/U" in m:
            s.h_used = s.h
        if t == 0 and "index-wraps-to-last/U" in m:
            s.h_used = last.h  # hs[t - 1]
        if t == 0 and "index-wraps-to-last/h" in m:
            s.h_prev = last.h
        if t == 0 and "index-wraps-to-last/c" in m:
            s.c_prev = last.c
        for k in "oifrz":
            if f"stale-cache/{k}" in m:
                setattr(s, k, getattr(last, k))
        if "stale-cache/c_prev" in m:
            s.c_prev = last.c_prev
        if "stale-cache/h_prev" in m:
            s.h_prev = last.h_prev
        if "tape-overwritten/h" in m:
            s.h = s.h_prev = last.h  # one buffer, appended T times
        if "tape-overwritten/h-but-start" in m:
            s.h, s.h_prev = last.h, last.h if t else s.h_prev  # the initial state is an array of its own
        if "tape-overwritten/c" in m:
            s.c = s.c_prev = last.c
    return tape


def sweep(tape: list[Step], net: Net, seeds: list[Array], back: StepBack, m: Switches) -> Iterator[Step]:
    """The steps of the backward pass, last first, with their gradients."""
    window = next((k for name, k in WINDOWS.items() if name in m), 0)
    if not window:
        yield from _chain(tape, net, seeds, back, m, range(len(tape)))
        return
    for t in reversed(range(len(tape))):
        alone = [seed if k == t else np.zeros_like(seed) for k, seed in enumerate(seeds)]
        yield from _chain(tape, net, alone, back, m, range(max(0, t + 1 - window), t + 1))


def _chain(tape: list[Step], net: Net, seeds: list[Array], back: StepBack, m: Switches, steps: range) -> Iterator[Step]:
    dh, dc = np.zeros_like(net.h0), np.zeros_like(net.c0)
    T = len(tape)
    if "truncated/last-3" in m:
        steps = range(max(0, T - 3), T)
    if "step-skipped/first" in m:
        steps = range(max(1, steps.start), steps.stop)
    if "step-skipped/last" in m:
        steps = range(steps.start, min(T - 1, steps.stop))
    for t in reversed(steps):
        s, seed = tape[t], seeds[t]
        if "argument-mutated/seeds" in m:
            seed += dh  # dh = seeds[t]; dh += dh_next: the caller's array
            dh = np.zeros_like(dh)
        own = back(s, net, seed, np.zeros_like(dh), np.zeros_like(dc), m)
        if "clip-inside-recursion/total" in m:
            seed, dh = np.clip(seed + dh, -CLIP, CLIP), np.zeros_like(dh)
        step = back(s, net, seed, dh, dc, m)
        step.s, step.is_last, step.for_x = s, t == T - 1, step.raw
        if "input-gradient-without-recurrence/x" in m:
            step.for_x = own.raw
        dh, dc = step.to_start = step.dh, step.dc
        if "carry-dropped/all" in m or ("truncated/chunks-of-3" in m and t % 3 == 0 and t):
            dh, dc = np.zeros_like(dh), np.zeros_like(dc)
        if "clip-inside-recursion/carry" in m:
            dh, dc = np.clip(dh, -CLIP, CLIP), np.clip(dc, -CLIP, CLIP)
        step.reaches_start = t == 0 or (t == steps.start and "step-skipped/first" in m)
        yield step


def accumulate(g: Net, step: Step, net: Net, m: Switches) -> None:
    """Add one step's gradients to the sums."""
    s, gates = step.s, tuple(step.raw)
    _forget(g, m)
    for k in gates:
        source = next_gate(k, gates) if "copy-paste-other-gate/weights" in m and k == gates[0] else k
        of_bias = next_gate(k, gates) if "copy-paste-other-gate/bias" in m and k == gates[0] else source
        left = step.left[source]
        if s.h_used is not None:
            left = left_with(left, s, source, step)
        add_W, add_U, add_b = s.x_used.T @ step.raw[source], left.T @ step.rec[source], step.bias[of_bias].sum(axis=0)
        if "not-accumulated-over-time/last-W" in m and not step.is_last:
            add_W = np.zeros_like(add_W)
        if "wrong-factor/half-bias" in m:
            add_b = 0.5 * add_b
        g.W[k] += g.W[k] if f"wrong-variable-accumulated/W-{k}" in m else add_W
        g.U[k] += g.U[k] if f"wrong-variable-accumulated/U-{k}" in m else add_U
        g.b[k] += g.b[k] if f"wrong-variable-accumulated/b-{k}" in m else add_b
    if "n" in gates:
        g.second_bias += step.rec["n"].sum(axis=0)
    _input_gradient(g, step, net, gates, m)
    if step.reaches_start:
        g.h0, g.c0 = g.h0 + step.to_start[0], g.c0 + step.to_start[1]


def left_with(left: Array, s: Step, k: str, step: Step) -> Array:
    """The state that the recurrent matrix has seen, by the wrong time index; still reset where the cell resets it."""
    if k == "n" and step.left["n"] is not s.h_prev:
        return np.asarray(s.r * s.h_used)
    return np.asarray(s.h_used)


def _forget(g: Net, m: Switches) -> None:
    """`=` where `+=` is due: what the later steps gave is lost."""
    for name, part in (("W", g.W), ("U", g.U), ("b", g.b)):
        if f"not-accumulated-over-time/{name}" in m or "not-accumulated-over-time/all" in m:
            for v in part.values():
                v[...] = 0
    if "not-accumulated-over-time/all" in m:
        g.second_bias[...] = 0


def _input_gradient(g: Net, step: Step, net: Net, gates: tuple[str, ...], m: Switches) -> None:
    if "input-gradient-zero/x" in m:
        return
    for k in gates:
        matrix = next_gate(k, gates) if f"wrong-matrix/x-{k}" in m else k
        g.x[step.s.t] += step.for_x[k] @ net.W[matrix].T
