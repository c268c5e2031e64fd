"""Elementwise activation functions, each one SymPy expression; SymPy supplies the derivatives and the kinks.

Sources: Keras 2.2.4 (`hard_sigmoid` = clip(0.2 x + 0.5, 0, 1)), Keras 3 and JAX (`hard_sigmoid_keras3` = relu6(x + 3)/6),
Clevert et al. 2015 (ELU), Klambauer et al. 2017 (SELU), Hendrycks & Gimpel 2016 (GELU, exact form), Ramachandran et al. 2017
(swish).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp

from rnnproof.errors import EquationError

X = sp.Symbol("x", real=True)
Y = sp.Symbol("y", real=True)


@dataclass(frozen=True)
class Activation:
    """One elementwise function: its name, its SymPy Function class, its definition in `X`, other names people print."""

    name: str
    function: Any
    definition: sp.Expr
    aliases: tuple[str, ...] = ()
    tex: str = ""


@dataclass(frozen=True)
class ScalarDerivative:
    """f'(x): `of_input` in `X`; `of_output` in `Y` = f(x) where that form is free of transcendental functions, else None."""

    of_input: sp.Expr
    of_output: sp.Expr | None


_REGISTRY: dict[str, Activation] = {}


def activation(
    name: str, definition: sp.Expr, *, aliases: tuple[str, ...] = (), tex: str = "", function: Any = None
) -> Activation:
    """Register an activation given by a SymPy expression in one symbol; returns it.

    `definition` may use any one symbol. A non-decreasing function written as `Piecewise` keeps a derivative in terms of its
    output where the outputs tell its branches apart, as with constant branches that are closed (`x <= a`). Raises
    EquationError for a bad name or expression.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise EquationError(f"activation {name!r}: a name is letters, digits and underscores; choose such a name")
    expression = definition
    if not isinstance(expression, sp.Expr) or len(expression.free_symbols) != 1:
        raise EquationError(f"activation {name!r}: give a SymPy expression in one symbol, such as x*tanh(x)")
    for symbol in expression.free_symbols:
        expression = expression.subs(symbol, X)
    if name in _REGISTRY:
        if _REGISTRY[name].definition == expression:
            return _REGISTRY[name]
        raise EquationError(f"activation {name!r} exists with another definition; choose another name")
    registered = function if function is not None else _function(name)
    entry = Activation(name, registered, expression, aliases, tex or rf"\mathrm{{{name}}}".replace("_", r"\_"))
    _REGISTRY[name] = entry
    return entry


class _Registered:
    """The functions by their names as attributes, where pickle looks for them."""

    def __getattr__(self, name: str) -> Any:
        if name in _REGISTRY:
            return _REGISTRY[name].function
        raise AttributeError(f"activation {name!r} is not registered; call rnnproof.activation(name, expression) first")


registered = _Registered()


def _function(name: str) -> Any:
    """A new SymPy Function class, which pickle finds by its name."""
    place = {"__module__": __name__, "__qualname__": f"registered.{name}"}
    return type(name, (sp.Function,), {"nargs": 1, "fdiff": _fdiff, **place})


def _fdiff(self: Any, argindex: int = 1) -> sp.Expr:
    slope = derivative(self.func)
    if slope.of_output is not None:
        return slope.of_output.subs(Y, self)
    return slope.of_input.subs(X, self.args[0])


def find(name: str) -> Activation | None:
    """The activation of that name or alias, or None."""
    for entry in _REGISTRY.values():
        if name == entry.name or name in entry.aliases:
            return entry
    return None


def named(name: str) -> Any:
    """The SymPy Function class of a name that is known to be registered."""
    return _REGISTRY[name].function


def of(function: Any) -> Activation:
    """The activation whose SymPy Function class this is."""
    for entry in _REGISTRY.values():
        if entry.function == function:
            return entry
    raise EquationError(f"{function} is no registered activation; register it with rnnproof.activation(name, expression)")


def names() -> tuple[str, ...]:
    """Every registered name."""
    return tuple(_REGISTRY)


@cache
def derivative(function: Any) -> ScalarDerivative:
    """The derivative as SymPy finds it, and its rewriting in terms of the output where that costs no exp, tanh or erf."""
    definition = of(function).definition
    of_input = sp.diff(definition, X)
    if isinstance(of_input, sp.Piecewise):
        of_input = sp.Piecewise(*((_simpler(slope), condition) for slope, condition in of_input.args))
    logistic = sp.exp(X) / (1 + sp.exp(X))  # written as sigma(x), which does not overflow
    return ScalarDerivative(of_input.subs(logistic, named("sigmoid")(X)), _in_output(definition))


def _simpler(slope: sp.Expr) -> sp.Expr:
    """Simplified, but without functions that were not there (SymPy likes cosh, NumPy code should not have to)."""
    simplified = sp.simplify(slope)
    return (
        simplified if {f.func for f in simplified.atoms(sp.Function)} <= {f.func for f in slope.atoms(sp.Function)} else slope
    )


def _in_output(definition: sp.Expr) -> sp.Expr | None:
    """Branch by branch a + b y + c y^2, where f' is that; conditions x < a become y < f(a) (f non-decreasing)."""
    # SymPy rounds decimal constants to double precision on its way; as fractions they stay exact
    decimals = definition.atoms(sp.Float)
    definition = definition.xreplace({number: sp.Rational(number) for number in decimals})
    if definition.has(sp.Piecewise) and not (isinstance(definition, sp.Piecewise) and _non_decreasing(definition)):
        return None
    branches = definition.args if isinstance(definition, sp.Piecewise) else ((definition, sp.true),)
    rewritten = []
    for expression, condition in branches:
        slope = _quadratic(expression)
        if slope is None:
            return None
        if condition != sp.true:
            if not isinstance(condition, sp.core.relational.Relational) or condition.lhs != X:
                return None
            if not _told_apart(definition, condition):
                return None
            condition = condition.func(Y, expression.subs(X, condition.rhs))
        rewritten.append((slope, condition))
    of_output = sp.Piecewise(*rewritten) if len(rewritten) > 1 else rewritten[0][0]
    return of_output.xreplace(
        {number: sp.Float(number, 32) for number in of_output.atoms(sp.Rational) if decimals and number.q > 10**9}
    )


