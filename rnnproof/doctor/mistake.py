"""A human mistake in a derived backward pass: its kind, the line it is in, what it says, and the pass with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import sympy as sp

from rnnproof.calculus.adjoint_operations import Outer, ReduceSum, Slope
from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.operations import Add, Dot, Hadamard, Map, Matmul, Quotient, Scale, Transpose
from rnnproof.calculus.program import Step
from rnnproof.calculus.variables import Var
from rnnproof.doctor.array_operations import Clip, ClipNorm, Formula, OutputSlope, output_slope
from rnnproof.doctor.plain_pass import (
    BEFORE,
    EARLIER,
    LAST,
    NEXT,
    ONLY_LAST,
    OVERWRITTEN,
    OVERWRITTEN_LATER,
    WITHOUT_FIRST,
    WITHOUT_LAST,
    WRAPPED,
    Pass,
)
from rnnproof.equations import activations

Edit = Callable[[Pass], Pass | None]


@dataclass(frozen=True)
class Mistake:
    """`kind` names it, `where` are the lines of the derivation or the gradients, `says` one sentence; `apply` makes it."""

    kind: str
    where: str
    says: str
    apply: Edit


def in_order(steps: Iterable[Step]) -> tuple[Step, ...] | None:
    """The steps so that each comes after what it reads, near the order given; None where one needs itself."""
    waiting = {step.target.name: step for step in steps}
    ordered: list[Step] = []
    state: dict[str, int] = {}

    def visit(step: Step) -> bool:
        name = step.target.name
        if state.get(name):
            return state[name] == 2
        state[name] = 1
        for arg in step.args:
            if arg.name in waiting and not visit(waiting[arg.name]):
                return False
        state[name] = 2
        ordered.append(step)
        return True

    return tuple(ordered) if all(visit(step) for step in waiting.values()) else None


def rewritten(name: str, op: Operation, args: tuple[Var, ...], extra: tuple[Step, ...] = (), was: Step | None = None) -> Edit:
    """The edit that computes `name` by another operation; None where an earlier mistake changed the same line."""

    def edit(backward: Pass) -> Pass | None:
        step = backward.step(name)
        if step is None or (was is not None and (step.op, step.args) != (was.op, was.args)):
            return None
        known = {other.target.name for other in backward.steps}
        fresh = tuple(other for other in extra if other.target.name not in known)
        steps = in_order((*fresh, *(replace(other, op=op, args=args) if other is step else other for other in backward.steps)))
        return None if steps is None else replace(backward, steps=steps)

    return edit


def reading(name: str, position: int, instead: Var, extra: tuple[Step, ...] = ()) -> Edit:
    """The edit that reads another variable in one place of the line of `name`."""

    def edit(backward: Pass) -> Pass | None:
        step = backward.step(name)
        if step is None or len(step.args) <= position or step.args[position] == instead:
            return None
        args = (*step.args[:position], instead, *step.args[position + 1 :])
        return rewritten(name, step.op, args, extra)(backward)

    return edit


def together(*edits: Edit) -> Edit:
    """All edits, one after the other; None where one of them cannot be made."""

    def edit(backward: Pass) -> Pass | None:
        changed: Pass | None = backward
        for one in edits:
            changed = one(changed) if changed is not None else None
        return changed

    return edit


def marked(var: Var, mark: str) -> Var:
    """The value of another time step."""
    return replace(var, name=f"{var.name}{mark}")


_MARKS = {
    LAST: "of the last step",
    NEXT: "of the next step",
    BEFORE: "of the step before",
    EARLIER: "of the step before",
    WRAPPED: "[t - 1], wrapped",
    OVERWRITTEN: "overwritten by the last",
    OVERWRITTEN_LATER: "overwritten by the last",
    ONLY_LAST: "at the last step alone",
    WITHOUT_LAST: "but not at the last step",
    WITHOUT_FIRST: "but not at the first step",
}


def text(backward: Pass, name: str) -> str:
    """The line that computes a named gradient, values without a name written out: d_a_o = d_o * sigmoid'(a_o)."""
    steps = {step.target.name: step for step in backward.steps}
    return f"{name} = {_spelt(steps, steps[name])}" if name in steps else name


def _spelt(steps: dict[str, Step], step: Step) -> str:
    args = [_argument(steps, arg) for arg in step.args]
    for kind, spell in _SPELLINGS.items():
        if isinstance(step.op, kind):
            return spell(step.op, args)
    return f"{step.op}({', '.join(args)})"


def _argument(steps: dict[str, Step], arg: Var) -> str:
    step = steps.get(arg.name)
    if step is not None and not arg.name.startswith("d_"):
        inner = _spelt(steps, step)
        return f"({inner})" if isinstance(step.op, Add) and len(step.args) > 1 else inner
    plain, mark, when = arg.name.partition("@")
    return f"{plain} {_MARKS[mark + when]}" if mark else plain


def _sum(op: Operation, args: list[str]) -> str:
    factors = op.factors if isinstance(op, Add) else ()
    terms = [
        ("" if k in (1, -1) else f"{abs(k)} ") + arg if number == 0 and k > 0 else f"{'-' if k < 0 else '+'} {arg}"
        for number, (k, arg) in enumerate(zip(factors, args, strict=True))
    ]
    return " ".join(terms) or "0"


def _slope(op: Operation, args: list[str]) -> str:
    function = getattr(op, "function", None)
    expression = output_slope(function)
    if expression is None:
        return f"{activations.of(function).name}'({args[0]})"
    return "(" + str(expression).replace("y", args[1]).replace("**", "^") + ")"


_SPELLINGS: dict[type[Operation], Callable[..., str]] = {
    Add: _sum,
    Hadamard: lambda op, args: " * ".join(args),
    Scale: lambda op, args: " * ".join(args),
    Quotient: lambda op, args: " / ".join(args),
    Dot: lambda op, args: f"{args[0]}^T {args[1]}",
    Matmul: lambda op, args: " ".join(args),
    Transpose: lambda op, args: f"{args[0]}^T",
    Outer: lambda op, args: f"{args[0]} ({args[1]})^T" if " " in args[1] else f"{args[0]} {args[1]}^T",
    ReduceSum: lambda op, args: f"sum over time of {args[0]}" if op.over_steps else f"sum of {args[0]}",
    Map: lambda op, args: f"{activations.of(op.function).name}({args[0]})",
    Slope: _slope,
    OutputSlope: lambda op, args: "(" + str(output_slope(op.function)).replace("y", args[0]).replace("**", "^") + ")",
    Formula: lambda op, args: "(" + str(op.expression).replace("y", args[0]).replace("**", "^") + ")",
    Clip: lambda op, args: f"clip({args[0]}, {op.limit:g})",
    ClipNorm: lambda op, args: f"clip by norm({args[0]}, {op.limit:g})",
}

ONE = sp.S.One
