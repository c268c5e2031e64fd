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
from rnnproof.documents.message import Message, say


class Builder(Protocol):
    """Appends a step and returns its target."""

    def __call__(self, op: str, *args: Var, attr: Any = None, name: str = "") -> Var: ...


Adjoint = Callable[[Step, Var, Builder], tuple[Var | None, ...]]


SUM_OF_USES = "sum of the uses"


@dataclass(frozen=True)
class Rule:
    """What a derivation calls a rule, and the rule in words."""

    label: Message
    says: Message


@dataclass(frozen=True)
class Operation:
    """`adjoint` is None for what appears only inside adjoints and is never transposed again."""

    rule: Rule
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


_OUTER = r"$\delta_y x^{\top}$"
_ROWS: dict[str, tuple[Rule, Adjoint | None]] = {
    "matmul": (
        Rule(
            say("matmul"), say("$y = A x$ hands {a} to $A$ and {x} to $x$", a=r"$\delta_y x^{\top}$", x=r"$A^{\top} \delta_y$")
        ),
        _d_matmul,
    ),
    "transpose": (
        Rule(say("transpose"), say("{b} hands {a} to $A$", b=r"$B = A^{\top}$", a=r"$\delta_B^{\top}$")),
        lambda step, d, build: (build("transpose", d),),
    ),
    "add": (Rule(say("add"), say("{y} hands {a} to each $a_i$", y=r"$y = \sum_i k_i a_i$", a=r"$k_i \delta_y$")), _d_add),
    "scale": (
        Rule(say("scale"), say("$y = s x$ hands {s} to $s$ and {x} to $x$", s=r"$\delta_y^{\top} x$", x=r"$s \delta_y$")),
        _d_scale,
    ),
    "hadamard": (
        Rule(say("hadamard"), say(r"$y = a \odot b$ hands $\delta_y \odot b$ to $a$ and $\delta_y \odot a$ to $b$")),
        _d_hadamard,
    ),
    "map": (Rule(say("map"), say(r"$y = f(x)$, elementwise, hands $\delta_y \odot f'(x)$ to $x$")), _d_map),
    "concat": (Rule(say("concat"), say(r"$y = [a; b]$ hands $a$ and $b$ their rows of $\delta_y$")), _d_concat),
    "slice": (Rule(say("slice"), say(r"$y$, some rows of $x$, hands $\delta_y$ to these rows")), _d_slice),
    "dot": (
        Rule(
            say("dot"), say("{s} hands {a} to $a$ and {b} to $b$", s=r"$s = a^{\top} b$", a=r"$\delta_s b$", b=r"$\delta_s a$")
        ),
        _d_dot,
    ),
    "apply": (
        Rule(say("apply"), say("$y = f(x)$ with $f$ left open hands {x} to $x$", x=r"$J_f^{\top} \delta_y$")),
        lambda step, d, build: (build("pull", step.args[0], d, attr=step.attr),),
    ),
    "constant": (Rule(say("constant"), say("a constant receives nothing")), lambda step, d, build: ()),
    "slope": (Rule(say("slope"), say("$f'(x)$, from $x$ and $y = f(x)$")), None),
    "outer": (Rule(say("outer"), say("{product}, a column by a row", product=r"$a b^{\top}$")), None),
    "place": (Rule(say("place"), say("some rows among zeros")), None),
    "pull": (Rule(say("pull"), say("{product}, $f$ left open", product=r"$J_f(x)^{\top} d$")), None),
    "total": (Rule(say("total"), say("what all steps and samples share receives the sum over them")), None),
}
_ELEMENTWISE = {"add", "hadamard", "map", "slope"}
if _ROWS.keys() != SHAPES.keys():
    raise AssertionError(f"an operation lacks a meaning: {_ROWS.keys() ^ SHAPES.keys()}")

OPERATIONS: dict[str, Operation] = {
    name: Operation(rule, SHAPES[name], adjoint, name in _ELEMENTWISE) for name, (rule, adjoint) in _ROWS.items()
}

# Every rule that a line of a derivation can name.
RULES: dict[str, Rule] = {
    SUM_OF_USES: Rule(say("sum of the uses"), say("a value read in several places receives the sum of what they hand back")),
    **{name: rule for name, (rule, _) in _ROWS.items()},
}