def _quadratic(f: sp.Expr) -> sp.Expr | None:
    """a + b y + c y^2 with rational a, b, c, if f' is that of y = f(x); every slope in use that reads the output is.

    From f' = a + b f + c f^2 follow f''/f' = b + 2 c f and (f''/f')' = 2 c f', so one point gives the only candidate; it is
    tried at other points and then proved. (Solving y = f(x) for x instead may take SymPy for ever.)
    """
    slope = sp.diff(f, X)
    for plain in (slope, slope.subs(f, Y)):
        if not plain.has(X):
            return plain if plain.is_polynomial(Y) else None
    bend = sp.diff(slope, X) / slope
    c = sp.diff(bend, X) / (2 * slope)
    for at in (sp.Integer(0), sp.Integer(1)):
        y, first, second, third = (expression.subs(X, at) for expression in (f, slope, bend, c))
        numbers = [sp.nsimplify(n) for n in (first - second * y + third * y**2, second - 2 * third * y, third)]
        if all(number.is_Rational for number in numbers):
            break
    else:
        return None
    candidate = sum(number * Y**power for power, number in enumerate(numbers))
    apart = slope - candidate.subs(Y, f)
    if any(abs(sp.N(apart.subs(X, sp.Rational(tried, 7)), 30)) > 1e-20 for tried in (-9, 2, 15)):
        return None
    return sp.factor(candidate) if sp.simplify(apart) == 0 else None


