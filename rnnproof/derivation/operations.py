"""The operations of a Program as table rows: shape and adjoint of each. This table is all the calculus there is.

An adjoint row receives the step, the adjoint of its result, and a `Builder` to write steps with; it returns, for each
argument, the contribution to that argument's adjoint (None for none). `rnnproof.proofs` proves each row for all sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import sympy as sp

from rnnproof.derivation.program import Shape, Step, Var
from rnnproof.errors import EquationError


class Builder(Protocol):
    """Appends a step and returns its target."""

    def __call__(self, op: str, *args: Var, attr: Any = None, name: str = "") -> Var: ...


Adjoint = Callable[[Step, Var, Builder], tuple[Var | None, ...]]


@dataclass(frozen=True)
class Operation:
    """`says` is the rule in words; `adjoint` is None for what appears only inside adjoints and is never transposed again."""

    says: str
    shape: Callable[[tuple[Shape, ...], Any], Shape]
    adjoint: Adjoint | None
    elementwise: bool = False


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


def _d_matmul(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    left, right = step.args
    transposed = build("transpose", left, name=f"{left.name}_T")
    if len(right.shape) == 1:
        return build("outer", d, right), build("matmul", transposed, d)
    return build("matmul", d, build("transpose", right, name=f"{right.name}_T")), build("matmul", transposed, d)


def _d_add(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    return tuple(d if factor == 1 else build("add", d, attr=(factor,)) for factor in step.attr)


def _d_scale(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    factor, value = step.args
    return build("dot", d, value), build("scale", factor, d)


def _d_hadamard(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    left, right = step.args
    return build("hadamard", d, right), build("hadamard", d, left)


def _d_map(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    slope = build("slope", step.args[0], step.target, attr=step.attr)
    return (build("hadamard", d, slope),)


def _d_dot(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    left, right = step.args
    return build("scale", d, right), build("scale", d, left)


def _d_concat(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    axis, start, parts = step.attr, sp.S.Zero, []
    for arg in step.args:
        stop = start + arg.shape[axis]
        parts.append(build("slice", d, attr=(axis, start, stop)))
        start = stop
    return tuple(parts)


def _d_slice(step: Step, d: Var, build: Builder) -> tuple[Var | None, ...]:
    axis, start, _ = step.attr
    return (build("place", d, attr=(axis, start, step.args[0].shape[axis])),)


OPERATIONS: dict[str, Operation] = {
    "matmul": Operation("y = A x: dA += dy x^T, dx += A^T dy", _matmul_shape, _d_matmul),
    "transpose": Operation(
        "B = A^T: dA += dB^T",
        lambda shapes, _: (shapes[0][1], shapes[0][0]),
        lambda step, d, build: (build("transpose", d),),
    ),
    "add": Operation("y = sum of k_i a_i: da_i += k_i dy", _same_shape, _d_add, elementwise=True),
    "scale": Operation("y = s x: ds += dy^T x, dx += s dy", lambda shapes, _: shapes[1], _d_scale),
    "hadamard": Operation("y = a * b: da += dy * b, db += dy * a", _same_shape, _d_hadamard, elementwise=True),
    "map": Operation("y = f(x): dx += dy * f'(x)", lambda shapes, _: shapes[0], _d_map, elementwise=True),
    "concat": Operation("y = [a; b]: da += dy's part, db += dy's part", _concat_shape, _d_concat),
    "slice": Operation("y = part of x: dx's part += dy", _slice_shape, _d_slice),
    "dot": Operation("s = a^T b: da += ds b, db += ds a", lambda shapes, _: (), _d_dot),
    "apply": Operation(
        "y = f(x), f left open: dx += J_f^T dy",
        lambda shapes, attr: attr[1],
        lambda step, d, build: (build("pull", step.args[0], d, attr=step.attr),),
    ),
    "constant": Operation("a constant has no adjoint", lambda _, attr: attr[1], lambda step, d, build: ()),
    "slope": Operation("f'(x), from x and y = f(x)", lambda shapes, _: shapes[0], None, elementwise=True),
    "outer": Operation("a b^T", lambda shapes, _: (shapes[0][0], shapes[1][0]), None),
    "place": Operation("a part put into zeros", _place_shape, None),
    "pull": Operation("J_f(x)^T d, f left open", lambda shapes, _: shapes[0], None),
    "total": Operation("sum over steps and samples: what is shared by them", lambda shapes, _: shapes[0], None),
}
