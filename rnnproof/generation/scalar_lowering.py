"""Scalar expressions -> sequences of ufuncs: a row for each form, written so that it overflows late and keeps its digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import sympy as sp

from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.variables import Var
from rnnproof.equations import activations
from rnnproof.equations.activations import X
from rnnproof.generation.lowered import Erf, Normal, Select

Operand = Var | float


class Lowering(Protocol):
    """What writes the steps."""

    def emit(self, op: Operation, args: tuple[Var, ...], target: Var | None = None) -> Var: ...

    def ufunc(self, name: str, *operands: Operand, target: Var | None = None) -> Var: ...

    def scalar(self, node: Any, env: dict[Any, Var], target: Var | None = None) -> Operand: ...

    def expression(self, node: Any, env: dict[Any, Var], target: Var) -> None: ...


def shortest(node: Any) -> Any:
    """The form with the fewest operations: y - y**2 rather than -y*(y - 1)."""
    if isinstance(node, sp.Piecewise):
        return sp.Piecewise(*((shortest(branch), condition) for branch, condition in node.args))
    return min((node, sp.expand(node)), key=sp.count_ops)


def _fold(name: str) -> Callable[..., Operand]:
    def write(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
        numbers = [arg for arg in node.args if arg.is_number]
        rest = sorted((arg for arg in node.args if not arg.is_number), key=sp.default_sort_key)
        total = node.func(*numbers)
        operands: list[tuple[str, Operand]] = []
        for arg in rest:
            negative = name == "add" and arg.could_extract_minus_sign()
            inverse = name == "multiply" and arg.is_Pow and arg.exp.is_negative
            plain = -arg if negative else 1 / arg if inverse else arg
            operator = "subtract" if negative else "divide" if inverse else name
            operands.append((operator, lowering.scalar(plain, env)))
        operands.sort(key=lambda pair: pair[0] != name)
        neutral = 0 if name == "add" else 1
        flip = name == "multiply" and total == -1 and len(operands) > 0
        result: Operand = float(total) if total != neutral and not flip else operands.pop(0)[1]
        if operands and isinstance(result, float) and operands[0][0] == name:
            # a number goes second, so that the step can be done in place, and no product overflows that it makes smaller
            number, (_, result) = result, operands.pop(0)
            operands.insert(0, (name, number) if number >= 0 or name != "add" else ("subtract", -number))
        for position, (operator, operand) in enumerate(operands):
            into = target if position == len(operands) - 1 and not flip else None
            result = lowering.ufunc(operator, result, operand, target=into)
        return lowering.ufunc("negative", result, target=target) if flip else result

    return write


def _power(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    base = lowering.scalar(node.base, env)
    if node.exp.is_Integer and node.exp > 0:
        result = base
        for position in range(int(node.exp) - 1):
            result = lowering.ufunc("multiply", result, base, target=target if position == node.exp - 2 else None)
        return result
    if node.exp == sp.S.Half:
        return lowering.ufunc("sqrt", base, target=target)
    if node.exp.is_negative:
        return lowering.ufunc("divide", 1.0, lowering.scalar(1 / node, env), target=target)
    return lowering.ufunc("power", base, float(node.exp), target=target)


def _call(name: str) -> Callable[..., Operand]:
    def write(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
        return lowering.ufunc(name, lowering.scalar(node.args[0], env), target=target)

    return write


def _sigmoid(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    """One function, the module's own: (1 + tanh(x/2))/2 would have no digits left far below 0."""
    return lowering.ufunc("sigmoid", lowering.scalar(node.args[0], env), target=target)


