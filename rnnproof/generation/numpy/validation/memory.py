"""The arrays of a generated function and what their rows hold; views of them, and arrays that follow from them.

Of an array over the steps only one step is kept, the one that the loop is at: each step reads and writes its own. A state's
array has one step more: `[:-1]` is the state before each step, `[1:]` the state after it, `[0]` where it starts.

Axes are letters: t the steps, r the rows, b the batch, c the columns of a parameter, f all steps and samples side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from rnnproof.generation.numpy.validation.symbolic_values import Cell, Terms, ValidationError, Value, at_most, cut

BEFORE, AFTER, START = "[:-1]", "[1:]", "[0]"


@dataclass
class Array:
    """`contents` by the part of the time axis; a cell that holds no value says why, as a string."""

    name: str
    axes: str
    rows: int
    writable: bool = True
    contents: dict[str, list[Cell]] = field(default_factory=dict)

    @classmethod
    def empty(cls, name: str, axes: str, rows: int, states: bool = False) -> Array:
        array = cls(name, axes, rows)
        for time in (BEFORE, AFTER, START) if states else ("",):
            array.forget(time, "nothing was written there yet")
        return array

    def fill(self, time: str, segments: Iterable[tuple[Any, int, int]]) -> None:
        """Let the rows hold these segments, one after the other."""
        cells: list[Cell] = []
        at = 0
        for content, start, stop in segments:
            cells.append((at, at + stop - start, content, start))
            at += stop - start
        self.contents[time] = cells

    def forget(self, time: str, reason: str) -> None:
        self.contents[time] = [(0, self.rows, reason, 0)]


@dataclass(frozen=True)
class View:
    """Rows start..stop of an array, at a part of its time axis, with its axes in this order."""

    array: Array
    start: int
    stop: int
    axes: str
    time: str = ""

    @classmethod
    def whole(cls, array: Array, time: str = "") -> View:
        return cls(array, 0, array.rows, array.axes, time)

    @property
    def rows(self) -> int:
        return self.stop - self.start

    def read(self, terms: Terms) -> Value:
        """What the rows hold; raises ValidationError where they hold no value of this step."""
        segments = cut(self._cells(), self.start, self.stop)
        for content, start, stop in segments:
            if isinstance(content, str):
                rows = f"{terms.extents.text(start)}:{terms.extents.text(stop)}"
                raise ValidationError(f"reads rows {rows} of {self.array.name}, but {content}")
        return terms.join(segments)

    def write(self, terms: Terms, value: Value) -> None:
        """Let the rows hold a value."""
        if not self.array.writable:
            raise ValidationError(f"writes into {self.array.name}, which belongs to the caller")
        if terms.rows(value) != self.rows:
            raise ValidationError(
                f"writes {terms.extents.text(terms.rows(value))} rows into {terms.extents.text(self.rows)} of {self.array.name}"
            )
        cells = self._cells()
        above, below = cut(cells, 0, self.start), cut(cells, self.stop, self.array.rows)
        self.array.fill(self.time, [*above, *value, *below])

    def _cells(self) -> list[Cell]:
        if self.time not in self.array.contents:
            raise ValidationError(f"takes all of {self.array.name}, which has one step more than the others")
        return self.array.contents[self.time]

    def part(self, start: int, stop: int) -> View:
        if not at_most(start, stop) or not at_most(stop, self.rows):
            raise ValidationError(f"takes rows of {self.array.name} that it does not have")
        return replace(self, start=self.start + start, stop=self.start + stop)

    def swapped(self, first: int, second: int) -> View:
        axes = list(self.axes)
        axes[first], axes[second] = axes[second], axes[first]
        return replace(self, axes="".join(axes))


@dataclass(frozen=True)
class Operand:
    """A value as an operand: of a view, computed, or a parameter's; `base` is a view whose memory it may share.

    `dropped` counts the axes of length 1 that were taken off a parameter's array; `float64` says that NumPy chose the dtype.
    """

    value: Value
    axes: str
    view: View | None = None
    base: View | None = None
    dropped: int = 0
    float64: bool = False
