"""Dense: one affine map and an activation for every row, on a generated cell that has no recurrence."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell
from rnnproof.generation import build
from rnnproof.layers import arguments
from rnnproof.layers.base import Array, Layer, Shape, Weight, configured, treatment

_ROWS, _INPUT = (sp.Symbol(name, integer=True, positive=True) for name in ("units", "input"))


@cache
def affine(activation: str, use_bias: bool) -> ModuleType:
    """y = activation(W x + b), generated."""
    W, b = sp.MatrixSymbol("W", _ROWS, _INPUT), sp.MatrixSymbol("b", _ROWS, 1)
    x, y = sp.MatrixSymbol("x", _INPUT, 1), sp.MatrixSymbol("y", _ROWS, 1)
    terms = [expressions.multiply(W, x), *([b] if use_bias else [])]
    value = expressions.apply(activations.named(activation), expressions.add(*terms))
    return build(Cell.from_sympy("dense", {y: value}, previous={y: None}, inputs=[x]))


@cache
def softmax() -> ModuleType:
    """p = exp(z - shift) / sum exp(z - shift), generated. The shift, a constant, only keeps the numbers small."""
    z, e, p, shift = (sp.MatrixSymbol(name, _ROWS, 1) for name in ("z", "e", "p", "shift"))
    shifted = expressions.add(z, expressions.multiply(sp.Integer(-1), shift))
    share = activations.named("reciprocal")(expressions.Dot(sp.OneMatrix(_ROWS, 1), e))
    equations = {e: expressions.apply(sp.exp, shifted), p: expressions.multiply(share, e)}
    return build(Cell.from_sympy("softmax", equations, previous={p: None}, inputs=[z], constants=[shift]))


@configured
class Dense(Layer):
    """activation(W x + b) along the last axis: x (B, ..., input) -> (B, ..., units).

    Weights: kernel (input, units), bias (units,). Arguments as in Keras 2.2.4's Dense; `activation` may be 'softmax' too.
    Raises TypeError for an unknown argument, ValueError for a bad value or shape.
    """

    units: int
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    seed: int | None = None
    dtype: Any = None
    name: Any = None

    def __post_init__(self) -> None:
        config = self._given()
        super().__init__(config)
        self.units = arguments.whole("units", self.units)
        self.activation = arguments.activation("activation", self.activation, rows=True)
        self.use_bias = arguments.flag("use_bias", self.use_bias)
        self._treatment = treatment(config, ("kernel", "bias"))
        self._traces: list[tuple[ModuleType, Any]] = []
        self._output = np.zeros(0)

    def _weights(self, input_shape: Shape) -> tuple[Weight, ...]:
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: input shape {input_shape}; it should be (B, ..., input), input a number")
        kernel = Weight("kernel", (input_shape[-1], self.units), *self._treatment["kernel"])
        return (kernel, Weight("bias", (self.units,), *self._treatment["bias"])) if self.use_bias else (kernel,)

    def __call__(self, x: Any, mask: Any = None, training: bool = False) -> Array:
        x = self._input(x, ())
        if x.shape[-1] != self.weights[0].shape[0]:
            raise ValueError(f"{self.name}: the input has shape {x.shape}; its last axis should be {self.weights[0].shape[0]}")
        params = {"W": self.weights[0].T, **({"b": self.weights[1]} if self.use_bias else {})}
        cell = affine("linear" if self.activation == "softmax" else self.activation, self.use_bias)
        trace = cell.forward(params, x.reshape(1, -1, x.shape[-1]))
        self._traces = [(cell, trace)]
        rows = trace.states["y"]
        if self.activation == "softmax":
            trace = softmax().forward({}, rows, constants={"shift": rows.real.max(axis=-1, keepdims=True, initial=-np.inf)})
            self._traces.append((softmax(), trace))
            rows = trace.states["p"]
        self._output = rows.reshape(*x.shape[:-1], self.units)
        self.losses = [*self._penalties(), *self._activity([self._output])]
        return self._output

    def backward(self, d_output: Any) -> Array:
        """The gradient of the input from that of the output; sets `gradients`. Raises ValueError before a call."""
        if not self._traces:
            raise ValueError(f"{self.name}: backward before a call; call the layer first")
        d = arguments.floating(f"{self.name}: d_output", d_output, None)
        d = self._d_activity(self._output, arguments.shaped(f"{self.name}: d_output", d, self._output.shape))
        d = d.reshape(1, -1, self.units)
        for cell, trace in reversed(self._traces):
            gradients = cell.backward(trace, {cell.STATES[0]: d})
            d = gradients.inputs
        by_parameter = gradients.params
        self.gradients = self._with_penalties([by_parameter["W"].T, *([by_parameter["b"]] if self.use_bias else [])])
        return d.reshape(*self._output.shape[:-1], -1)
