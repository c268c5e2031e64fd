"""Sigmoid, and the derivative factor of an activation with the ways in which people get it wrong."""

from __future__ import annotations

import numpy as np

from tests.doctor.planted.names import Array, Switches


def sigmoid(a: Array) -> Array:
    """The logistic function."""
    return np.asarray(1 / (1 + np.exp(-a)))


def slope(gate: str, y: Array, a: Array, m: Switches, tanh: bool = False) -> Array:
    """The derivative of tanh or sigmoid at pre-activation a, by its output y."""

    def on(kind: str) -> bool:
        return f"{kind}/{gate}" in m or (f"{kind}/all" in m and gate != "cell")

    if on("activation-derivative-missing"):
        return np.ones_like(y)
    if f"wrong-derivative-function/{gate}-unsquared" in m:
        return 1 - y
    if on("derivative-of-activated-value"):
        y = np.tanh(y) if tanh else sigmoid(y)
    if on("derivative-of-preactivation"):
        y = a
    if on("wrong-derivative-function"):
        tanh = not tanh
    return 1 - y**2 if tanh else y * (1 - y)


def carried(gate: str, gates: tuple[str, ...], raw: Array, U: dict[str, Array], m: Switches) -> Array:
    """One gate's gradient taken back through its recurrent matrix (rows: d @ U.T)."""
    if f"carry-untransposed/{gate}" in m or "carry-untransposed/all" in m:
        return raw @ U[gate]
    if f"wrong-matrix/carry-{gate}" in m:
        return raw @ U[next_gate(gate, gates)].T
    return raw @ U[gate].T


def next_gate(gate: str, gates: tuple[str, ...]) -> str:
    """The gate whose line a person copies or confuses with this gate's."""
    return gates[(gates.index(gate) + 1) % len(gates)]
