"""`Recurrent`: what SimpleRNN, LSTM and GRU share: sequences, masks, dropout, states, and the way back through all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from rnnproof import layouts
from rnnproof.layers import arguments
from rnnproof.layers.base import Array, Layer, Shape, Weight, treatment
from rnnproof.layers.specialise import Recurrence, module
from rnnproof.runtime import dropout

MASKS = ("dropout", "recurrent_dropout")
_LETTERS = {"kernel": "W", "recurrent_kernel": "R", "bias": "b"}


@dataclass(frozen=True)
class _Run:
    """What a call leaves for `backward`."""

    module: ModuleType
    trace: Any
    outputs: tuple[Array, ...]


_FIXED = {"recurrent_activation": "sigmoid", "implementation": 1, "unit_forget_bias": False, "reset_after": False}
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "units": arguments.whole,
    "activation": arguments.activation,
    "recurrent_activation": arguments.activation,
    "dropout": arguments.rate,
    "recurrent_dropout": arguments.rate,
    "implementation": lambda name, value: arguments.choice(name, value, (1, 2)),
    **dict.fromkeys(
        (
            "use_bias",
            "unit_forget_bias",
            "return_sequences",
            "return_state",
            "go_backwards",
            "stateful",
            "unroll",
            "reset_after",
            "zero_output_for_mask",
        ),
        arguments.flag,
    ),
}


class Recurrent(Layer):
    """Base of the recurrent layers; arguments as in Keras 2.2.4, which the lecture's listings show.

    Beside them: `zero_output_for_mask` (tf.keras), `seed` of initialisers and dropout, `dtype` (None: that of the first
    input), `name`.

    Call: x (B, T, input); `mask` (B, T), True where a step counts; `initial_state` an array (B, units) or one for each state;
    `dropout_masks` {"input": (k, B, input), "recurrent": (k, B, units)} to use instead of drawn ones, with k gates for
    implementation=1 and k = 1 for 2. The result is the last output (B, units), or all of them (B, T, units) with
    `return_sequences`; with `return_state`, a list of it and the states after the last step.
    """

    GATES: ClassVar[tuple[str, ...]]
    STATES: ClassVar[tuple[str, ...]] = ("h",)

    HINTS: ClassVar[Mapping[str, str]] = {
        "recurrect_activation": " (recurrent_activation is meant)",
        "batch_input_shape": " (build(input_shape) or the first call tells the shape)",
        "input_shape": " (build(input_shape) or the first call tells the shape)",
        "time_major": " (inputs are (B, T, input))",
    }

    units: int
    activation: Any
    recurrent_activation: Any
    use_bias: bool
    dropout: float
    recurrent_dropout: float
    implementation: int
    return_sequences: bool
    return_state: bool
    go_backwards: bool
    stateful: bool
    unroll: bool
    zero_output_for_mask: bool

    def __post_init__(self) -> None:
        """Check what was given; `get_config` tells what that was."""
        config = self._given()
        super().__init__(config)
        for name, check in _CHECKS.items():
            setattr(self, name, check(name, config.get(name, _FIXED.get(name))))
        if self.recurrent_dropout:
            # as in tf.keras: the masks of the state's products are one for each gate, which the stacked product cannot take
            self.implementation = 1
        self._treatment = treatment(config, ("kernel", "recurrent", "bias"))
        self.states: list[Array] | None = None
        self.dropout_masks: dict[str, Array] = {}
        self.initial_state_gradients: list[Array] = []
        self._run: _Run | None = None

    # weights

    @property
    def _cell(self) -> str:
        """The catalogue's cell."""
        raise NotImplementedError

    def _weights(self, input_shape: Shape) -> tuple[Weight, ...]:
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: input shape {input_shape}; it should be (B, T, input), input a number")
        rows = len(self.GATES) * self.units
        shapes: dict[str, tuple[int, ...]] = {"kernel": (input_shape[-1], rows), "recurrent": (self.units, rows)}
        if self.use_bias:
            shapes["bias"] = self._bias_shape(rows)
        weights = []
        for role, shape in shapes.items():
            start, regularizer, constraint = self._treatment[role]
            name = "recurrent_kernel" if role == "recurrent" else role
            weights.append(Weight(name, shape, self._first_bias(start) if role == "bias" else start, regularizer, constraint))
        return tuple(weights)

    def _bias_shape(self, rows: int) -> tuple[int, ...]:
        return (rows,)

    def _first_bias(self, start: Any) -> Any:
        return start

    def _parts(self) -> dict[str, tuple[str, ...]]:
        """From which of the equations' parameters each weight is stacked."""
        parts = {role: tuple(f"{letter}_{gate}".rstrip("_") for gate in self.GATES) for role, letter in _LETTERS.items()}
        if self._cell == "gru_reset_after":
            parts["bias"] = (*parts["bias"], ";", *(f"c_{gate}" for gate in self.GATES))
        return {name: parts[name] for name in self.weight_names}

    def _parameters(self) -> dict[str, Array]:
        """The weights as the equations name them, as views."""
        params: dict[str, Array] = {}
        for parts, weight in zip(self._parts().values(), self.weights, strict=True):
            params.update(layouts.unstack(parts, weight if ";" in parts else weight.T))
        return params

    def _weight_gradients(self, gradients: Mapping[str, Array]) -> list[Array]:
        stacked = [layouts.stack(parts, gradients, self.units) for parts in self._parts().values()]
        return [array if ";" in parts else array.T for parts, array in zip(self._parts().values(), stacked, strict=True)]

    # forward

    def __call__(
        self,
        x: Any,
        mask: Any = None,
        training: bool = False,
        initial_state: Any = None,
        dropout_masks: Mapping[str, Any] | None = None,
    ) -> Any:
        x = self._input(x, ("B", "T", self._specs[0].shape[0] if self.built else "input"))
        batch, steps = x.shape[:2]
        if steps == 0:
            raise ValueError(f"{self.name}: the input has shape {x.shape}, a sequence of no steps; give at least one")
        first = self._first_states(initial_state, batch)
        constants = self._drawn(arguments.flag("training", training), dropout_masks, x)
        inputs, recurrent = ("" if not masks else "shared" if len(masks) == 1 else "gates" for masks in constants.values())
        equations = (self._cell, self.activation, self.recurrent_activation, self.use_bias, inputs, recurrent)
        options = Recurrence(*equations, mask is not None, mask is not None and self.zero_output_for_mask)
        fixed = {name: value for masks in constants.values() for name, value in masks.items()}
        xs = self._in_time(x)
        if mask is not None:
            counts = self._mask(mask, batch, steps)
            fixed["mask"] = self._in_time(counts[:, :, np.newaxis])
            xs = np.where(fixed["mask"], xs, 0)  # whatever stands in a step that does not count, NaN too, is not looked at
        cell = module(options, self.implementation == 2, steps or None if self.unroll else None)
        initial = {name: value for name, value in zip(self.STATES, first, strict=True) if value is not None}
        trace = cell.forward(self._parameters(), xs, initial, **({"constants": fixed} if fixed else {}))
        return self._outputs(cell, trace)

    def _in_time(self, values: Array) -> Array:
        """(B, T, n) -> (T, B, n), in the order in which the steps are taken."""
        return values.swapaxes(0, 1)[::-1] if self.go_backwards else values.swapaxes(0, 1)

    def _by_sample(self, values: Array) -> Array:
        """The inverse: (T, B, n), in the order in which the steps were taken, -> (B, T, n)."""
        return (values[::-1] if self.go_backwards else values).swapaxes(0, 1)

    def _mask(self, mask: Any, batch: int, steps: int) -> Array:
        array = arguments.shaped(f"{self.name}: mask", np.asarray(mask), (batch, steps))
        if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
            raise ValueError(f"{self.name}: mask holds {array.dtype}; give True (the step counts) or False for each step")
        return array.astype(bool)

    def _first_states(self, initial_state: Any, batch: int) -> list[Array | None]:
        """The states to start from; what is carried from the last batch gives way to what is given."""
        if initial_state is None:
            carried = self.states if self.stateful else None
            if carried is not None and len(carried[0]) != batch:
                raise ValueError(
                    f"{self.name}: {batch} sequences after a batch of {len(carried[0])}; a stateful layer needs batches of one "
                    "size, or reset_states() between them"
                )
            return [None] * len(self.STATES) if carried is None else list(carried)
        several = isinstance(initial_state, list | tuple)
        values = list(initial_state) if several else [initial_state]
        return list(self._state_arrays("initial_state", values, batch))

    def _state_arrays(self, what: str, values: Sequence[Any], batch: int | str) -> list[Array]:
        if len(values) != len(self.STATES):
            raise ValueError(f"{self.name}: {what} has {len(values)} arrays; give one for each of {', '.join(self.STATES)}")
        return [
            arguments.shaped(
                f"{self.name}: {what} {name}", arguments.floating(f"{what} {name}", value, self.dtype), (batch, self.units)
            )
            for name, value in zip(self.STATES, values, strict=True)
        ]

    def _drawn(self, training: bool, given: Mapping[str, Any] | None, x: Array) -> dict[str, dict[str, Array]]:
        """The dropout masks of this call by their names in the cell; one mask for a whole sequence."""
        found: dict[str, dict[str, Array]] = {kind: {} for kind in MASKS}
        self.dropout_masks = {}
        gates = len(self.GATES)
        sizes = {"dropout": ("input", self.dropout, x.shape[2], gates if self.implementation == 1 else 1)}
        sizes["recurrent_dropout"] = ("recurrent", self.recurrent_dropout, self.units, gates)
        for name in given or {}:
            if name not in ("input", "recurrent"):
                raise ValueError(f"{self.name}: dropout_masks has {name!r}; it may have 'input' and 'recurrent'")
        for kind, (what, rate, width, count) in sizes.items():
            shape = (count, x.shape[0], width)
            if given is not None and what in given:
                masks = arguments.floating(f"dropout_masks[{what!r}]", given[what], self.dtype)
                arguments.shaped(f"{self.name}: dropout_masks[{what!r}]", masks, shape)
            elif training and rate:
                masks = dropout.mask(shape, rate, self._dropping, self.weights[0].dtype)
            else:
                continue
            self.dropout_masks[what] = masks
            names = [f"{kind}_{gate}" for gate in self.GATES] if count > 1 else [kind]
            found[kind] = dict(zip(names, masks, strict=True))
        return found

    def _outputs(self, cell: ModuleType, trace: Any) -> Any:
        sequence = trace.states[cell.STATES[0]].swapaxes(0, 1)
        last = [trace.states[name][-1] for name in self.STATES]
        output = sequence if self.return_sequences else sequence[:, -1]
        outputs = (output, *last) if self.return_state else (output,)
        if self.stateful:
            self.states = [np.array(state) for state in last]
        self._run = _Run(cell, trace, outputs)
        self.losses = [*self._penalties(), *self._activity(outputs)]
        return list(outputs) if self.return_state else output

    # backward

    def backward(self, d_output: Any, d_states: Sequence[Any] | None = None) -> Array:
        """The gradient of the input (B, T, input) from those of the output and, with `return_state`, of the states.

        Sets `gradients`, aligned with `weights`, and `initial_state_gradients`. Both are those of the loss plus `losses`.
        Raises ValueError before a call, or for a shape that is not the output's.
        """
        if self._run is None:
            raise ValueError(f"{self.name}: backward before a call; call the layer first")
        cell, trace = self._run.module, self._run.trace
        if d_states is not None and not self.return_state:
            raise ValueError(f"{self.name}: d_states without return_state; make the layer with return_state=True")
        if d_states is not None and len(d_states) != len(self.STATES):
            raise ValueError(
                f"{self.name}: d_states has {len(d_states)} entries; give one for each of {', '.join(self.STATES)}"
            )
        arriving = [d_output, *(d_states or [None] * (len(self._run.outputs) - 1))]
        whats = ["d_output", *(f"d_states {name}" for name in self.STATES)]
        found = [self._arriving(what, d, of) for what, d, of in zip(whats, arriving, self._run.outputs, strict=False)]
        output = trace.states[cell.STATES[0]]
        seeds = {cell.STATES[0]: _zeros(output)}
        if self.return_sequences:
            seeds[cell.STATES[0]] += found[0].swapaxes(0, 1)
        else:
            seeds[cell.STATES[0]][-1] += found[0]
        for name, d in zip(self.STATES, found[1:], strict=False):
            seeds.setdefault(name, _zeros(output))[-1] += d
        gradients = cell.backward(trace, seeds)
        self.gradients = self._with_penalties(self._weight_gradients(gradients.params))
        self.initial_state_gradients = [gradients.initial[name] for name in self.STATES]
        return self._by_sample(gradients.inputs)

    def _arriving(self, what: str, d: Any, output: Array) -> Array:
        """A gradient that arrives at an output, with that of the output's own penalty."""
        if d is None:
            return self._d_activity(output, np.zeros_like(output))
        array = arguments.floating(f"{self.name}: {what}", d, None)
        return self._d_activity(output, arguments.shaped(f"{self.name}: {what}", array, output.shape).astype(output.dtype))

    # states

    def compute_mask(self, mask: Any) -> Any:
        """A mask goes on with sequences, turned round where they are (Keras hands it on as it is); a last output has none."""
        if mask is None or not self.return_sequences:
            return None
        return np.asarray(mask)[:, ::-1] if self.go_backwards else mask

    def reset_states(self, states: Any = None) -> None:
        """Start the next batch of a stateful layer from zero or from these states. Raises ValueError if it is not stateful."""
        if not self.stateful:
            raise ValueError(f"{self.name} is not stateful; make it with stateful=True")
        if states is None:
            self.states = None
            return
        values = list(states) if isinstance(states, list | tuple) else [states]
        arrays = self._state_arrays("states", values, "B")
        if len({len(state) for state in arrays}) > 1:
            raise ValueError(f"{self.name}: states of different batch sizes; give arrays (B, units)")
        self.states = [np.array(state) for state in arrays]


def _zeros(output: Array) -> Array:
    """Zeros laid out as a module's output (T, B, units), steps by units by batch; memory that is only read stays untouched."""
    return np.zeros(output.swapaxes(1, 2).shape, output.dtype).swapaxes(1, 2)
