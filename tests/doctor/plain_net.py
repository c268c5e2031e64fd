"""A recurrent net with its right gradient, in any precision and with any activation, all sizes different."""

from __future__ import annotations

import numpy as np

ACTIVATIONS = {
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
    "hard_sigmoid": (lambda a: np.clip(0.2 * a + 0.5, 0, 1), lambda a: 0.2 * ((a > -2.5) & (a < 2.5))),
}


class Net:
    """h_t = f(x_t U + h_{t-1} V + b), the loss is sum(seeds * h); arrays U (D, H), V (H, H), b (H), X (B, T, D)."""

    def __init__(self, steps=4, batch=2, seed=0, activation="tanh", scale=0.7, dtype=np.float64, computes=np.float64):
        rng = np.random.default_rng(seed)
        self.steps, self.computes = steps, computes
        self.function, self.slope = ACTIVATIONS[activation]
        inputs, hidden = 3, 5
        shapes = {"U": (inputs, hidden), "V": (hidden, hidden), "b": (hidden,)}
        self.arrays = {name: (rng.normal(size=shape) * scale).astype(dtype) for name, shape in shapes.items()}
        self.arrays["X"] = rng.normal(size=(batch, steps, inputs)).astype(dtype)
        self.seeds = rng.normal(size=(batch, steps, hidden)).astype(dtype)

    def loss(self):
        U, V, b, X, seeds = (a.astype(self.computes) for a in (*self.arrays.values(), self.seeds))
        h, value = np.zeros((len(X), len(b)), self.computes), self.computes(0)
        for t in range(self.steps):
            h = self.function(X[:, t] @ U + h @ V + b)
            value = value + np.sum(seeds[:, t] * h)
        return float(value)

    def gradients(self):
        """By backpropagation in float64, which is right to some 1e-15."""
        U, V, b, X = (a.astype(float) for a in self.arrays.values())
        states, before = [np.zeros((len(X), len(b)))], []
        for t in range(self.steps):
            before.append(X[:, t] @ U + states[-1] @ V + b)
            states.append(self.function(before[-1]))
        g = {name: np.zeros(a.shape) for name, a in self.arrays.items()}
        carry = np.zeros_like(states[0])
        for t in reversed(range(self.steps)):
            raw = (self.seeds[:, t] + carry) * self.slope(before[t])
            g["U"] += X[:, t].T @ raw
            g["V"] += states[t].T @ raw
            g["b"] += raw.sum(axis=0)
            g["X"][:, t], carry = raw @ U.T, raw @ V.T
        return g
