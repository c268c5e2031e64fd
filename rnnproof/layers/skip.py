"""Shortcut and Gate: a layer inside, and its input led past it; the equations are the catalogue's, one step along the depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import sympy as sp

from rnnproof.equations import catalogue, expressions
from rnnproof.generation import build
from rnnproof.layers import arguments
from rnnproof.layers.base import Array, Layer, Shape, Weight, configured, made, treatment
from rnnproof.layers.specialise import printed, rewritten, with_activations, without_biases


@cache
def module(name: str, activation: str = "sigmoid", use_bias: bool = True) -> ModuleType:
    """The catalogue's `shortcut` or `gate` with the open function's value as the input: any layer may stand inside."""
    cell = catalogue.load(name)
    size = cell.states[0].new.shape[0]
    inner = sp.MatrixSymbol("inner", size, 1)
    equations = rewritten(cell, lambda node: inner if isinstance(node, expressions.OpenFunction) else None)
    used: set[Any] = set().union(*(expressions.symbols(equation.expression) for equation in equations))
    read = tuple(replace(parameter, per_step=False) for parameter in cell.parameters if parameter.symbol in used)
    outside = replace(cell, equations=equations, parameters=read, inputs=(inner,), bodies=())
    outside = with_activations(outside, {"sigmoid": activation})
    return build(printed(outside if use_bias else without_biases(outside)))


class _Around(Layer):
    """Base of the layers that have a layer inside, whose output is shaped like its input."""

    CELL: ClassVar[str]

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        layer = config["layer"]
        self.layer = made(layer) if isinstance(layer, Mapping) else layer
        if not isinstance(self.layer, Layer):
            raise ValueError(f"layer={layer!r}: give a layer, such as Dense(units) or LSTM(units, return_sequences=True)")
        if getattr(self.layer, "return_state", False) or getattr(self.layer, "return_sequences", True) is False:
            raise ValueError(f"{self.name}: {self.layer.name} inside should give sequences (return_sequences=True)")
        self.stateful = self.layer.stateful
        self._made: ModuleType | None = None
        self._trace: Any = None
        self._output: Array = np.zeros(0)

    def _own(self, size: int) -> tuple[Weight, ...]:
        return ()

    def _module(self) -> ModuleType:
        return module(self.CELL)

    def _parameters(self, own: list[Array]) -> dict[str, Array]:
        return {}

    def _own_gradients(self, params: Mapping[str, Array]) -> list[Array]:
        return []

    def _weights(self, input_shape: Shape) -> tuple[Weight, ...]:
        raise AssertionError("build is its own")

    def build(self, input_shape: Any, dtype: Any = None) -> None:
        """Make the weights, those of the layer inside first. Raises ValueError for a bad shape."""
        if self.built:
            return
        shape = tuple(input_shape)
        self.layer.build(shape, dtype)
        self.input_shape = self.layer.input_shape
        own = self._own(shape[-1])
        kind = self.dtype or np.dtype(dtype or np.float64)
        self.weights = [*self.layer.weights, *(self._started(spec, kind) for spec in own)]
        self._specs = (*self.layer._specs, *own)
        self.built = True

    def __call__(self, x: Any, mask: Any = None, training: bool = False) -> Array:
        x = self._input(x, ())
        inner = self.layer(x, mask=mask, training=training)
        if inner.shape != x.shape:
            raise ValueError(f"{self.name}: {self.layer.name} makes {inner.shape} of {x.shape}; the shapes should be the same")
        size = x.shape[-1]
        self._made = self._module()
        own = self._parameters(self.weights[len(self.layer.weights) :])
        self._trace = self._made.forward(own, inner.reshape(1, -1, size), {"o": x.reshape(-1, size)})
        self._output = self._trace.states["o"].reshape(x.shape)
        own_penalties = [
            spec.regularizer(weight)
            for spec, weight in list(zip(self._specs, self.weights, strict=True))[len(self.layer.weights) :]
            if spec.regularizer is not None
        ]
        self.losses = [*self.layer.losses, *own_penalties]
        return self._output

    def backward(self, d_output: Any) -> Array:
        """The gradient of the input, through the layer inside and past it; sets `gradients`. Raises ValueError for a shape."""
        if self._made is None:
            raise ValueError(f"{self.name}: backward before a call; call the layer first")
        d = arguments.floating(f"{self.name}: d_output", d_output, None)
        d = arguments.shaped(f"{self.name}: d_output", d, self._output.shape)
        gradients = self._made.backward(self._trace, {"o": d.reshape(1, -1, d.shape[-1])})
        d_inside = self.layer.backward(gradients.inputs.reshape(d.shape))
        own = self._with_penalties([*self.layer.gradients, *self._own_gradients(gradients.params)])[len(self.layer.gradients) :]
        self.gradients = [*self.layer.gradients, *own]
        d_x: Array = d_inside + gradients.initial["o"].reshape(d.shape)
        return d_x

    def compute_mask(self, mask: Any) -> Any:
        """What the layer inside hands on."""
        return self.layer.compute_mask(mask)

    def reset_states(self) -> None:
        """Reset the layer inside."""
        self.layer.reset_states()


@configured
class Shortcut(_Around):
    """layer(x) + x: the gradient has a path on which nothing multiplies it (K. He et al., arXiv 1512.03385).

    `layer` is any layer whose output is shaped like its input. Raises TypeError for an unknown argument, ValueError for a
    bad one.
    """

    CELL: ClassVar[str] = "shortcut"

    layer: Any
    name: Any = None

    def __post_init__(self) -> None:
        super().__init__(self._given())


@configured
class Gate(_Around):
    """t * layer(x) + c * x with learned t = activation(W_t x + b_t), c = activation(W_c x + b_c), elementwise.

    R. K. Srivastava, K. Greff and J. Schmidhuber, "Highway networks" (arXiv 1505.00387), equation 2. Weights behind those of
    the layer: transform_kernel (n, n), transform_bias (n,), carry_kernel, carry_bias. Raises TypeError for an unknown
    argument, ValueError for a bad one.
    """

    CELL: ClassVar[str] = "gate"

    layer: Any
    activation: Any = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    seed: int | None = None
    dtype: Any = None
    name: Any = None

    def __post_init__(self) -> None:
        config = self._given()
        super().__init__(config)
        self.activation = arguments.activation("activation", self.activation)
        self.use_bias = arguments.flag("use_bias", self.use_bias)
        self._treatment = treatment(config, ("kernel", "bias"))

    def _own(self, size: int) -> tuple[Weight, ...]:
        weights = []
        for gate in ("transform", "carry"):
            weights.append(Weight(f"{gate}_kernel", (size, size), *self._treatment["kernel"]))
            if self.use_bias:
                weights.append(Weight(f"{gate}_bias", (size,), *self._treatment["bias"]))
        return tuple(weights)

    def _module(self) -> ModuleType:
        return module(self.CELL, self.activation, self.use_bias)

    def _names(self) -> tuple[str, ...]:
        return ("W_t", "b_t", "W_c", "b_c") if self.use_bias else ("W_t", "W_c")

    def _parameters(self, own: list[Array]) -> dict[str, Array]:
        return {name: weight.T for name, weight in zip(self._names(), own, strict=True)}

    def _own_gradients(self, params: Mapping[str, Array]) -> list[Array]:
        return [params[name].T for name in self._names()]
