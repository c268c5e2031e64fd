"""Where gradients are compared: sizes, and a random `Sample` of parameters, inputs, initial states and seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnproof.equations import expressions
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError

Array = Any
Sizes = Mapping[str, int]

# All sizes of a row differ, so that an exchanged axis cannot pass. At T = 1 and B = 1 code about time and batches
# breaks; over 200 steps an error accumulates; blocks of 32 units, 8 sequences or 64 steps end before the last size does.
DEFAULT_SIZES: tuple[dict[str, int], ...] = (
    {"T": 5, "B": 3, "input": 4, "hidden": 6},
    {"T": 1, "B": 2, "input": 3, "hidden": 5},
    {"T": 4, "B": 1, "input": 3, "hidden": 2},
    {"T": 9, "B": 7, "input": 13, "hidden": 17},
    {"T": 200, "B": 2, "input": 4, "hidden": 3},
    {"T": 80, "B": 9, "input": 35, "hidden": 33},
)


def measure(dimension: str, sizes: Sizes) -> int:
    """A dimension such as "hidden", "3" or "2*hidden + input" as a number. Raises UsageError for an unknown name."""
    total = 0
    for term in str(dimension).split("+"):
        product = 1
        for factor in term.split("*"):
            word = factor.strip()
            if not word.isdecimal() and word not in sizes:
                raise UsageError(
                    f"size {word!r} of the shape entry {dimension!r} is not known; give it in sizes, e.g. {{{word!r}: 4}}"
                )
            product *= int(word) if word.isdecimal() else sizes[word]
        total += product
    return total


@dataclass(frozen=True)
class Calm:
    """A draw in which a state is remembered for many steps, so that a sum cut off after 64 of them is seen.

    Matrices have orthonormal rows or columns times `gain`, vectors and scalars the standard deviation `spread` (wide ones hold
    some gates open), inputs and initial states are small.
    """

    gain: float
    spread: float


@dataclass(frozen=True)
class Layout:
    """The shapes of what a cell takes, as tuples of dimension texts; a parameter with a value per step starts with "steps".

    `inputs` are by label: "inputs" for the one input, "input NAME" for each of several, none for a recursion without;
    `states` are without the batch.
    """

    parameters: dict[str, tuple[str, ...]]
    states: dict[str, tuple[str, ...]]
    inputs: dict[str, tuple[str, ...]]

    @classmethod
    def of_cell(cls, cell: Cell) -> Layout:
        """The layout the equations ask for."""
        parameters = {p.name: ("steps",) * p.per_step + _shape(p.symbol) for p in cell.parameters}
        states = {s.name: _shape(s.new) or ("1",) for s in cell.states}
        return cls(parameters, states, labelled({symbol.name: _shape(symbol) or ("1",) for symbol in cell.inputs}))

    def complete(self, sizes: Sizes) -> dict[str, int]:
        """`sizes` with a number of its own for every size name it does not give."""
        whole = {**DEFAULT_SIZES[0], **sizes}
        texts = [*self.parameters.values(), *self.states.values(), *self.inputs.values()]
        for name in dict.fromkeys(re.findall(r"[^\W\d]\w*", " ".join(entry for shape in texts for entry in shape))):
            if name not in whole and name != "steps":
                whole[name] = max(whole["hidden"], whole["input"]) + 1 + sum(key not in DEFAULT_SIZES[0] for key in whole)
        whole["steps"] = whole["T"]
        return whole

    def draw(self, sizes: Sizes, seed: int, scale: float = 1.0, calm: Calm | None = None) -> Sample:
        """Random values for everything, reproducibly: matrices of spectral radius about 1/2, inputs and initial states wide.

        Inputs of order one would never reach the flat ends of hard_sigmoid or the tails of erf, and a fault there would pass;
        a Student t of two degrees of freedom, cut at 12, has arguments in the middle and at both ends in every draw. A `calm`
        draw is for long memory instead. `scale` shrinks everything but the seeds.
        """
        whole = self.complete(sizes)
        rng = np.random.default_rng(seed)
        steps, batch = whole["T"], whole["B"]

        def shape(entries: tuple[str, ...]) -> tuple[int, ...]:
            return tuple(measure(entry, whole) for entry in entries)

        def parameter(entries: tuple[str, ...]) -> Array:
            normal = rng.standard_normal(shape(entries))
            matrix = len([entry for entry in entries if entry != "steps"]) == 2
            if calm is not None:
                return scale * (calm.gain * _orthonormal(normal) if matrix else calm.spread * normal)
            # A matrix of n columns scaled by 1/(2 sqrt(n)) keeps 200 steps from exploding, so the error stays measurable.
            return normal * scale * 0.5 / np.sqrt(shape(entries)[-1] if matrix else 1)

        params = {name: parameter(entries) for name, entries in self.parameters.items()}

        def data(*extent: int) -> Array:
            if calm is not None:
                return scale * 0.05 * rng.standard_normal(extent)
            return scale * np.clip(2 * rng.standard_t(2, extent), -12, 12)

        inputs = {label: data(steps, batch, *shape(entries)) for label, entries in self.inputs.items()}
        initial = {name: data(batch, *shape(entries)) for name, entries in self.states.items()}
        seeds = {name: rng.standard_normal((steps, batch, *shape(entries))) for name, entries in self.states.items()}
        per_step = frozenset(name for name, entries in self.parameters.items() if entries[:1] == ("steps",))
        return Sample(whole, params, inputs, initial, seeds, per_step)


def labelled(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to inputs, by name, under the labels of their gradients."""
    return (
        {f"input {name}": value for name, value in inputs.items()}
        if len(inputs) > 1
        else dict.fromkeys(["inputs"][: len(inputs)], *inputs.values())
    )


