"""Short constructors for the matrix expressions that a person would write, and the nodes SymPy lacks.

Nothing is evaluated, so factors and terms keep their order.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.calculus.variables import Shape
from rnnproof.equations import activations, expressions


class OpenJacobian(sp.MatrixExpr):
    """J_f(x): the Jacobian of an open function, `rows` by the length of its argument."""

    def __new__(cls, name: str | sp.Symbol, argument: Any, rows: Any) -> Any:
        label = sp.Symbol(name) if isinstance(name, str) else name
        return sp.Basic.__new__(cls, label, argument, rows)

    @property
    def name(self) -> str:
        return str(self.args[0].name)

    @property
    def argument(self) -> Any:
        return self.args[1]

    @property
    def shape(self) -> tuple[Any, Any]:
        return (self.args[2], size(self.argument))


class StepSum(sp.MatrixExpr):
    """The sum of a formula over all steps."""

    def __new__(cls, summand: Any) -> Any:
        return sp.Basic.__new__(cls, summand)

    @property
    def shape(self) -> tuple[Any, Any]:
        return expressions_shape(self.args[0])


class ScalarStepSum(sp.Expr):
    """The sum of a scalar formula over all steps."""

    is_commutative = True

    def __new__(cls, summand: Any) -> Any:
        return sp.Basic.__new__(cls, summand)


class Prime(sp.Function):
    """f' of a registered activation, kept as a name; `definition` is what SymPy found it to be."""

    base: Any = None

    @property
    def definition(self) -> Any:
        slope: Any = activations.derivative(self.base).of_input
        return slope.subs(activations.X, self.args[0])


@cache
def prime(function: Any) -> Any:
    """The derivative of an activation as a function of its own."""
    name = activations.of(function).name
    place = {"__module__": __name__, "__qualname__": f"primes.{name}"}
    return type(f"{name}_prime", (Prime,), {"base": function, "nargs": 1, **place})


class _Primes:
    """The derivatives by their activations' names as attributes, where pickle looks for them."""

    def __getattr__(self, name: str) -> Any:
        entry = activations.find(name)
        if entry is None:
            raise AttributeError(f"activation {name!r} is not registered; call rnnproof.activation(name, expression) first")
        return prime(entry.function)


primes = _Primes()


def slope(function: Any, before: Any, after: Any) -> Any:
    """f'(x) elementwise: factors in y = f(x) where a polynomial in y says it (tanh: 1 - y^2), else f'(x)."""
    of_output = activations.derivative(function).of_output
    if of_output is None or not of_output.is_polynomial(activations.Y):
        return expressions.apply(prime(function), before)
    return hadamard(*(elementwise(factor, after) for factor in positive_factors(of_output)))


def positive_factors(expression: Any) -> list[Any]:
    """The factors of a scalar expression, a leading minus sign moved into a sum: -y(y - 1) is y, 1 - y."""
    factors = list(sp.Mul.make_args(expression))
    sums = [factor for factor in factors if isinstance(factor, sp.Add)]
    if sp.S.NegativeOne in factors and sums:
        factors.remove(sp.S.NegativeOne)
        factors[factors.index(sums[0])] = -sums[0]
    return factors


def elementwise(expression: Any, argument: Any) -> Any:
    """A scalar expression in Y applied to every entry of `argument`."""
    if not getattr(argument, "is_Matrix", False):
        return expression.subs(activations.Y, argument)
    if expression == activations.Y:
        return argument
    if not expression.has(activations.Y):
        return scaled(expression, sp.OneMatrix(*argument.shape))
    return ElementwiseApplyFunction(sp.Lambda(activations.Y, expression), argument)


def size(value: Any) -> Any:
    """The number of rows; 1 for a scalar."""
    return value.shape[0] if getattr(value, "is_Matrix", False) else sp.S.One


def expressions_shape(value: Any) -> tuple[Any, Any]:
    """(rows, columns); (1, 1) for a scalar."""
    return value.shape if getattr(value, "is_Matrix", False) else (sp.S.One, sp.S.One)


def symbol(tex: str, shape: Shape) -> Any:
    """A symbol printed as `tex`: a scalar, a column or a matrix."""
    if not shape:
        return sp.Symbol(tex, real=True)
    return sp.MatrixSymbol(tex, *(shape if len(shape) == 2 else (*shape, 1)))


def _flat(kind: Any, values: tuple[Any, ...]) -> list[Any]:
    return [part for value in values for part in (value.args if isinstance(value, kind) else (value,))]


def _is_matrix(value: Any) -> bool:
    return bool(getattr(value, "is_Matrix", False))


def add(*terms: Any) -> Any:
    """The sum, in order."""
    flat = _flat(sp.MatAdd | sp.Add, terms)
    if len(flat) == 1:
        return flat[0]
    return expressions.add(*flat) if any(map(_is_matrix, flat)) else sp.Add(*flat, evaluate=False)


def multiply(*factors: Any) -> Any:
    """The matrix product or scaling, in order, without ones and identities."""
    flat = [factor for factor in _flat(sp.MatMul | sp.Mul, factors) if factor != 1]
    others = [factor for factor in flat if not isinstance(factor, sp.Identity)]
    if not any(map(_is_matrix, others)):
        others += [factor for factor in flat if isinstance(factor, sp.Identity)][:1]
    if len(others) <= 1:
        return others[0] if others else sp.S.One
    return expressions.multiply(*others) if any(map(_is_matrix, others)) else sp.Mul(*others, evaluate=False)


def scaled(number: Any, value: Any) -> Any:
    """number * value, a number joining the number already in front."""
    if isinstance(value, sp.MatMul | sp.Mul) and value.args[0].is_number and number.is_number:
        return multiply(number * value.args[0], *value.args[1:])
    return value if number == 1 else multiply(number, value)


def hadamard(*factors: Any) -> Any:
    """The elementwise product, in order; the ordinary one for scalars."""
    if not any(map(_is_matrix, factors)):
        return multiply(*factors)
    flat = _flat(sp.HadamardProduct, factors)
    others = [factor for factor in flat if not isinstance(factor, sp.OneMatrix)]
    return expressions.hadamard(*others) if others else flat[0]


def quotient(over: Any, under: Any) -> Any:
    """The quotient entry by entry; the ordinary one for scalars."""
    return expressions.Quotient(over, under) if _is_matrix(under) else multiply(over, sp.Pow(under, -1))


def one_like(value: Any) -> Any:
    """One, or an array of ones of the value's shape."""
    return sp.OneMatrix(*value.shape) if _is_matrix(value) else sp.S.One


def transpose(value: Any) -> Any:
    """The transposed; twice is none."""
    if not _is_matrix(value):
        return value
    return value.arg if isinstance(value, sp.Transpose) else sp.Transpose(value)
