"""SimpleRNN, LSTM and GRU with the signatures of Keras 2.2.4, on cells generated from the catalogue's equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from rnnproof.layers.base import Named, configured
from rnnproof.layers.recurrent import Recurrent


@configured
class SimpleRNN(Recurrent):
    """h_t = activation(W x_t + R h_{t-1} + b), J. L. Elman, "Finding structure in time" (1990). Weights: kernel (input, units),
    recurrent_kernel (units, units), bias (units,). Arguments, shapes and errors: see `Recurrent` and Keras 2.2.4's SimpleRNN.
    """

    GATES: ClassVar[tuple[str, ...]] = ("",)

    units: int
    activation: Named = "tanh"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False
    seed: int | None = None
    dtype: Any = None
    name: Any = None

    @property
    def _cell(self) -> str:
        return "simple_rnn"


@configured
class LSTM(Recurrent):
    """S. Hochreiter and J. Schmidhuber (1997) with the forget gate of F. Gers et al. (2000), as the catalogue's `lstm`.

    Weights, gates in the order i, f, c, o: kernel (input, 4 units), recurrent_kernel (units, 4 units), bias (4 units,), of
    which `unit_forget_bias` starts the part of f with ones. States h, c. Arguments: see `Recurrent` and Keras 2.2.4's LSTM.
    """

    GATES: ClassVar[tuple[str, ...]] = ("i", "f", "hbar", "o")
    STATES: ClassVar[tuple[str, ...]] = ("h", "c")

    units: int
    activation: Named = "tanh"
    recurrent_activation: Named = "hard_sigmoid"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    unit_forget_bias: bool = True
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    implementation: int = 1
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False
    seed: int | None = None
    dtype: Any = None
    name: Any = None

    @property
    def _cell(self) -> str:
        return "lstm"

    def _first_bias(self, start: Any) -> Any:
        if not self.unit_forget_bias:
            return start
        units = self.units

        def started(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
            parts = start((units,), dtype, rng), np.ones(units, dtype), start((2 * units,), dtype, rng)
            return np.concatenate(parts)

        return started


@configured
class GRU(Recurrent):
    """K. Cho et al., arXiv 1406.1078, with Keras's convention that z keeps the old state; the catalogue's `gru`, or with
    `reset_after` its `gru_reset_after`.

    Weights, gates in the order z, r, h: kernel (input, 3 units), recurrent_kernel (units, 3 units), bias (3 units,) or with
    `reset_after` (2, 3 units): that of the inputs, that of the states. Arguments: see `Recurrent` and Keras 2.2.4's GRU.
    """

    GATES: ClassVar[tuple[str, ...]] = ("z", "r", "hbar")
    HINTS: ClassVar[Mapping[str, str]] = {**Recurrent.HINTS, "unit_forget_bias": " (a GRU has no forget gate; LSTM has it)"}

    units: int
    activation: Named = "tanh"
    recurrent_activation: Named = "hard_sigmoid"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    implementation: int = 1
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    reset_after: bool = False
    zero_output_for_mask: bool = False
    seed: int | None = None
    dtype: Any = None
    name: Any = None

    @property
    def _cell(self) -> str:
        return "gru_reset_after" if self.reset_after else "gru"

    def _bias_shape(self, rows: int) -> tuple[int, ...]:
        return (2, rows) if self.reset_after else (rows,)
