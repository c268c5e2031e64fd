"""The operations of a Program as table rows: shape and adjoint of each. This table is all the calculus there is.

An adjoint row receives the step, the adjoint of its result, and a `Builder` to write steps with; it returns, for each
argument, the contribution to that argument's adjoint (None for none). `rnnproof.proofs` proves each row for all sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import sympy as sp

from rnnproof.derivation.program import Step, Var
from rnnproof.derivation.shapes import SHAPES, Shape


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


_ROWS: dict[str, tuple[str, Adjoint | None]] = {
    "matmul": ("y = A x: dA += dy x^T, dx += A^T dy", _d_matmul),
    "transpose": ("B = A^T: dA += dB^T", lambda step, d, build: (build("transpose", d),)),
    "add": ("y = sum of k_i a_i: da_i += k_i dy", _d_add),
    "scale": ("y = s x: ds += dy^T x, dx += s dy", _d_scale),
    "hadamard": ("y = a * b: da += dy * b, db += dy * a", _d_hadamard),
    "map": ("y = f(x): dx += dy * f'(x)", _d_map),
    "concat": ("y = [a; b]: da += dy's part, db += dy's part", _d_concat),
    "slice": ("y = part of x: dx's part += dy", _d_slice),
    "dot": ("s = a^T b: da += ds b, db += ds a", _d_dot),
    "apply": (
        "y = f(x), f left open: dx += J_f^T dy",
        lambda step, d, build: (build("pull", step.args[0], d, attr=step.attr),),
    ),
    "constant": ("a constant has no adjoint", lambda step, d, build: ()),
    "slope": ("f'(x), from x and y = f(x)", None),
    "outer": ("a b^T", None),
    "place": ("a part put into zeros", None),
    "pull": ("J_f(x)^T d, f left open", None),
    "total": ("sum over steps and samples: what is shared by them", None),
}
_ELEMENTWISE = {"add", "hadamard", "map", "slope"}
if _ROWS.keys() != SHAPES.keys():
    raise AssertionError(f"an operation lacks a meaning: {_ROWS.keys() ^ SHAPES.keys()}")

OPERATIONS: dict[str, Operation] = {
    name: Operation(says, SHAPES[name], adjoint, name in _ELEMENTWISE) for name, (says, adjoint) in _ROWS.items()
}