def _told_apart(definition: sp.Expr, condition: Any) -> bool:
    """Whether outputs at the threshold and just past it differ, so that a condition on x says the same of y there."""
    past = 1 if condition.rel_op in ("<=", ">") else -1
    outputs = [definition.subs(X, condition.rhs + step) for step in (0, past * sp.Rational(1, 2**40))]
    return bool(outputs[0] != outputs[1])


def _non_decreasing(definition: sp.Expr) -> bool:
    """Whether values at close points are finite and never fall; only then does a condition on x become one on y."""
    samples = [definition.subs(X, sp.Rational(step, 16)).evalf() for step in range(-160, 161)]
    if not all(value.is_real and value.is_finite for value in samples):
        return False
    values = [float(value) for value in samples]
    return all(below <= above for below, above in zip(values, values[1:], strict=False))


def kinks(function: Any) -> tuple[float, ...]:
    """The inputs at which the derivative jumps; empty for a smooth function."""
    definition = of(function).definition
    slope = sp.diff(definition, X)
    points = set()
    for piece in definition.atoms(sp.Piecewise):
        for _, condition in piece.args:
            for relation in condition.atoms(sp.core.relational.Relational):
                at = float(relation.rhs if relation.lhs == X else relation.lhs)
                below, above = (float(slope.subs(X, at + side).evalf()) for side in (-1e-9, 1e-9))
                if abs(above - below) > 1e-6:  # a smooth slope moves by about 1e-9 here
                    points.add(at)
    return tuple(sorted(points))


def _positive(then: sp.Expr, otherwise: sp.Expr) -> sp.Expr:
    return sp.Piecewise((then, X > 0), (otherwise, True))


_SELU_ALPHA = sp.Float("1.6732632423543772848170429916717", 32)
_SELU_SCALE = sp.Float("1.0507009873554804934193349852946", 32)

activation("tanh", sp.tanh(X), aliases=("th", "Tanh"), function=sp.tanh, tex=r"\tanh")
activation("sigmoid", 1 / (1 + sp.exp(-X)), aliases=("sigma", "logistic", "sigm"), tex=r"\sigma")
activation("exponential", sp.exp(X), aliases=("exp",), function=sp.exp, tex=r"\exp")
activation(
    "hard_sigmoid",
    # open branches: TensorFlow's clip hands the gradient on at its limits
    sp.Piecewise((0, X < sp.Rational(-5, 2)), (1, X > sp.Rational(5, 2)), (X / 5 + sp.Rational(1, 2), True)),
    aliases=("hardsigmoid", "hardsigm"),
)
activation("hard_sigmoid_keras3", sp.Piecewise((0, X <= -3), (1, X >= 3), (X / 6 + sp.Rational(1, 2), True)))
activation("relu", _positive(X, sp.Integer(0)), aliases=("ReLU", "Relu"))
activation("relu6", sp.Piecewise((0, X <= 0), (6, X >= 6), (X, True)))
activation("leaky_relu", sp.Piecewise((X, X > 0), (X / 5, True)))
activation("softplus", sp.log(1 + sp.exp(X)))
activation("softsign", _positive(X / (1 + X), X / (1 - X)))
activation("elu", _positive(X, sp.exp(X) - 1), aliases=("ELU",))
# at 0 the slope is that from above in TensorFlow, from below in torch and JAX
activation(
    "selu",
    sp.Piecewise((_SELU_SCALE * X, X >= 0), (_SELU_SCALE * _SELU_ALPHA * (sp.exp(X) - 1), True)),
    aliases=("SELU",),
)
activation("gelu", X * (1 + sp.erf(X / sp.sqrt(2))) / 2, aliases=("GELU",))
activation("swish", X * named("sigmoid")(X), aliases=("silu", "SiLU", "Swish"))
activation("mish", X * sp.tanh(sp.log(1 + sp.exp(X))))
activation("abs", sp.Piecewise((-X, X < 0), (X, X > 0), (0, True)))
activation("linear", X, aliases=("identity", "id"))
activation("reciprocal", 1 / X)
