"""A Program, evaluated directly: one step, one sample, plain NumPy, no schedule, no buffers. Slow and easy to believe."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.program import Program, Step
from rnnproof.calculus.variables import Var
from rnnproof.equations import activations
from rnnproof.equations.activations import X

SIZES = {"hidden": 3, "input": 2, "k": 4}


def size(expression: Any) -> int:
    return int(sp.sympify(expression).subs({s: SIZES[s.name] for s in sp.sympify(expression).free_symbols}))


def evaluate(program: Program, env: dict[Var, Any]) -> dict[Var, Any]:
    """All values of a Program, from its inputs' values."""
    values = dict(env)
    for step in program.steps:
        values[step.target] = MEANING[step.op.name](step, *(values[arg] for arg in step.args))
    return values


def draw(program: Program, seed: int) -> dict[Var, Any]:
    """Random values of the inputs; the same for the same role and key whatever else a Program reads."""
    values = {}
    for port in program.inputs:
        rng = np.random.default_rng([seed, *f"{port.role} {port.key}".encode()])
        values[port.var] = rng.normal(size=[size(s) for s in port.var.shape])
    return values


def _function(function: Any, x: Any) -> Any:
    definition = activations.of(function).definition
    return np.vectorize(lambda value: float(definition.subs(X, value).evalf()), otypes=[float])(x)


def _slope(function: Any, x: Any) -> Any:
    slope = sp.diff(activations.of(function).definition, X)
    return np.vectorize(lambda value: float(slope.subs(X, value).evalf()), otypes=[float])(x)


def _slice(step: Step, x: Any) -> Any:
    return np.take(x, range(size(step.op.start), size(step.op.stop)), axis=step.op.axis)


def _pad(step: Step, x: Any) -> Any:
    axis, start = step.op.axis, size(step.op.start)
    shape = list(x.shape)
    shape[axis] = size(step.op.extent)
    out = np.zeros(shape)
    out[(slice(None),) * axis + (slice(start, start + x.shape[axis]),)] = x
    return out


def _operands(step: Step, args: tuple[Any, ...]) -> list[Any]:
    return [args[operand] if isinstance(operand, int) else float(operand) for operand in step.op.operands]


def _ufunc(step: Step, *args: Any) -> Any:
    name = step.op.function
    function = getattr(np, name) if name != "sigmoid" else lambda x: 1 / (1 + np.exp(-x))
    return function(*_operands(step, args))


def _select(step: Step, *args: Any) -> Any:
    tests = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}
    return np.where(tests[step.op.relation](args[0], float(step.op.threshold)), *_operands(step, args))


MEANING: dict[str, Any] = {
    "matmul": lambda step, a, b: a @ b,
    "transpose": lambda step, a: a.T,
    "add": lambda step, *args: sum(float(k) * a for k, a in zip(step.op.factors, args, strict=True)),
    "scale": lambda step, s, x: s * x,
    "hadamard": lambda step, a, b: a * b,
    "quotient": lambda step, a, b: a / b,
    "map": lambda step, x: _function(step.op.function, x),
    "slope": lambda step, x, y: _slope(step.op.function, x),
    "concat": lambda step, *args: np.concatenate(args, axis=step.op.axis),
    "slice": _slice,
    "pad": _pad,
    "dot": lambda step, a, b: np.sum(a * b),
    "outer": lambda step, a, b: np.outer(a, b),
    "reduce_sum": lambda step, a: a,
    "constant": lambda step: np.full([size(s) for s in step.op.extents], float(step.op.number)),
    "identity": lambda step: np.eye(size(step.op.size)),
    "ufunc": _ufunc,
    "select": _select,
    "fill": lambda step, a: np.full(a.shape, float(step.op.number)),
    "copy": lambda step, a: a,
    "sum": lambda step, a: a.sum(),
    "normal": lambda step, a: np.vectorize(lambda x: __import__("math").erfc(-x / 2**0.5), otypes=[float])(a),
    "erf": lambda step, a: np.vectorize(__import__("math").erf, otypes=[float])(a),
    "outer_sum": lambda step, a, b: np.outer(a, b),
    "rows": lambda step, a: a[:, None],
    "columns": lambda step, a: a[None, :],
}