def _softplus(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(min(x, -x))) never overflows; min and max by the real part keep it analytic."""
    inner = next(arg for arg in node.args[0].args if not arg.is_number).args[0]
    value = lowering.scalar(inner, env)
    smaller = lowering.ufunc("minimum", value, lowering.ufunc("negative", value))
    tail = lowering.ufunc("log1p", lowering.ufunc("exp", smaller))
    return lowering.ufunc("add", lowering.ufunc("maximum", value, 0.0), tail, target=target)


def _expm1(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    factor, exponential = next(arg for arg in node.args if not arg.is_number).as_coeff_Mul()
    less_one = lowering.ufunc("expm1", lowering.scalar(exponential.args[0], env), target=target if factor == 1 else None)
    return less_one if factor == 1 else lowering.ufunc("multiply", less_one, float(factor), target=target)


class _NormalFunction(sp.Function):
    """1 + erf(x / sqrt(2)), which keeps its digits where erf is near -1."""

    nargs = 1


def _without_erf(node: Any) -> Any:
    """A sum with k + k erf(x / sqrt(2)) in it written k Normal(x), or None."""
    for term in node.args if node.is_Add else ():
        factor, function = term.as_coeff_Mul()
        if isinstance(function, sp.erf) and factor in node.args:
            rest = [other for other in node.args if other not in (term, factor)]
            return sp.Add(*rest, factor * _NormalFunction(sp.expand(function.args[0] * sp.sqrt(2))))
    return None


def _normal(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    value = lowering.scalar(node.args[0], env)
    if not isinstance(value, Var):
        raise AssertionError("a function of a number is a number")
    return lowering.emit(Normal(), (value,), target)


def _erf(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    value = lowering.scalar(node.args[0], env)
    if not isinstance(value, Var):
        raise AssertionError("erf of a number is a number")
    return lowering.emit(Erf(), (value,), target)


def _piecewise(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    """Every branch is computed for all arguments; one that could be infinite elsewhere gets them clamped to where it holds."""
    (then, condition), *rest = node.args
    if condition == sp.true:
        return lowering.scalar(then, env, target)
    if isinstance(condition, sp.Or):
        first, *others = condition.args
        tail = sp.Piecewise((then, sp.Or(*others)), *rest, evaluate=False)
        return _piecewise(lowering, sp.Piecewise((then, first), (tail, True), evaluate=False), env, target)
    symbol, threshold = condition.lhs, float(condition.rhs)
    other = rest[0][0] if rest[0][1] == sp.true else sp.Piecewise(*rest, evaluate=False)
    tested = env[symbol]
    if (then, other, condition) == (symbol, 0, symbol > 0):
        return lowering.ufunc("maximum", tested, 0.0, target=target)
    above = condition.rel_op in (">", ">=")
    values: list[Operand] = []
    for branch, upper in ((then, above), (other, not above)):
        inner = dict(env)
        if not all(leaf.is_polynomial(symbol) for leaf in _leaves(branch)):
            inner[symbol] = lowering.ufunc("maximum" if upper else "minimum", tested, threshold)
        values.append(lowering.scalar(branch, inner))
    args = tuple(dict.fromkeys((tested, *(value for value in values if isinstance(value, Var)))))
    spec = tuple(args.index(value) if isinstance(value, Var) else repr(value) for value in values)
    return lowering.emit(Select(condition.rel_op, repr(threshold), spec), args, target)


def _leaves(branch: Any) -> list[Any]:
    """The expressions of a branch that has branches itself."""
    if not isinstance(branch, sp.Piecewise):
        return [branch]
    return [leaf for inner, _ in branch.args for leaf in _leaves(inner)]


def _registered(lowering: Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    inner = lowering.scalar(node.args[0], env)
    definition = activations.of(node.func).definition
    if not isinstance(inner, Var):
        return float(definition.subs(X, inner))
    return lowering.scalar(definition, {X: inner}, target)


def _is_softplus(node: Any) -> bool:
    return isinstance(node, sp.log) and node.args[0].is_Add and _is_exp_plus(node.args[0], 1)


def _is_exp_plus(node: Any, number: int) -> bool:
    return node.is_Add and len(node.args) == 2 and number in node.args and any(isinstance(a, sp.exp) for a in node.args)


def _is_less_one(node: Any) -> bool:
    """Whether it is k exp(u) - k, which has no digits left near 0 where exp is taken first."""
    numbers = [arg for arg in node.args if arg.is_number] if node.is_Add and len(node.args) == 2 else []
    if len(numbers) != 1:
        return False
    factor, rest = next(arg for arg in node.args if not arg.is_number).as_coeff_Mul()
    return isinstance(rest, sp.exp) and factor == -numbers[0]


STABLE = {"sigmoid", "tanh", "exponential"}
_SIGMOID = activations.named("sigmoid")
PATTERNS: tuple[tuple[Callable[[Any], bool], Callable[..., Operand]], ...] = (
    (lambda node: isinstance(node, _SIGMOID), _sigmoid),
    (_is_softplus, _softplus),
    (lambda node: _is_less_one(node), _expm1),
    (lambda node: isinstance(node, sp.Piecewise), _piecewise),
    (lambda node: isinstance(node, sp.exp), _call("exp")),
    (lambda node: isinstance(node, sp.log), _call("log")),
    (lambda node: isinstance(node, sp.tanh), _call("tanh")),
    (lambda node: isinstance(node, sp.sin), _call("sin")),
    (lambda node: isinstance(node, sp.cos), _call("cos")),
    (lambda node: isinstance(node, sp.erf), _erf),
    (lambda node: isinstance(node, _NormalFunction), _normal),
    (lambda node: _without_erf(node) is not None, lambda lowering, node, *rest: lowering.scalar(_without_erf(node), *rest)),
    (lambda node: node.is_Add, _fold("add")),
    (lambda node: node.is_Mul, _fold("multiply")),
    (lambda node: node.is_Pow, _power),
    (lambda node: isinstance(node, sp.Function), _registered),
)
