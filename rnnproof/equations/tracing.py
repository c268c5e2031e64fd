"""A Python function written with NumPy or SymPy -> a registered activation: the function is called once, on a symbol.

Nothing is differentiated numerically or by tape: what comes out is an expression, and its derivative is SymPy's like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.equations import activations
from rnnproof.equations.activations import Activation, X
from rnnproof.errors import EquationError


def activation(function: Callable[[Any], Any]) -> Activation:
    """The activation that an elementwise function stands for; an equal one that is registered already, or a new one.

    Raises EquationError naming the function and what in it has no expression.
    """
    definition = expression(function)
    for name in activations.names():
        known = activations.find(name)
        if known is not None and known.definition == definition:
            return known
    wanted = re.sub(r"\W+", "_", getattr(function, "__name__", "")).strip("_")
    wanted = wanted if re.match(r"[A-Za-z]", wanted) and wanted != "lambda" else "activation"
    name, number = wanted, 1
    while activations.find(name) is not None:
        number += 1
        name = f"{wanted}_{number}"
    return activations.activation(name, definition)


def expression(function: Callable[[Any], Any]) -> sp.Expr:
    """The function's expression in `activations.X`. Raises EquationError for what cannot be traced."""
    name = getattr(function, "__name__", repr(function))
    try:
        traced = sp.piecewise_fold(_expression(function(_Traced(X))))
    except EquationError as error:
        raise EquationError(f"activation {name}: {error}") from None
    except Exception as error:  # whatever a function not written for symbols raises, the cure is the same
        raise EquationError(f"activation {name}: {type(error).__name__}: {error}; {_CURE}") from error
    if not isinstance(traced, sp.Expr) or traced.free_symbols != {X}:
        raise EquationError(f"activation {name}: it gives {traced}, not an expression of its argument; {_CURE}")
    return traced


_CURE = (
    "write it with + - * / **, np.exp, np.log, np.tanh, np.abs, np.maximum, np.minimum, np.clip, np.where, or with SymPy, "
    "or register it with rnnproof.activation(name, expression)"
)


class _Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for the array: NumPy's functions and operators on it build an expression."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def _sympy_(self) -> Any:
        return self.value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        write = _UFUNCS.get(ufunc.__name__)
        if method != "__call__" or kwargs or write is None:
            raise EquationError(f"np.{ufunc.__name__} has no expression here; {_CURE}")
        return _Traced(write(*map(_expression, inputs)))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        write = {np.where: _where, np.clip: _clip}.get(function)
        if write is None or kwargs:
            raise EquationError(f"np.{function.__name__} has no expression here; {_CURE}")
        return _Traced(write(*map(_expression, args)))

    def __bool__(self) -> bool:
        raise EquationError(f"its result is asked for a truth value, as in `if x > 0`; use np.where(x > 0, ..., ...); {_CURE}")


def _expression(value: Any) -> Any:
    if isinstance(value, _Traced):
        return value.value
    if isinstance(value, np.ndarray | np.generic) and np.size(value) == 1:
        value = value.item()
    if isinstance(value, bool | int | float):
        return sp.Rational(repr(float(value)))  # as it is written: 0.1 is one tenth
    if not isinstance(value, sp.Basic):
        raise EquationError(f"{value!r} in it is no number or expression; {_CURE}")
    return value


def _threshold(difference: Any) -> tuple[Any, bool]:
    """Where a linear difference changes its sign, and whether it is positive above."""
    slope = sp.diff(difference, X)
    if slope.has(X) or slope == 0:
        raise EquationError(f"{difference} decides between branches and is not linear in the argument; {_CURE}")
    return sp.simplify(-difference.subs(X, 0) / slope), bool(slope > 0)


def _compare(relation: type[Any]) -> Callable[[Any, Any], Any]:
    def write(left: Any, right: Any) -> Any:
        at, rising = _threshold(left - right)
        return (relation if rising else _MIRRORED[relation])(X, at)

    return write


_MIRRORED = {sp.Gt: sp.Lt, sp.Lt: sp.Gt, sp.Ge: sp.Le, sp.Le: sp.Ge}


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    if condition in (sp.true, sp.false):
        return then if condition == sp.true else otherwise
    return sp.Piecewise((then, condition), (otherwise, True))


def _maximum(left: Any, right: Any) -> Any:
    """The larger one; where a constant meets the argument, the constant's side is closed, as in relu."""
    if not right.has(X):
        left, right = right, left
    at, rising = _threshold(right - left)
    return sp.Piecewise((right, X > at if rising else X < at), (left, True))


def _minimum(left: Any, right: Any) -> Any:
    larger = _maximum(-left, -right)
    return sp.Piecewise(*((-branch, condition) for branch, condition in larger.args))


def _clip(value: Any, low: Any, high: Any) -> Any:
    """At its limits the slope is the argument's, as TensorFlow and torch have it."""
    bottom, rising = _threshold(value - low)
    top, _ = _threshold(value - high)
    if not rising:
        return sp.Piecewise((low, X > bottom), (high, X < top), (value, True))
    return sp.Piecewise((low, X < bottom), (high, X > top), (value, True))


def _absolute(value: Any) -> Any:
    at, rising = _threshold(value)
    above, below = (value, -value) if rising else (-value, value)
    return sp.Piecewise((below, X < at), (above, X > at), (0, True))


def _sign(value: Any) -> Any:
    at, rising = _threshold(value)
    unit = sp.Integer(1) if rising else sp.Integer(-1)
    return sp.Piecewise((-unit, X < at), (unit, X > at), (0, True))


_UFUNCS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "true_divide": lambda a, b: a / b,
    "negative": lambda a: -a,
    "positive": lambda a: a,
    "power": lambda a, b: a**b,
    "square": lambda a: a**2,
    "sqrt": sp.sqrt,
    "reciprocal": lambda a: 1 / a,
    "exp": sp.exp,
    "expm1": lambda a: sp.exp(a) - 1,
    "log": sp.log,
    "log1p": lambda a: sp.log(1 + a),
    "tanh": sp.tanh,
    "sin": sp.sin,
    "cos": sp.cos,
    "sinh": lambda a: (sp.exp(a) - sp.exp(-a)) / 2,
    "cosh": lambda a: (sp.exp(a) + sp.exp(-a)) / 2,
    "absolute": _absolute,
    "sign": _sign,
    "maximum": _maximum,
    "minimum": _minimum,
    "greater": _compare(sp.Gt),
    "less": _compare(sp.Lt),
    "greater_equal": _compare(sp.Ge),
    "less_equal": _compare(sp.Le),
}
