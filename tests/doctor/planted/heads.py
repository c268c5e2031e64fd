"""What the loss makes of the states: seeds, softmax cross-entropy, or squared errors of an output layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.doctor.planted.names import Array, Arrays, Sizes, Step, Switches

HEADS = {1: "seeds", 2: "seeds", 3: "softmax"}
LAST_HEADS = {"simple_rnn": "last", "lstm": "squared", "gru": "squared-last", "gru_reset_after": "last"}


def head_of(cell: str, layout: int) -> str:
    """The loss of a layout; layout 4 has another for each cell."""
    return HEADS.get(layout) or LAST_HEADS[cell]


class Head:
    """The loss on the states, with the arrays of its output layer where it has one."""

    def __init__(self, name: str, layout: int, T: int, sizes: Sizes, rng: np.random.Generator) -> None:
        self.name, self.T, self.columns = name, T, layout == 2
        self.at = range(T - 1, T) if name in ("last", "squared-last") else range(T)
        self.arrays: Arrays = {}
        if self.has_output:
            self.arrays = {"Why": 0.7 * rng.normal(size=(sizes.K, sizes.H)), "by": 0.7 * rng.normal(size=sizes.K)}

    @property
    def has_output(self) -> bool:
        """Whether there is an output layer Why, by."""
        return self.name in ("softmax", "squared", "squared-last")

    def draw_goal(self, layout: int, B: int, sizes: Sizes, rng: np.random.Generator) -> Any:
        """Seeds of the states, integer targets or values, as a person of this layout keeps them."""
        if self.name == "softmax":
            return rng.integers(0, sizes.K, size=(self.T, B))
        shape = {1: (B, self.T, sizes.H), 2: (sizes.H, B, self.T)}
        if layout in shape:
            return rng.normal(size=shape[layout])
        return [rng.normal(size=sizes.K if self.has_output else sizes.H) for _ in self.at]

    def goal_at(self, t: int, goal: Any) -> Any:
        """The goal of one step as rows: a view, never a copy."""
        if isinstance(goal, list):
            return goal[t - self.at[0]][None, :]
        if self.name == "softmax":
            return goal[t]
        return goal[:, :, t].T if self.columns else goal[:, t]

    def loss(self, hs: list[Array], arrays: Arrays, goal: Any) -> float:
        """The loss of the states hs[t] (B, H)."""
        total = 0.0
        for t in self.at:
            if not self.has_output:
                total += float(np.sum(self.goal_at(t, goal) * hs[t]))
                continue
            y = hs[t] @ arrays["Why"].T + arrays["by"]
            if self.name == "softmax":
                q = _softmax(y)
                total -= float(np.sum(np.log(q[np.arange(len(q)), self.goal_at(t, goal)])))
            else:
                total += 0.5 * float(np.sum((y - self.goal_at(t, goal)) ** 2))
        return total

    def output_gradient(self, t: int, h: Array, arrays: Arrays, goal: Any) -> Array:
        """The gradient of the logits or outputs of step t."""
        y = h @ arrays["Why"].T + arrays["by"]
        if self.name != "softmax":
            return np.asarray(y - self.goal_at(t, goal))
        q = _softmax(y)
        q[np.arange(len(q)), self.goal_at(t, goal)] -= 1
        return q

    def backward(self, tape: list[Step], arrays: Arrays, goal: Any, m: Switches) -> tuple[list[Array], Arrays]:
        """The gradient for each state, and those of the output layer."""
        g = {k: np.zeros_like(v) for k, v in self.arrays.items()}
        into = [np.zeros_like(s.h) for s in tape]
        for t in reversed(self.at):
            if not self.has_output:
                into[t] = self.goal_at(t, goal)
                continue
            dy = self.output_gradient(t, tape[t].h_true, arrays, goal)
            if "wrong-factor/twice-output" in m:
                dy = 2 * dy
            if "not-accumulated-over-time/output" in m:
                g = {k: np.zeros_like(v) for k, v in g.items()}
            h = tape[t].h_prev if "off-by-one/Why" in m else tape[t].h
            g["Why"] += dy.T @ h
            g["by"] += g["by"] if "wrong-variable-accumulated/by" in m else dy.sum(axis=0)
            into[t] = dy @ arrays["Why"]
        return self._mistaken(into, m), g

    def _mistaken(self, into: list[Array], m: Switches) -> list[Array]:
        zero = np.zeros_like(into[0])
        if "output-gradient-at-every-step/last" in m:
            return [into[-1]] * self.T
        if "seed-of-an-output-ignored/last" in m:
            return into[:-1] + [zero]
        if "seed-of-an-output-ignored/first" in m:
            return [zero] + into[1:]
        if "seed-of-an-output-ignored/all-but-last" in m:
            return [zero] * (self.T - 1) + into[-1:]
        if "off-by-one/seed" in m:
            return [into[max(t - 1, 0)] for t in range(self.T)]
        return into


def _softmax(y: Array) -> Array:
    e = np.exp(y)
    return np.asarray(e / e.sum(axis=1, keepdims=True))
