"""Losses with the names and definitions of Keras 2.2.4; each is a cell with the targets as a constant, its gradient generated.

A loss is called with targets and predictions (B, ..., k) and gives its mean over all but the last axis with the gradient of the
predictions; `mask` (B, T) leaves steps out of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import sympy as sp

from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell
from rnnproof.generation import build
from rnnproof.layers import arguments

Array = np.ndarray[Any, Any]
EPSILON = sp.Rational(1, 10**7)  # Keras's, which keeps logarithms of probabilities finite
_SIZE = sp.Symbol("classes", integer=True, positive=True)
_ONE = sp.OneMatrix(_SIZE, 1)


def _column(name: str) -> Any:
    return sp.MatrixSymbol(name, _SIZE, 1)


_Y, _TARGET, _LOSS = _column("y"), _column("target"), sp.Symbol("loss")


def _minus(left: Any, right: Any) -> Any:
    return expressions.add(left, expressions.multiply(sp.Integer(-1), right))


def _log(argument: Any) -> Any:
    logarithm = activations.activation("log", sp.log(activations.X)).function
    return expressions.apply(logarithm, argument)


def _clipped(argument: Any) -> Any:
    low, high, x = EPSILON, 1 - EPSILON, activations.X
    clip = activations.activation("clip_probability", sp.Piecewise((low, x <= low), (high, x >= high), (x, True)))
    return expressions.apply(clip.function, argument)


def _squared() -> dict[Any, Any]:
    e = _column("e")
    return {e: _minus(_Y, _TARGET), _LOSS: expressions.Dot(e, e)}


def _from_probabilities() -> dict[Any, Any]:
    """-target . log(clip(y / sum y))."""
    q, l = _column("q"), _column("l")  # noqa: E741 - the logarithm, as in the line above
    share = activations.named("reciprocal")(expressions.Dot(_ONE, _Y))
    return {q: expressions.multiply(share, _Y), l: _log(_clipped(q)), _LOSS: -expressions.Dot(_TARGET, l)}


def _from_clipped() -> dict[Any, Any]:
    """log(sum clip(y)) - target . log(clip(y)): Keras clips first where targets are labels."""
    c, l = _column("c"), _column("l")  # noqa: E741 - the logarithm, as in the line above
    total = _log(expressions.Dot(_ONE, c))
    return {c: _clipped(_Y), l: _log(c), _LOSS: total - expressions.Dot(_TARGET, l)}


def _from_logits() -> dict[Any, Any]:
    """-target . log softmax(y), by y - shift; the shift, a constant, changes nothing but the size of the numbers."""
    z, e, total = _column("z"), _column("e"), sp.Symbol("total")
    log_total = _log(expressions.Dot(_ONE, e))
    weight = expressions.Dot(_ONE, _TARGET)
    return {
        z: _minus(_Y, _column("shift")),
        e: expressions.apply(sp.exp, z),
        total: log_total,
        _LOSS: weight * total - expressions.Dot(_TARGET, z),
    }


@cache
def module(equations: Callable[[], dict[Any, Any]]) -> ModuleType:
    """The generated module of a loss."""
    constants = [_TARGET, *([_column("shift")] if equations is _from_logits else [])]
    return build(Cell.from_sympy("loss", equations(), previous={_LOSS: None}, inputs=[_Y], constants=constants))


@dataclass(frozen=True)
class Loss:
    """Base of the losses."""

    name: ClassVar[str] = ""

    def get_config(self) -> dict[str, Any]:
        """The arguments, by name."""
        return asdict(self)

    def __call__(self, y_true: Any, y_pred: Any, mask: Any = None) -> tuple[float, Array]:
        """The mean loss and its gradient with respect to y_pred. Raises ValueError for targets that do not fit."""
        y = arguments.floating("y_pred", y_pred, None)
        if y.ndim < 2 or y.size == 0:
            raise ValueError(f"y_pred has shape {y.shape}; it should be (B, ..., k), none of them 0")
        target = self._targets(y_true, y)
        lead = y.shape[:-1]
        weights = np.full(lead, 1 / (np.prod(lead) * self._share(y)), y.dtype)
        if mask is not None:
            counts = arguments.shaped("mask of the loss", np.asarray(mask), lead).astype(bool)
            weights = counts / (max(counts.sum(), 1) * self._share(y))
        rows = y.reshape(1, -1, y.shape[-1])
        constants = {"target": target.reshape(rows.shape)}
        cell = module(self._equations())
        if "shift" in cell.CONSTANTS:
            constants["shift"] = rows.max(axis=-1, keepdims=True)
        trace = cell.forward({}, rows, constants=constants)
        seeds = weights.astype(y.dtype, copy=False).reshape(1, -1, 1)
        value = float(np.sum(trace.states["loss"] * seeds))
        gradient: Array = cell.backward(trace, {"loss": seeds}).inputs.reshape(y.shape)
        return value, gradient

    def _equations(self) -> Callable[[], dict[Any, Any]]:
        raise NotImplementedError

    def _share(self, y: Array) -> int:
        """Over how many entries of a row the loss is a mean."""
        return 1

    def _targets(self, y_true: Any, y: Array) -> Array:
        return arguments.shaped("y_true", arguments.floating("y_true", y_true, y.dtype), y.shape)

    def accuracy(self, y_true: Any, y_pred: Array, mask: Any = None) -> float | None:
        """The share of rows whose largest prediction is the right one; None for a loss that is not about classes."""
        return None


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """mean of (y - target)^2 over the last axis."""

    name: ClassVar[str] = "mse"

    def _equations(self) -> Callable[[], dict[Any, Any]]:
        return _squared

    def _share(self, y: Array) -> int:
        return int(y.shape[-1])


@dataclass(frozen=True)
class CategoricalCrossentropy(Loss):
    """-sum target log y for targets (B, ..., k); y are logits, or probabilities: normalised, then clipped by 1e-7."""

    from_logits: bool = False
    name: ClassVar[str] = "categorical_crossentropy"

    def _equations(self) -> Callable[[], dict[Any, Any]]:
        return _from_logits if self.from_logits else _from_probabilities

    def accuracy(self, y_true: Any, y_pred: Array, mask: Any = None) -> float | None:
        right = np.argmax(self._targets(y_true, y_pred), axis=-1) == np.argmax(y_pred, axis=-1)
        counts = np.ones(right.shape, bool) if mask is None else np.asarray(mask, bool)
        return float(right[counts].mean()) if counts.any() else 0.0


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """Cross-entropy with labels (B, ...), whole numbers from 0 to k - 1; probabilities are clipped, then normalised."""

    name: ClassVar[str] = "sparse_categorical_crossentropy"

    def _equations(self) -> Callable[[], dict[Any, Any]]:
        return _from_logits if self.from_logits else _from_clipped

    def _targets(self, y_true: Any, y: Array) -> Array:
        labels = np.asarray(y_true)
        if labels.shape == (*y.shape[:-1], 1):
            labels = labels[..., 0]
        arguments.shaped("y_true", labels, y.shape[:-1])
        whole = labels.dtype.kind in "iu" or (labels.dtype.kind == "f" and bool(np.all(labels == np.floor(labels))))
        if not whole or (labels.size and (labels.min() < 0 or labels.max() >= y.shape[-1])):
            raise ValueError(f"y_true should hold labels, whole numbers from 0 to {y.shape[-1] - 1}; it holds others")
        return np.asarray(np.eye(y.shape[-1], dtype=y.dtype)[labels.astype(int)])


_NAMES: dict[str, type[Loss]] = {
    "mse": MeanSquaredError,
    "mean_squared_error": MeanSquaredError,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}


def get(value: Any) -> Loss:
    """A loss from a name, a configuration {"class_name", "config"}, or a loss. Raises ValueError naming what is allowed."""
    if isinstance(value, Loss):
        return value
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]()
    if isinstance(value, Mapping):
        for kind in _NAMES.values():
            if value.get("class_name") == kind.__name__:
                return kind(**value.get("config", {}))
    raise ValueError(f"loss={value!r}: give a loss of rnnproof.layers.losses, or one of {', '.join(_NAMES)}")
