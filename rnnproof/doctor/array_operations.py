"""What the operations of a Program compute in NumPy, plainly: the doctor runs Programs as they are derived, nothing fused.

Every array ends in two axes: (rows, samples) of a value, (rows, columns) of a matrix, (rows, 1) of a vector of parameters,
(1, ...) of a scalar. Axes before these, steps and points, are carried along. A sum of outer products over the samples is one
product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.adjoint_operations import Outer, Pad, ReduceSum, Slope
from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.operations import (
    Add,
    Concat,
    Constant,
    Dot,
    Hadamard,
    Identity,
    Map,
    Matmul,
    Quotient,
    Scale,
    Slice,
    Transpose,
)
from rnnproof.calculus.program import Step
from rnnproof.calculus.variables import Shape
from rnnproof.doctor.case import Array
from rnnproof.equations import activations
from rnnproof.errors import UsageError
from rnnproof.generation.scalar_lowering import shortest
from rnnproof.verification.interpreter import Interpreter


@dataclass(frozen=True)
class OutputSlope(Operation):
    """The formula of f' in terms of the output, evaluated at the argument: 1 - v^2 for tanh, v (1 - v) for the sigmoid."""

    function: Any

    def shape(self, v: Shape) -> Shape:
        return v


@dataclass(frozen=True)
class Formula(Operation):
    """A scalar expression in `activations.Y`, applied to every entry of the argument."""

    expression: Any

    def shape(self, v: Shape) -> Shape:
        return v


@dataclass(frozen=True)
class Clip(Operation):
    """Every entry within +-limit."""

    limit: float

    def shape(self, x: Shape) -> Shape:
        return x


@dataclass(frozen=True)
class ClipNorm(Operation):
    """The array scaled so that its norm is at most the limit."""

    limit: float

    def shape(self, x: Shape) -> Shape:
        return x


Sizes = Mapping[str, int]
Compute = Callable[..., Array]


def _extent(size: Any, sizes: Sizes) -> int:
    value = sp.sympify(size)
    return int(value.subs({symbol: sizes[str(symbol)] for symbol in value.free_symbols}))


_INTERPRETER: Any = Interpreter.__new__(Interpreter)
_INTERPRETER.__dict__.update(sizes={}, watch=None, dtype=np.float64, cell=None)


def _evaluated(expression: Any, symbol: Any, value: Array) -> Array:
    """A scalar expression at every entry."""
    from rnnproof.verification.interpreter import Namespace

    _INTERPRETER.namespace = Namespace()
    result = _INTERPRETER.evaluate(expression, {symbol: value})
    return result if np.shape(result) == value.shape else np.broadcast_to(np.asarray(result, value.dtype), value.shape)


def apply(function: Any, value: Array) -> Array:
    """An activation at every entry."""
    if function == sp.tanh:
        return np.tanh(value)
    return _evaluated(activations.of(function).definition, activations.X, value)


@cache
def output_slope(function: Any) -> Any:
    """f' as an expression in the output, or None where there is no such form without exp or tanh."""
    expression = activations.derivative(function).of_output
    return None if expression is None else shortest(expression)


def slope(function: Any, value: Array, output: Array) -> Array:
    """f' at every entry of `value`, where f is `output`."""
    expression = output_slope(function)
    if expression is not None:
        return _evaluated(expression, activations.Y, output)
    return _evaluated(activations.derivative(function).of_input, activations.X, value)


def _add(step: Step, sizes: Sizes) -> Compute:
    factors = [float(k) for k in step.as_op(Add).factors]

    def compute(*terms: Array) -> Array:
        total: Any = 0.0
        for factor, term in zip(factors, terms, strict=True):
            total = total + (term if factor == 1 else factor * term)
        return np.asarray(total)

    return compute


def _concat(step: Step, sizes: Sizes) -> Compute:
    axis = step.as_op(Concat).axis - 2

    def compute(*parts: Array) -> Array:
        lead = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
        other = max(part.shape[-1 if axis == -2 else -2] for part in parts)
        shapes = [(*lead, part.shape[-2], other) if axis == -2 else (*lead, other, part.shape[-1]) for part in parts]
        return np.concatenate([np.broadcast_to(part, shape) for part, shape in zip(parts, shapes, strict=True)], axis=axis)

    return compute


def _slice(step: Step, sizes: Sizes) -> Compute:
    op = step.as_op(Slice)
    window = slice(_extent(op.start, sizes), _extent(op.stop, sizes))
    return (lambda x: x[..., window, :]) if op.axis == 0 else (lambda x: x[..., window])


def _pad(step: Step, sizes: Sizes) -> Compute:
    op = step.as_op(Pad)
    start, extent = _extent(op.start, sizes), _extent(op.extent, sizes)

    def compute(x: Array) -> Array:
        axis = x.ndim - 2 + op.axis
        widths = [(0, 0)] * x.ndim
        widths[axis] = (start, extent - start - x.shape[axis])
        return np.pad(x, widths)

    return compute


def _constant(step: Step, sizes: Sizes) -> Compute:
    op = step.as_op(Constant)
    extents = [_extent(size, sizes) for size in op.extents]
    shape = (*extents, *[1] * (2 - len(extents)))
    return lambda: np.full(shape, float(op.number))


def _reduce_sum(step: Step, sizes: Sizes) -> Compute:
    if not step.as_op(ReduceSum).over_samples or len(step.target.shape) == 2:
        return lambda x: x
    if not step.target.shape:
        return lambda x: x.sum(axis=(-2, -1), keepdims=True)
    return lambda x: x.sum(axis=-1, keepdims=True)


def _norm_clipped(limit: float) -> Compute:
    return lambda x: x * min(1.0, limit / max(float(np.sqrt(np.sum(x * x))), 1e-300))


_ROWS: dict[type[Operation], Callable[[Step, Sizes], Compute]] = {
    Matmul: lambda step, sizes: np.matmul,
    Transpose: lambda step, sizes: lambda A: A.swapaxes(-1, -2),
    Add: _add,
    Scale: lambda step, sizes: np.multiply,
    Hadamard: lambda step, sizes: np.multiply,
    Quotient: lambda step, sizes: np.divide,
    Dot: lambda step, sizes: lambda a, b: np.sum(a * b, axis=-2, keepdims=True),
    Map: lambda step, sizes: lambda x: apply(step.as_op(Map).function, x),
    Concat: _concat,
    Slice: _slice,
    Constant: _constant,
    Identity: lambda step, sizes: lambda: np.eye(_extent(step.as_op(Identity).size, sizes)),
    Slope: lambda step, sizes: lambda x, y: slope(step.as_op(Slope).function, x, y),
    Outer: lambda step, sizes: lambda a, b: a @ b.swapaxes(-1, -2),
    Pad: _pad,
    ReduceSum: _reduce_sum,
    OutputSlope: lambda step, sizes: lambda v: _evaluated(output_slope(step.as_op(OutputSlope).function), activations.Y, v),
    Formula: lambda step, sizes: lambda v: _evaluated(step.as_op(Formula).expression, activations.Y, v),
    Clip: lambda step, sizes: lambda x: np.clip(x, -step.as_op(Clip).limit, step.as_op(Clip).limit),
    ClipNorm: lambda step, sizes: _norm_clipped(step.as_op(ClipNorm).limit),
}


def compute(step: Step, sizes: Sizes) -> Compute:
    """The function of NumPy arrays that a step computes. Raises UsageError for an operation that the doctor does not run."""
    row = _ROWS.get(type(step.op))
    if row is None:
        raise UsageError(f"{step}: the doctor does not run the operation {step.op.name}; examine without the cell")
    return row(step, sizes)
