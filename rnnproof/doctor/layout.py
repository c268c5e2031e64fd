"""How somebody's arrays hold a cell's parameters, inputs and initial states: found by the search, printed, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof.doctor.case import Array
from rnnproof.doctor.loss_head import Head
from rnnproof.equations.cell import Cell


@dataclass(frozen=True)
class View:
    """A block of an array that is one parameter: `lead` chooses along a first axis, then rows and columns, then transposed."""

    array: str
    dimensions: int
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    lead: int | None = None
    transposed: bool = False
    vector: bool = False

    def read(self, value: Array) -> Array:
        """The parameter (..., rows, columns), a vector (..., rows, 1); axes before the array's own are carried along."""
        outer = value.ndim - self.dimensions
        if self.lead is not None:
            value = value[(slice(None),) * outer + (self.lead,)]
        if self.vector:
            value = value.reshape((*value.shape[:outer], -1, 1))
        if self.rows is not None:
            value = value[..., self.rows[0] : self.rows[1], :]
        if self.columns is not None:
            value = value[..., self.columns[0] : self.columns[1]]
        return value.swapaxes(-1, -2) if self.transposed else value

    def __str__(self) -> str:
        text = self.array
        if self.lead is not None:
            text += f"[{self.lead}]"
        windows = [":" if window is None else f"{window[0]}:{window[1]}" for window in (self.rows, self.columns)]
        if windows != [":", ":"]:
            text += f"[{windows[0]}]" if self.vector else f"[{', '.join(windows)}]"
        return text + (".T" if self.transposed else "")


@dataclass(frozen=True)
class Sequence:
    """Where a sequence or an initial state is: a name among the arrays or among what the loss was seen to read, and its axes.

    `axes` gives each axis its letter: T time, B samples, N entries, 1 an axis of length one. `one_hot` where the entries are
    positions of the one, so many.
    """

    path: str
    axes: str
    listed: bool
    one_hot: int | None = None

    def read(self, value: Array) -> Array:
        """(steps, ..., entries, samples), or without time (..., entries, samples)."""
        axes = self.axes
        if self.one_hot is not None:
            value, axes = np.eye(self.one_hot)[value.astype(int)], f"{axes}N"
        outer = value.ndim - len(axes)
        keep = [letter for letter in axes if letter != "1"]
        value = value.reshape((*value.shape[:outer], *(n for n, a in zip(value.shape[outer:], axes, strict=True) if a != "1")))
        if "B" not in keep:
            value, keep = value[..., None], [*keep, "B"]
        order = [outer + keep.index(letter) for letter in "TNB" if letter in keep]
        if "T" in keep:
            return value.transpose([order[0], *range(outer), *order[1:]])
        return value.transpose([*range(outer), *order])

    def write(self, value: Array, like: Array) -> Array:
        """`value` in the shape of the array it was read from."""
        keep = [letter for letter in self.axes if letter != "1"]
        letters = [letter for letter in "TNB" if letter in keep or letter == "B" or (letter == "T" and "T" in self.axes)]
        order = [letters.index(letter) for letter in keep]
        rest = [position for position in range(value.ndim) if position not in order]
        return np.asarray(value.transpose([*order, *rest]).reshape(like.shape))

    def __str__(self) -> str:
        names = {"T": "time", "B": "batch", "N": "entries", "1": "1"}
        text = f"{self.path} ({', '.join(names[letter] for letter in self.axes)})"
        return f"{text}, one of {self.one_hot}" if self.one_hot is not None else text


@dataclass(frozen=True)
class Layout:
    """How a loss holds a cell: `cell` with its output layer, `views` of each parameter (several are summed)."""

    cell: Cell
    sizes: Mapping[str, int]
    views: Mapping[str, tuple[View, ...]]
    inputs: Mapping[str, Sequence]
    initial: Mapping[str, Sequence]
    head: Head
    convention: str = ""
    unused: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()  # parameters that there are not, such as biases
    recurrent: bool = True  # whether a step goes on from the step before

    def parameters(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Every parameter (..., rows, columns) from arrays with any axes before their own."""
        values = {name: _sum([view.read(arrays[view.array]) for view in views]) for name, views in self.views.items()}
        shapes = {p.name: getattr(p.symbol, "shape", ()) for p in self.cell.parameters}
        for name in self.zero:
            values[name] = np.zeros([self.sizes.get(str(size), 1) for size in shapes[name]])
        return values

    def output_layer(self, arrays: Mapping[str, Array], hidden: Array) -> Array:
        """W_y h + b_y at hidden states (steps, ..., entries, samples)."""
        values = {name: view.read(arrays[view.array]) for name in ("W_y", "b_y") for view in self.views.get(name, ())}
        return np.asarray(values["W_y"] @ hidden + values.get("b_y", 0.0))

    def lines(self) -> tuple[str, ...]:
        """One line for each thing that was found out."""
        lines = [f"{name} is {' + '.join(map(str, views))}" for name, views in self.views.items()]
        lines += [f"{name} is zero: there is no array for it" for name in self.zero]
        lines += [f"{name} is {where}" for name, where in self.inputs.items()]
        lines += [f"initial {name} is {where}" for name, where in self.initial.items()]
        lines += [self.convention] if self.convention else []
        return (*lines, f"the loss is {self.head}", *(f"{name} is not read" for name in self.unused))

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _sum(values: list[Array]) -> Array:
    total: Any = values[0]
    for value in values[1:]:
        total = total + value
    return np.asarray(total)
