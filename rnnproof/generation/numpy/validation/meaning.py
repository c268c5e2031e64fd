"""What a lowered Program says: the value of each of its variables, as a term."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from rnnproof.calculus.adjoint_operations import Pad
from rnnproof.calculus.operations import Concat, Constant, Slice
from rnnproof.calculus.program import Program, Step
from rnnproof.calculus.variables import Var
from rnnproof.generation.lowered import Fill, Repeat, Select, Ufunc
from rnnproof.generation.numpy.validation.symbolic_values import Terms, Value

COMMUTATIVE = frozenset({"add", "multiply"})


def values(program: Program, terms: Terms, inputs: Mapping[Var, Value]) -> dict[Var, Value]:
    """The value of every variable of a Program, from those of its inputs."""
    computed = dict(inputs)
    for step in program.steps:
        arguments = [computed[arg] for arg in step.args]
        value = _MEANINGS[step.op.name](_Step(terms, step, extent(terms, step.target)), *arguments)
        computed[step.target] = value
        terms.names.setdefault(value, step.target.name)
    return computed


def leaf(terms: Terms, role: str, key: str, var: Var) -> Value:
    """The value of an input of a Program."""
    value = terms.value(extent(terms, var), role, key)
    terms.names.setdefault(value, var.name)
    return value


def extent(terms: Terms, var: Var) -> tuple[int, int]:
    """(rows, columns) of a variable as an array."""
    rows, columns = (*var.shape, sp.S.One, sp.S.One)[:2]
    return terms.extents.of(rows), terms.extents.of(columns)


def elementwise(name: str, operands: list[Value | float]) -> tuple[Any, ...]:
    """The key of a NumPy function of arrays and numbers, entry by entry."""
    if name in COMMUTATIVE:
        operands = sorted(operands, key=lambda operand: (isinstance(operand, float), operand))
    return ("ufunc", name, *operands)


class _Step:
    """A step with what its meaning is written with."""

    def __init__(self, terms: Terms, step: Step, shape: tuple[int, int]) -> None:
        self.terms, self.step, self.shape = terms, step, shape
        self.of = terms.extents.of

    def new(self, *key: Any) -> Value:
        return self.terms.value(self.shape, *key)


def _ufunc(s: _Step, *arguments: Value) -> Value:
    op = s.step.as_op(Ufunc)
    return s.new(*elementwise(op.function, [arguments[o] if isinstance(o, int) else float(o) for o in op.operands]))


def _select(s: _Step, *arguments: Value) -> Value:
    op = s.step.as_op(Select)
    branches = [arguments[o] if isinstance(o, int) else float(o) for o in op.operands]
    return s.new("where", op.relation, float(op.threshold), arguments[0], *branches)


def _repeat(s: _Step, scalar: Value) -> Value:
    number = float(s.step.as_op(Repeat).number)
    product = s.terms.value((1, 1), *elementwise("multiply", [scalar, number]))
    return product if s.shape[0] == 1 else s.terms.uniform(s.shape[0], "repeat", product)


def _concat(s: _Step, *arguments: Value) -> Value:
    if s.step.target.per_sample:
        return s.terms.join(segment for argument in arguments for segment in argument)
    return s.new("concat", s.step.as_op(Concat).axis, *arguments)


def _slice(s: _Step, argument: Value) -> Value:
    op = s.step.as_op(Slice)
    start, stop = s.of(op.start), s.of(op.stop)
    if s.step.target.per_sample:
        return s.terms.part(argument, start, stop)
    return s.new("slice", op.axis, start, stop, argument)


def _pad(s: _Step, argument: Value) -> Value:
    op = s.step.as_op(Pad)
    before = s.of(op.start)
    after = s.of(op.extent) - before - s.of(s.step.args[0].shape[op.axis])
    if s.step.target.per_sample:
        return s.terms.join((*s.terms.zeros(before), *argument, *s.terms.zeros(after)))
    return s.new("pad", op.axis, before, after, argument)


def _reduce_sum(s: _Step, argument: Value) -> Value:
    over = "steps" if len(s.step.args[0].shape) == 2 else "batch" if s.step.target.per_step else "all"
    return s.new("total", over, argument)


def _constant(s: _Step) -> Value:
    return s.new("full", *s.shape, float(s.step.as_op(Constant).number))


def _outer(s: _Step, left: Value, right: Value) -> Value:
    rows = s.terms.rows(right)
    return s.new("matmul", left, s.terms.value((1, rows), "transpose", right))


_MEANINGS: dict[str, Callable[..., Value]] = {
    "matmul": lambda s, left, right: s.new("matmul", left, right),
    "ufunc": _ufunc,
    "select": _select,
    "erf": lambda s, argument: s.new("erf", argument),
    "normal": lambda s, argument: s.new("normal", argument),
    "fill": lambda s, _: s.terms.uniform(s.shape[0], "fill", float(s.step.as_op(Fill).number)),
    "repeat": _repeat,
    "copy": lambda s, argument: argument,
    "spread": lambda s, argument: argument,
    "sum": lambda s, argument: s.new("sum", 2 if len(s.step.args[0].shape) == 2 else 1, argument),
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "transpose": lambda s, argument: s.new("transpose", argument),
    "reduce_sum": _reduce_sum,
    "outer": _outer,
    "rows": lambda s, argument: s.new("rows", argument),
    "columns": lambda s, argument: s.new("columns", argument),
    "outer_sum": lambda s, left, right: s.new("batch_total", left, right),
    "constant": _constant,
    "identity": lambda s: s.new("eye", s.shape[0]),
}
