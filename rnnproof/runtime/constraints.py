"""Projections of weights after an optimiser's step, with the names and formulas of Keras 2.2.4.

Each is a function from an array to an array of the same shape and dtype; norms are taken along `axis`, for a kernel
(input, units) over the weights that come into a unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rnnproof.runtime.lookup import find

Array = np.ndarray[Any, Any]
EPSILON = 1e-7  # Keras's, against a division by zero
Axis = int | tuple[int, ...]


def _number(name: str, value: Any, most: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= most or math.isinf(value):
        raise ValueError(f"{name}={value!r}: give a number from 0{'' if math.isinf(most) else f' to {most:g}'}")


def _norms(w: Array, axis: Axis) -> Array:
    if isinstance(axis, list):
        axis = tuple(axis)
    norms: Array = np.sqrt(np.sum(np.square(w), axis=axis, keepdims=True))
    return norms


def _scaled(w: Array, factor: Array) -> Array:
    scaled: Array = w * factor.astype(w.dtype)
    return scaled


@dataclass(frozen=True)
class Constraint:
    """Base of the constraints."""

    def get_config(self) -> dict[str, Any]:
        """The arguments, by name."""
        return asdict(self)

    def __call__(self, w: Array) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class MaxNorm(Constraint):
    """w * min(norm, max_value) / norm: no column longer than `max_value`."""

    max_value: float = 2
    axis: Axis = 0

    def __post_init__(self) -> None:
        _number("max_value", self.max_value)

    def __call__(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        return _scaled(w, np.clip(norms, 0, self.max_value) / (EPSILON + norms))


@dataclass(frozen=True)
class NonNeg(Constraint):
    """max(w, 0)."""

    def __call__(self, w: Array) -> Array:
        return _scaled(w, w >= 0)


@dataclass(frozen=True)
class UnitNorm(Constraint):
    """w / norm: every column of length 1."""

    axis: Axis = 0

    def __call__(self, w: Array) -> Array:
        return _scaled(w, 1 / (EPSILON + _norms(w, self.axis)))


@dataclass(frozen=True)
class MinMaxNorm(Constraint):
    """w * (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) / norm."""

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: Axis = 0

    def __post_init__(self) -> None:
        _number("min_value", self.min_value)
        _number("max_value", self.max_value)
        _number("rate", self.rate, most=1.0)
        if self.min_value > self.max_value:
            raise ValueError(f"min_value={self.min_value!r} is larger than max_value={self.max_value!r}; give them in order")

    def __call__(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        desired = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return _scaled(w, desired / (EPSILON + norms))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_NAMES: dict[str, Callable[..., Constraint]] = {
    "max_norm": MaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
    "min_max_norm": MinMaxNorm,
    "MaxNorm": MaxNorm,
    "NonNeg": NonNeg,
    "UnitNorm": UnitNorm,
    "MinMaxNorm": MinMaxNorm,
}


def get(value: Any, argument: str = "constraint") -> Callable[[Array], Array] | None:
    """A constraint from a name, a configuration, a function, a constraint, or None. Raises ValueError naming the argument."""
    if value is None or callable(value):
        return value  # type: ignore[no-any-return]
    known = find(value, _NAMES, argument)
    if known is None:
        raise ValueError(f"{argument}={value!r}: give None, a function, or one of {', '.join(_NAMES)}")
    return known  # type: ignore[no-any-return]
