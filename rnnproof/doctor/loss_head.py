"""The loss as a function of a cell's outputs, found from values of the loss alone.

For every loss in use (a weighted sum, squared errors, cross-entropies) the loss is a linear combination of a few functions of
the outputs, the weights and targets being the coefficients. So these are found by least squares from values of the loss at
random arrays, and a loss that is no such combination leaves a remainder. Nothing here is differentiated by hand: the
gradient of a combination is its complex step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof.doctor.case import Array

H = 1e-30


def _linear(o: Array) -> Array:
    return o


def _square(o: Array) -> Array:
    return o * o


def _log_sum_exp(o: Array) -> Array:
    """Over the entries; the largest real part is taken out, so that nothing overflows."""
    top = np.max(o.real, axis=-2, keepdims=True)
    return np.asarray(np.log(np.sum(np.exp(o - top), axis=-2, keepdims=True)) + top)


def _softmax(o: Array) -> Array:
    return np.asarray(np.exp(o - _log_sum_exp(o)))


def _softmax_squared(o: Array) -> Array:
    return _softmax(o) ** 2


def _sigmoid(o: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * o)))


def _sigmoid_squared(o: Array) -> Array:
    return _sigmoid(o) ** 2


def _softplus(o: Array) -> Array:
    return np.asarray(np.log(1 + np.exp(-np.where(o.real > 0, o, -o))) + np.where(o.real > 0, o, 0))


def _tanh(o: Array) -> Array:
    return np.tanh(o)


def _tanh_squared(o: Array) -> Array:
    return np.tanh(o) ** 2


def _products(o: Array) -> Array:
    """Every product of two entries of a column."""
    first, second = np.triu_indices(o.shape[-2])
    return o[..., first, :] * o[..., second, :]


WEIGHTED, PRODUCTS = "a weighted sum", "squared errors of weighted sums"
Feature = Callable[[Array], Array]
# What the loss is called, and the functions of the outputs that it is a combination of.
FAMILIES: dict[str, tuple[Feature, ...]] = {
    WEIGHTED: (_linear,),
    "squared errors": (_linear, _square),
    "softmax and cross-entropy": (_linear, _log_sum_exp),
    "sigmoid and cross-entropy": (_linear, _softplus),
    "sigmoid and squared errors": (_sigmoid, _sigmoid_squared),
    "softmax and squared errors": (_softmax, _softmax_squared),
    "tanh and squared errors": (_tanh, _tanh_squared),
    PRODUCTS: (_linear, _products),
}
USUAL = tuple(family for family in FAMILIES if family != PRODUCTS)
COSTLY = (PRODUCTS,)  # its coefficients are as many as pairs of entries


@dataclass(frozen=True)
class Head:
    """A family of losses on some of the cell's outputs."""

    family: str
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.family} of {' and '.join(self.outputs)}"

    def width(self, rows: Mapping[str, int]) -> int:
        """How many coefficients there are for each step and sample, at these entries of the outputs."""
        columns = {name: np.zeros((rows[name], 1)) for name in self.outputs}
        return sum(function(column).size for column in columns.values() for function in FAMILIES[self.family])

    def features(self, states: Mapping[str, Array], points: int) -> Array:
        """(points, features): every function at every output, step, entry and sample, and a constant.

        `states` (steps, points, entries, samples).
        """
        columns = []
        for name in self.outputs:
            for function in FAMILIES[self.family]:
                values = function(states[name])
                columns.append(np.moveaxis(values, 1, 0).reshape(points, -1))
        return np.concatenate([*columns, np.ones((points, 1))], axis=1)

    def fit(self, states: Mapping[str, Array], losses: Array) -> tuple[Array, float]:
        """(coefficients, largest remainder relative to the spread of the losses)."""
        features = self.features(states, len(losses))
        scale = np.maximum(np.abs(features).max(axis=0), 1e-300)
        coefficients, *_ = np.linalg.lstsq(features / scale, losses, rcond=1e-13)
        remainder = losses - (features / scale) @ coefficients
        spread = float(np.ptp(losses)) or 1.0
        return coefficients / scale, float(np.max(np.abs(remainder))) / spread

    def seeds(self, states: Mapping[str, Array], coefficients: Array) -> dict[str, Array]:
        """The loss's gradient by each output (steps, entries, samples), by the complex step of the combination."""
        seeds: dict[str, Array] = {}
        start = 0
        for name in self.outputs:
            value = states[name].astype(complex)
            total = np.zeros(value.shape)
            for function in FAMILIES[self.family]:
                size = function(value).size
                weights = coefficients[start : start + size].reshape(function(value).shape)
                start += size
                total += _gradient(function, value, weights)
            seeds[name] = total
        return seeds


def _gradient(function: Feature, value: Array, weights: Array) -> Array:
    """d sum(weights * function(value)) / d value, one entry of a column at a time."""
    gradient = np.zeros(value.shape)
    for row in range(value.shape[-2]):
        moved: Any = value.copy()
        moved[..., row, :] += 1j * H
        gradient[..., row, :] = np.sum(weights * np.imag(function(moved)) / H, axis=-2)
    return gradient