def _orthonormal(normal: Array) -> Array:
    """A stack of matrices with orthonormal columns, or with rows of norm sqrt(columns / rows) where there are more columns."""
    rows, columns = normal.shape[-2:]
    if rows >= columns:
        return np.linalg.qr(normal)[0]
    return np.swapaxes(np.linalg.qr(np.swapaxes(normal, -1, -2))[0], -1, -2) * np.sqrt(columns / rows)


def _shape(symbol: Any) -> tuple[str, ...]:
    if not getattr(symbol, "is_Matrix", False):
        return ()
    rows, columns = expressions.shape_of(symbol)
    return (str(rows),) if columns == 1 else (str(rows), str(columns))


@dataclass(frozen=True)
class Sample:
    """Values to differentiate at. The loss is the sum over states and time of d_states * states, with random d_states.

    `inputs[label]` (T, B, input), labelled as in `Layout`; `initial[state]` (B, ...); `d_states[state]` (T, B, ...), a missing
    state meaning zero. The initial values of `fixed` states are zero and no variables: there is no gradient for them.
    """

    sizes: dict[str, int]
    params: dict[str, Array]
    inputs: dict[str, Array]
    initial: dict[str, Array]
    d_states: dict[str, Array]
    per_step: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()

    @property
    def xs(self) -> Any:
        """What `forward` takes: the one input, a dict of several by name, None where there is none."""
        if "inputs" in self.inputs:
            return self.inputs["inputs"]
        return {label.removeprefix("input "): value for label, value in self.inputs.items()} or None

    def x(self, t: int) -> Any:
        """What `step` takes at step t."""
        xs = self.xs
        return {name: value[t] for name, value in xs.items()} if isinstance(xs, dict) else None if xs is None else xs[t]

    @property
    def dtype(self) -> Any:
        return next(iter(self.initial.values())).dtype

    @property
    def steps(self) -> int:
        return self.sizes["T"]

    @property
    def label(self) -> str:
        """Sizes as printed in a row."""
        return " ".join(f"{name}={size}" for name, size in self.sizes.items() if name != "steps")

    def at(self, t: int) -> dict[str, Array]:
        """The parameters of one step."""
        return {name: value[t] if name in self.per_step else value for name, value in self.params.items()}

    def leaves(self) -> dict[str, Array]:
        """What there is a gradient for, by its label: parameters, those of inputs, "initial STATE"."""
        starts = {f"initial {name}": value for name, value in self.initial.items() if name not in self.fixed}
        return {**self.params, **self.inputs, **starts}

    def with_leaves(self, leaves: Mapping[str, Array]) -> Sample:
        """The same point with other values; the inverse of `leaves`."""
        return replace(
            self,
            params={name: leaves[name] for name in self.params},
            inputs={label: leaves[label] for label in self.inputs},
            initial={name: leaves.get(f"initial {name}", value) for name, value in self.initial.items()},
        )

    def cast(self, dtype: Any) -> Sample:
        """The same point, rounded to a dtype."""
        moved = self.with_leaves({label: value.astype(dtype) for label, value in self.leaves().items()})
        seeds = {name: seed.astype(dtype) for name, seed in self.d_states.items()}
        return replace(moved, initial={name: value.astype(dtype) for name, value in self.initial.items()}, d_states=seeds)
