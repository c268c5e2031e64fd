"""Hand-written recurrent nets with mistakes planted by switches: `make(cell, layout, mistakes)`.

The mistakes are those a person makes; they are written without a look at the doctor's own table, so that they test it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.doctor.planted.after import after_the_loop
from tests.doctor.planted.gru import gru_back, gru_reset_after_back, gru_reset_after_step, gru_step
from tests.doctor.planted.heads import Head, head_of
from tests.doctor.planted.layouts import Layout
from tests.doctor.planted.names import USUAL_SIZES, Array, Arrays, Sizes, Step, Switches
from tests.doctor.planted.rnn_and_lstm import lstm_back, lstm_step, rnn_back, rnn_step
from tests.doctor.planted.through_time import accumulate, mistaken_tape, sweep

Parts = tuple[Callable[[], float], Arrays, Callable[[], Arrays]]
STEPS = {
    "simple_rnn": (rnn_step, rnn_back),
    "lstm": (lstm_step, lstm_back),
    "gru": (gru_step, gru_back),
    "gru_reset_after": (gru_reset_after_step, gru_reset_after_back),
}


@dataclass
class Pass:
    """One net with its layout, its loss and its mistakes; inputs and goals stay in the closures of `make`."""

    layout: Layout
    head: Head
    arrays: Arrays
    m: Switches
    first_tape: list[Step] = field(default_factory=list)

    def forward(self, xs: list[Array], keep: Arrays) -> list[Step]:
        """The tape; keep holds the last state where the mistake is that it outlives the call."""
        net = self.layout.read(self.arrays, xs)
        step = STEPS[self.layout.cell][0]
        h, c = keep.get("h", net.h0), keep.get("c", net.c0)
        tape = []
        for x in net.x:
            s = step(net, x, net.h0 if "forward-lacks-recurrence/state" in self.m else h, c, self.m)
            s.h_prev, s.h_true = h, s.h
            h, c = s.h, s.c
            tape.append(s)
        if keep:
            keep |= {"h": h, "c": c}
        return tape

    def backward(self, xs: list[Array], goal: Any) -> Arrays:
        """The claimed gradients by the names of the arrays."""
        m, net = self.m, self.layout.read(self.arrays, xs)
        tape = self.forward(xs, {})
        if "stale-cache/first-forward" in m:
            self.first_tape = tape = self.first_tape or tape
        tape = mistaken_tape(tape, m)
        seeds, of_head = self.head.backward(tape, self.arrays, goal, m)
        g = net.zeros()
        back = STEPS[self.layout.cell][1]
        for s in sweep(tape, net, seeds, back, m):
            accumulate(g, s, net, m)
        claimed = after_the_loop(self.layout.write(g) | of_head, self.layout, m)
        if "argument-mutated/weights" in m:
            for k in claimed.keys() - {"x", "h0", "c0"}:
                self.arrays[k] -= 0.05 * claimed[k]  # the step of the training, left in
        return claimed


def make(
    cell: str, layout: int, mistakes: Iterable[str] = (), sizes: Sizes = USUAL_SIZES, seed: int = 0
) -> Callable[..., Parts]:
    """A function (T, B, rng) -> loss, arrays, claimed of a pass with these mistakes, each "kind/variant"."""
    m = frozenset(mistakes)

    def make_pass(T: int, B: int, rng: np.random.Generator) -> Parts:
        if seed:
            rng = np.random.default_rng([seed, int(rng.integers(2**31))])
        form = Layout(cell, layout, T, B, sizes)
        arrays = form.draw(rng)
        head = Head(head_of(cell, layout), layout, T, sizes, rng)
        arrays |= head.arrays
        xs = [rng.normal(size=sizes.D) for _ in range(T)] if layout == 4 else []
        goal = head.draw_goal(layout, form.B, sizes, rng)
        net = Pass(form, head, arrays, m)
        keep: Arrays = {}
        if "check-is-stateful/state" in m:
            keep |= {"h": np.zeros((form.B, sizes.H)), "c": np.zeros((form.B, sizes.H))}

        def loss() -> float:
            return head.loss([s.h_true for s in net.forward(xs, keep)], arrays, goal)

        def claimed() -> Arrays:
            return net.backward(xs, goal)

        return loss, arrays, claimed

    return make_pass
