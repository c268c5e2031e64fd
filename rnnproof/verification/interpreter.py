"""A Cell's equations evaluated as they stand, over any NumPy-like namespace: the oracles' own reading of the mathematics.

It shares nothing with `rnnproof.calculus` or the generated code: an activation is evaluated from its SymPy definition, a
matrix product by the namespace's `matmul`. Every value is a stack of matrices (batch, rows, columns), batch 1 where it does
not depend on the data, so one set of rules serves parameters and data alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.relational import Relational
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell
from rnnproof.errors import BindError, EquationError
from rnnproof.verification.sample import Sample, measure

Environment = Mapping[Any, Any]


def erf(value: Any) -> Any:
    """The error function of real NumPy arrays, entry by entry, in the array's own dtype."""
    array = np.asarray(value)
    return np.array([math.erf(entry) for entry in array.ravel().tolist()], dtype=array.dtype).reshape(array.shape)


@dataclass(frozen=True)
class Namespace:
    """Arrays to compute with: a NumPy-like module and the error function it lacks."""

    numpy: Any = np
    erf: Callable[[Any], Any] = erf


@dataclass
class Interpreter:
    """Evaluates one Cell in one namespace at given sizes.

    `watch(function, value)` is told every argument of an activation that has kinks. Raises BindError for a function left
    open and EquationError for an expression it has no rule for.
    """

    cell: Cell
    sizes: Mapping[str, int]
    namespace: Namespace = field(default_factory=Namespace)
    dtype: Any = np.float64
    watch: Callable[[Any, Any], None] | None = None

    @cached_property
    def bodies(self) -> dict[str, Any]:
        return {body.name: body for body in self.cell.bodies}

    def step(self, params: Mapping[str, Any], x: Any | None, states: Mapping[str, Any]) -> dict[str, Any]:
        """New states (B, ...) from this step's parameters, input (B, input) and old states (B, ...)."""
        env: dict[Any, Any] = {}
        for parameter in self.cell.parameters:
            env[parameter.symbol] = params[parameter.name].reshape((1, *self.extent(parameter.symbol)))
        for symbol in self.cell.inputs:
            env[symbol] = self._data(symbol, x[symbol.name] if isinstance(x, dict) else x)
        for state in self.cell.states:
            if state.old is not None:
                env[state.old] = self._data(state.old, states[state.name])
        for equation in self.cell.equations:
            env[equation.symbol] = self.evaluate(equation.expression, env)
        new = {}
        for state in self.cell.states:
            old = states[state.name]
            rows, columns = self.extent(state.new)
            spread = env[state.new] + self.namespace.numpy.zeros((old.shape[0], 1, 1), dtype=old.dtype)
            new[state.name] = spread.reshape((old.shape[0], rows) if columns == 1 else (old.shape[0], rows, columns))
        return new

    def _data(self, symbol: Any, value: Any) -> Any:
        return value.reshape((value.shape[0], *self.extent(symbol)))

    def extent(self, symbol: Any) -> tuple[int, int]:
        """(rows, columns) of a symbol as numbers."""
        rows, columns = expressions.shape_of(symbol)
        return measure(str(rows), self.sizes), measure(str(columns), self.sizes)

    def evaluate(self, node: Any, env: Environment) -> Any:
        """The value of an expression: a number, or a stack (batch, rows, columns)."""
        for kind in type(node).__mro__:
            if kind in RULES:
                return RULES[kind](self, node, env)
        raise EquationError(
            f"{node}: the oracles have no rule for {type(node).__name__}; write it with the functions of "
            "rnnproof.equations.activations, or register one with rnnproof.activation(name, expression)"
        )

    def operands(self, node: Any, env: Environment) -> list[Any]:
        return [self.evaluate(child, env) for child in expressions.children(node)]


Rule = Callable[[Interpreter, Any, Environment], Any]


def _symbol(run: Interpreter, node: Any, env: Environment) -> Any:
    return env[node]


def _number(run: Interpreter, node: Any, env: Environment) -> Any:
    return int(node) if node.is_Integer else float(node)


def _sum(run: Interpreter, node: Any, env: Environment) -> Any:
    return reduce(lambda left, right: left + right, run.operands(node, env))


def _product(run: Interpreter, node: Any, env: Environment) -> Any:
    return reduce(lambda left, right: left * right, run.operands(node, env))


def _power(run: Interpreter, node: Any, env: Environment) -> Any:
    base, exponent = run.operands(node, env)
    if isinstance(exponent, int) and exponent < 0:
        return 1.0 / base**-exponent
    return base**exponent


def _matmul(run: Interpreter, node: Any, env: Environment) -> Any:
    scale: list[Any] = []
    matrices: list[Any] = []
    for child in node.args:
        (matrices if getattr(child, "is_Matrix", False) else scale).append(run.evaluate(child, env))
    return reduce(lambda left, right: right * left, scale, reduce(run.namespace.numpy.matmul, matrices))


def _transpose(run: Interpreter, node: Any, env: Environment) -> Any:
    return run.namespace.numpy.swapaxes(run.operands(node, env)[0], -1, -2)


def _dot(run: Interpreter, node: Any, env: Environment) -> Any:
    left, right = run.operands(node, env)
    return run.namespace.numpy.sum(left * right, axis=-2, keepdims=True)


def _concatenate(run: Interpreter, node: Any, env: Environment) -> Any:
    blocks = run.operands(node, env)
    xp = run.namespace.numpy
    batch = max(block.shape[0] for block in blocks)
    return xp.concatenate([block + xp.zeros((batch, 1, 1), dtype=block.dtype) for block in blocks], axis=-2)


