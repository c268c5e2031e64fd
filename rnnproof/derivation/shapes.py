"""The shape of each operation's result, from its arguments' shapes and its attribute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from rnnproof.errors import EquationError

Shape = tuple[Any, ...]


def _matmul_shape(shapes: tuple[Shape, ...], _: Any) -> Shape:
    left, right = shapes
    _expect(len(left) == 2 and len(right) >= 1 and left[1] == right[0], f"matmul of {left} and {right}")
    return (left[0], *right[1:])


def _same_shape(shapes: tuple[Shape, ...], _: Any) -> Shape:
    _expect(all(shape == shapes[0] for shape in shapes), f"an elementwise operation of shapes {shapes}")
    return shapes[0]


def _concat_shape(shapes: tuple[Shape, ...], axis: int) -> Shape:
    total = sp.Add(*(shape[axis] for shape in shapes))
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def _slice_shape(shapes: tuple[Shape, ...], bounds: tuple[int, Any, Any]) -> Shape:
    axis, start, stop = bounds
    return (*shapes[0][:axis], sp.expand(stop - start), *shapes[0][axis + 1 :])


def _place_shape(shapes: tuple[Shape, ...], where: tuple[int, Any, Any]) -> Shape:
    axis, _, total = where
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def _expect(ok: bool, what: str) -> None:
    if not ok:
        raise EquationError(f"{what}: these shapes do not fit; check the equation's sizes")


SHAPES: dict[str, Callable[[tuple[Shape, ...], Any], Shape]] = {
    "matmul": _matmul_shape,
    "transpose": lambda shapes, _: (shapes[0][1], shapes[0][0]),
    "add": _same_shape,
    "scale": lambda shapes, _: shapes[1],
    "hadamard": _same_shape,
    "map": lambda shapes, _: shapes[0],
    "concat": _concat_shape,
    "slice": _slice_shape,
    "dot": lambda shapes, _: (),
    "apply": lambda shapes, attr: attr[1],
    "constant": lambda _, attr: attr[1],
    "slope": lambda shapes, _: shapes[0],
    "outer": lambda shapes, _: (shapes[0][0], shapes[1][0]),
    "place": _place_shape,
    "pull": lambda shapes, _: shapes[0],
    "total": lambda shapes, _: shapes[0],
}
