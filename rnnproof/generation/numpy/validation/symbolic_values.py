"""Values as terms: equal terms are equal numbers, whatever array they lie in.

A term is an operation on values, or a value that enters a Program; it is written once and known by its number. A value is a
column of rows of terms, so that parts and stacks of parts have one form only: [a; b] without b is a.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import sympy as sp

Segment = tuple[int, int, int]  # a term, and from which of its rows to which
Value = tuple[Segment, ...]

UNKNOWN = -1  # the rows of what no Program computes

_BASE = 1 << 24


class ValidationError(AssertionError):
    """The text of a module does not compute its Program: a fault of the generator, never of its input."""


class Extents:
    """Row numbers: linear forms in the sizes, such as 2 hidden + input, each as one integer with a digit for each size.

    Sums and equality are those of integers. Sizes are at least 1 and any; an order holds where it holds for all of them.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._known: dict[Any, int] = {}

    def named(self, size: str) -> int:
        """The size of this name."""
        return self._places.setdefault(size, int(_BASE ** (len(self._places) + 1)))

    def of(self, expression: Any) -> int:
        """A SymPy expression, linear in the sizes."""
        number = self._known.get(expression)
        if number is None:
            terms = sp.expand(expression).as_coefficients_dict()
            number = sum(int(factor) * (1 if size == 1 else self.named(size.name)) for size, factor in terms.items())
            self._known[expression] = number
        return number

    def text(self, number: int) -> str:
        """2*hidden + input."""
        digits = {name: (number // place) % _BASE for name, place in self._places.items()}
        terms = [name if count == 1 else f"{count}*{name}" for name, count in digits.items() if count]
        return " + ".join([*terms, *([str(number % _BASE)] if number % _BASE or not terms else [])])


def at_most(left: int, right: int) -> bool:
    """Whether left <= right for all sizes."""
    gap = right - left
    while gap > 0:
        if gap % _BASE >= _BASE // 2:
            return False
        gap //= _BASE
    return gap == 0


class Terms:
    """All terms of a validation. `shapes` has (rows, columns) of each term, None where no Program names it."""

    def __init__(self) -> None:
        self.extents = Extents()
        self.keys: list[tuple[Any, ...]] = []
        self.shapes: list[tuple[int, int] | None] = []
        self.names: dict[Value, str] = {}
        self._numbers: dict[tuple[Hashable, ...], int] = {}
        self.zero = self.term("fill", 0.0)

    def term(self, *key: Hashable) -> int:
        """The number of a term."""
        number = self._numbers.setdefault(key, len(self.keys))
        if number == len(self.keys):
            self.keys.append(key)
            self.shapes.append(None)
        return number

    def value(self, shape: tuple[int, int] | None, *key: Hashable) -> Value:
        """All rows of a term with this shape; None where it is not known, unless the term has been met before."""
        number = self.term(*key)
        shape = self.shapes[number] = shape or self.shapes[number]
        return ((number, 0, shape[0] if shape else UNKNOWN),)

    def uniform(self, rows: int, *key: Hashable) -> Value:
        """`rows` rows that are all the same: a number's ("fill", number), or copies of a scalar's ("repeat", value)."""
        return ((self.term(*key), 0, rows),) if rows else ()

    def zeros(self, rows: int) -> Value:
        return ((self.zero, 0, rows),) if rows else ()

    def join(self, segments: Iterable[Segment]) -> Value:
        """The segments in the one form that a value has."""
        joined: list[Segment] = []
        for term, start, stop in segments:
            if self.keys[term][0] in ("fill", "repeat"):
                start, stop = 0, stop - start
                if joined and joined[-1][0] == term:
                    joined[-1] = (term, 0, joined[-1][2] + stop)
                    continue
            elif joined and joined[-1][0] == term and joined[-1][2] == start:
                joined[-1] = (term, joined[-1][1], stop)
                continue
            joined.append((term, start, stop))
        return tuple(joined)

    def part(self, value: Value, start: int, stop: int) -> Value:
        """Rows start..stop of a value."""
        return self.join(cut(((at, at + last - first, term, first) for at, (term, first, last) in _placed(value)), start, stop))

    def rows(self, value: Value) -> int:
        return sum(stop - start for _, start, stop in value)

    def columns(self, value: Value) -> int | None:
        """The columns of a matrix that a Program names."""
        shape = self.shapes[value[0][0]]
        return shape[1] if shape else None

    def describe(self, value: Value) -> str:
        """The value as the Program calls it, or as an expression of what the Program calls by name."""
        if value in self.names:
            return self.names[value]
        if len(value) > 1:
            return f"[{'; '.join(self.describe((segment,)) for segment in value)}]"
        if not value:
            return "nothing"
        ((term, start, stop),) = value
        key, shape = self.keys[term], self.shapes[term]
        if key[0] == "fill":
            return str(key[1])
        if shape is not None and (start, stop) != (0, shape[0]) and ((term, 0, shape[0]),) in self.names:
            rows = f"{self.extents.text(start)}:{self.extents.text(stop)}"
            return f"{self.names[((term, 0, shape[0]),)]}[{rows}]"
        return f"{key[0]}({', '.join(self._argument(argument) for argument in key[1:])})"

    def _argument(self, argument: Hashable) -> str:
        return self.describe(argument) if isinstance(argument, tuple) else str(argument)


def _placed(value: Value) -> Iterable[tuple[int, Segment]]:
    at = 0
    for segment in value:
        yield at, segment
        at += segment[2] - segment[1]


Cell = tuple[int, int, Any, int]  # rows from, rows to, what lies there, from which of its rows


def cut(cells: Iterable[Cell], start: int, stop: int) -> list[tuple[Any, int, int]]:
    """What lies in rows start..stop of cells that follow one another."""
    segments = []
    for first, last, content, offset in cells:
        if at_most(last, start) or at_most(stop, first):
            continue
        inner, outer = _later(first, start), _earlier(last, stop)
        segments.append((content, offset + inner - first, offset + outer - first))
    return segments


def _later(left: int, right: int) -> int:
    if not at_most(left, right) and not at_most(right, left):
        raise ValidationError("two row numbers have no order that holds for all sizes")
    return right if at_most(left, right) else left


def _earlier(left: int, right: int) -> int:
    return left if _later(left, right) == right else right