def _quotient(run: Interpreter, node: Any, env: Environment) -> Any:
    over, under = run.operands(node, env)
    return over / under


def _elementwise(run: Interpreter, node: Any, env: Environment) -> Any:
    (bound,) = node.function.variables
    return run.evaluate(node.function.expr, {bound: run.evaluate(node.expr, env)})


def _open(run: Interpreter, node: Any, env: Environment) -> Any:
    if node.name not in run.bodies:
        raise BindError(f"{node.name} has no body; give it one with rnnproof.bind(cell, {node.name}=r'\\tanh(W o + b)')")
    body = run.bodies[node.name]
    return run.evaluate(body.expression, {**env, body.argument: run.evaluate(node.argument, env)})


def _activation(run: Interpreter, node: Any, env: Environment) -> Any:
    (value,) = run.operands(node, env)
    if run.watch is not None:
        run.watch(type(node), value)
    return run.evaluate(activations.of(type(node)).definition, {activations.X: value})


def _piecewise(run: Interpreter, node: Any, env: Environment) -> Any:
    """Nested selections, the last branch innermost."""
    value: Any = math.nan
    for expression, condition in reversed(node.args):
        here = run.evaluate(expression, env)
        value = here if condition == sp.true else run.namespace.numpy.where(run.evaluate(condition, env), here, value)
    return value


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _comparison(run: Interpreter, node: Any, env: Environment) -> Any:
    return _COMPARISONS[node.rel_op](run.evaluate(node.lhs, env), run.evaluate(node.rhs, env))


def _logical(operation: str) -> Rule:
    def rule(run: Interpreter, node: Any, env: Environment) -> Any:
        return reduce(getattr(run.namespace.numpy, operation), [run.evaluate(child, env) for child in node.args])

    return rule


def _numpy(operation: str) -> Rule:
    def rule(run: Interpreter, node: Any, env: Environment) -> Any:
        return getattr(run.namespace.numpy, operation)(*run.operands(node, env))

    return rule


def _filled(operation: str) -> Rule:
    def rule(run: Interpreter, node: Any, env: Environment) -> Any:
        return getattr(run.namespace.numpy, operation)((1, *run.extent(node)), dtype=run.dtype)

    return rule


def _identity(run: Interpreter, node: Any, env: Environment) -> Any:
    return run.namespace.numpy.eye(run.extent(node)[0], dtype=run.dtype).reshape((1, *run.extent(node)))


def _erf(run: Interpreter, node: Any, env: Environment) -> Any:
    return run.namespace.erf(run.operands(node, env)[0])


# Looked up along the node's class and its bases, so that Function stands for every registered activation.
RULES: dict[type, Rule] = {
    sp.MatrixSymbol: _symbol,
    sp.Symbol: _symbol,
    sp.Number: _number,
    sp.NumberSymbol: _number,
    sp.Add: _sum,
    sp.Mul: _product,
    sp.Pow: _power,
    sp.MatAdd: _sum,
    sp.HadamardProduct: _product,
    expressions.Quotient: _quotient,
    sp.MatMul: _matmul,
    sp.Transpose: _transpose,
    sp.BlockMatrix: _concatenate,
    sp.Identity: _identity,
    sp.OneMatrix: _filled("ones"),
    sp.ZeroMatrix: _filled("zeros"),
    expressions.Dot: _dot,
    expressions.OpenFunction: _open,
    ElementwiseApplyFunction: _elementwise,
    sp.Piecewise: _piecewise,
    Relational: _comparison,
    sp.And: _logical("logical_and"),
    sp.Or: _logical("logical_or"),
    sp.exp: _numpy("exp"),
    sp.log: _numpy("log"),
    sp.tanh: _numpy("tanh"),
    sp.sinh: _numpy("sinh"),
    sp.cosh: _numpy("cosh"),
    sp.sin: _numpy("sin"),
    sp.cos: _numpy("cos"),
    sp.atan: _numpy("arctan"),
    sp.Abs: _numpy("abs"),
    sp.sign: _numpy("sign"),
    sp.Max: _numpy("maximum"),
    sp.Min: _numpy("minimum"),
    sp.erf: _erf,
    sp.Function: _activation,
}


@dataclass(frozen=True)
class Survey:
    """What a run of the equations at a point met: the largest state, the nearest kink and the activation it belongs to."""

    largest: float
    distance: float = math.inf
    name: str = ""


def survey(cell: Cell, point: Sample) -> Survey:
    """Run the equations at a point and look around.

    Activations known to the registry only: a kink of a bare `Abs` or `Max` is left to the central differences, which find it
    by themselves.
    """
    nearest: list[tuple[float, str]] = [(math.inf, "")]

    def watch(function: Any, value: Any) -> None:
        for at in activations.kinks(function):
            nearest.append((float(np.min(np.abs(np.asarray(value) - at))), activations.of(function).name))

    # fmax would pass over a NaN, and a NaN is as good as infinite here
    largest = max(float(np.max(np.nan_to_num(np.abs(value), nan=np.inf))) for value in states(cell, point, watch).values())
    return Survey(largest, *min(nearest))


def states(cell: Cell, point: Sample, watch: Callable[[Any, Any], None] | None = None) -> dict[str, Any]:
    """Every state (T, B, ...) of the equations at a point, in NumPy."""
    run = Interpreter(cell, point.sizes, watch=watch)
    now, history = dict(point.initial), []
    with np.errstate(all="ignore"):
        for t in range(point.steps):
            now = run.step(point.at(t), point.x(t), now)
            history.append(now)
    return {name: np.stack([values[name] for values in history]) for name in now}
