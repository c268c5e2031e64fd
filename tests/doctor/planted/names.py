"""The words shared by the planted passes: arrays, parameters of a net, steps on a tape, and switches."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Arrays = dict[str, Array]
Switches = frozenset[str]  # of "kind/variant"
Step = SimpleNamespace  # the values of one step, as a person's tape holds them

CELLS = ("simple_rnn", "lstm", "gru", "gru_reset_after")
LAYOUTS = (1, 2, 3, 4)
GATES = {"simple_rnn": ("h",), "lstm": ("i", "f", "o", "g"), "gru": ("z", "r", "n"), "gru_reset_after": ("z", "r", "n")}


@dataclass
class Net:
    """Parameters, inputs and initial states as rows: W[k] (D, H), U[k] (H, H), b[k] (H,), x[t] (B, D), h0 and c0 (B, H)."""

    W: Arrays
    U: Arrays
    b: Arrays
    second_bias: Array  # (H,), of the candidate of gru_reset_after; zero elsewhere
    x: list[Array]
    h0: Array
    c0: Array
    blend_new: bool = False  # h = (1 - z) h_prev + z g in place of z h_prev + (1 - z) g

    def zeros(self) -> Net:
        """The same shapes, all zero: what gradients are added to."""
        W, U, b = ({k: np.zeros_like(v) for k, v in part.items()} for part in (self.W, self.U, self.b))
        x = [np.zeros_like(v) for v in self.x]
        return Net(W, U, b, np.zeros_like(self.second_bias), x, np.zeros_like(self.h0), np.zeros_like(self.c0))


@dataclass(frozen=True)
class Sizes:
    """Inputs D, hidden units H and outputs K; all different, so that a wrong shape cannot pass."""

    D: int = 3
    H: int = 4
    K: int = 2


USUAL_SIZES = Sizes()
