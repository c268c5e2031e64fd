"""What a lowered Program says: the value of each of its variables, as a term."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from rnnproof.derivation.program import Program, Step, Var
from rnnproof.generation.validation.symbolic_values import Terms, Value

COMMUTATIVE = frozenset({"add", "multiply"})


def values(program: Program, terms: Terms, inputs: Mapping[Var, Value]) -> dict[Var, Value]:
    """The value of every variable of a Program, from those of its inputs."""
    computed = dict(inputs)
    for step in program.steps:
        arguments = [computed[arg] for arg in step.args]
        value = _MEANINGS[step.op](_Step(terms, step, extent(terms, step.target)), *arguments)
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
        self.terms, self.attr, self.step, self.shape = terms, step.attr, step, shape
        self.of = terms.extents.of

    def new(self, *key: Any) -> Value:
        return self.terms.value(self.shape, *key)


def _ufunc(s: _Step, *arguments: Value) -> Value:
    name, operands = s.attr
    return s.new(*elementwise(name, [arguments[o] if isinstance(o, int) else float(o) for o in operands]))


def _select(s: _Step, *arguments: Value) -> Value:
    relation, threshold, operands = s.attr
    branches = [arguments[o] if isinstance(o, int) else float(o) for o in operands]
    return s.new("where", relation, float(threshold), arguments[0], *branches)


def _repeat(s: _Step, scalar: Value) -> Value:
    number = float(s.attr)
    product = s.terms.value((1, 1), *elementwise("multiply", [scalar, number]))
    return product if s.shape[0] == 1 else s.terms.uniform(s.shape[0], "repeat", product)


def _concat(s: _Step, *arguments: Value) -> Value:
    if s.step.target.per_sample:
        return s.terms.join(segment for argument in arguments for segment in argument)
    return s.new("concat", s.attr, *arguments)


def _slice(s: _Step, argument: Value) -> Value:
    axis, start, stop = s.attr
    if s.step.target.per_sample:
        return s.terms.part(argument, s.of(start), s.of(stop))
    return s.new("slice", axis, s.of(start), s.of(stop), argument)


def _place(s: _Step, argument: Value) -> Value:
    axis, start, total = s.attr
    before = s.of(start)
    after = s.of(total) - before - s.of(s.step.args[0].shape[axis])
    if s.step.target.per_sample:
        return s.terms.join((*s.terms.zeros(before), *argument, *s.terms.zeros(after)))
    return s.new("pad", axis, before, after, argument)


def _total(s: _Step, argument: Value) -> Value:
    over = "steps" if len(s.step.args[0].shape) == 2 else "batch" if s.step.target.per_step else "all"
    return s.new("total", over, argument)


def _constant(s: _Step) -> Value:
    kind = s.attr[0]
    if kind == "identity":
        return s.new("eye", s.shape[0])
    number = {"one": 1.0, "zero": 0.0}[kind] if isinstance(kind, str) else float(kind)
    return s.new("full", *s.shape, number)


def _outer(s: _Step, left: Value, right: Value) -> Value:
    rows = s.terms.rows(right)
    return s.new("matmul", left, s.terms.value((1, rows), "transpose", right))


_MEANINGS: dict[str, Callable[..., Value]] = {
    "matmul": lambda s, left, right: s.new("matmul", left, right),
    "ufunc": _ufunc,
    "select": _select,
    "erf": lambda s, argument: s.new("erf", argument),
    "normal": lambda s, argument: s.new("normal", argument),
    "fill": lambda s, _: s.terms.uniform(s.shape[0], "fill", float(s.attr)),
    "repeat": _repeat,
    "copy": lambda s, argument: argument,
    "spread": lambda s, argument: argument,
    "sum": lambda s, argument: s.new("sum", 2 if len(s.step.args[0].shape) == 2 else 1, argument),
    "concat": _concat,
    "slice": _slice,
    "place": _place,
    "transpose": lambda s, argument: s.new("transpose", argument),
    "total": _total,
    "outer": _outer,
    "rows": lambda s, argument: s.new("rows", argument),
    "columns": lambda s, argument: s.new("columns", argument),
    "batch_total": lambda s, left, right: s.new("batch_total", left, right),
    "constant": _constant,
}
