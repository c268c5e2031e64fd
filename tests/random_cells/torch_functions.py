"""Every activation by its definition in torch, with what the comparison needs to know of it and how papers print it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

import torch

Array = torch.Tensor
_ALPHA, _SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@dataclass(frozen=True)
class Function:
    """`curvature(x)` bounds |f''| near x; the slope jumps at `kinks`; `printed` are names in LaTeX words, `macros` others.

    `terms(x)` is the size of what cancels inside the function, such as 1 and tanh in the sigmoid (1 + tanh(x/2)) / 2, and
    `roundings` how many there are: erf takes a sum of some tens of terms.
    """

    value: Callable[[Array], Array]
    curvature: Callable[[Array], Array]
    printed: tuple[str, ...]
    macros: tuple[str, ...] = ()
    kinks: tuple[float, ...] = ()
    terms: Callable[[Array], Array] = torch.zeros_like
    roundings: int = 8


def _at_most(bound: float) -> Callable[[Array], Array]:
    return lambda x: torch.full_like(x, bound)


def _positive(then: Callable[[Array], Array], otherwise: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Where x > 0 the one, elsewhere the other, neither evaluated outside its side."""
    return lambda x: torch.where(x > 0, then(torch.where(x > 0, x, 1.0)), otherwise(torch.where(x > 0, -1.0, x)))


def _clip(x: Array, slope: float, offset: float, low: float, high: float) -> Array:
    line = slope * x + offset
    return torch.where(line <= low, torch.full_like(x, low), torch.where(line >= high, torch.full_like(x, high), line))


def _abs(x: Array) -> Array:
    return torch.where(x < 0, -x, torch.where(x > 0, x, torch.zeros_like(x)))


def _logistic(x: Array) -> Array:
    return 1 / (1 + torch.exp(-x))


def _softplus(x: Array) -> Array:
    return torch.log1p(torch.exp(x))


def _gelu(x: Array) -> Array:
    return x * (1 + torch.erf(x / sqrt(2))) / 2


# The bounds of the second derivatives: of tanh 4/(3 sqrt 3), of the logistic 1/(6 sqrt 3), of softplus 1/4, of the softsign
# 2, of x Phi(x) 2 phi(0), of x sigma(x) 1/2; that of mish is 0.645 at -0.09.
FUNCTIONS: dict[str, Function] = {
    "tanh": Function(torch.tanh, _at_most(0.77), ("tanh",), (r"\tanh",)),
    "sigmoid": Function(
        _logistic, _at_most(0.097), ("sigmoid", "sigma", "logistic", "sigm"), (r"\sigma",), terms=torch.ones_like
    ),
    "exponential": Function(torch.exp, torch.exp, ("exponential", "exp"), (r"\exp",)),
    "hard_sigmoid": Function(
        lambda x: _clip(x, 0.2, 0.5, 0.0, 1.0), _at_most(0.0), ("hard_sigmoid", "hardsigmoid", "hardsigm"), (), (-2.5, 2.5)
    ),
    "hard_sigmoid_keras3": Function(
        lambda x: _clip(x, 1 / 6, 0.5, 0.0, 1.0), _at_most(0.0), ("hard_sigmoid_keras3",), (), (-3.0, 3.0)
    ),
    "relu": Function(_positive(lambda x: x, torch.zeros_like), _at_most(0.0), ("relu", "ReLU", "Relu"), (), (0.0,)),
    "relu6": Function(lambda x: _clip(x, 1.0, 0.0, 0.0, 6.0), _at_most(0.0), ("relu6",), (), (0.0, 6.0)),
    "leaky_relu": Function(_positive(lambda x: x, lambda x: x / 5), _at_most(0.0), ("leaky_relu",), (), (0.0,)),
    "softplus": Function(_softplus, _at_most(0.25), ("softplus",)),
    "softsign": Function(lambda x: x / (1 + _abs(x)), _at_most(2.0), ("softsign",)),
    "elu": Function(_positive(lambda x: x, lambda x: torch.exp(x) - 1), _at_most(1.0), ("elu", "ELU"), terms=torch.ones_like),
    "selu": Function(
        _positive(lambda x: _SCALE * x, lambda x: _SCALE * _ALPHA * (torch.exp(x) - 1)),
        _at_most(_SCALE * _ALPHA),
        ("selu", "SELU"),
        (),
        (0.0,),
        lambda x: torch.full_like(x, _SCALE * _ALPHA),
    ),
    "gelu": Function(_gelu, _at_most(2 / sqrt(2 * pi)), ("gelu", "GELU"), terms=_abs, roundings=64),
    "swish": Function(lambda x: x * _logistic(x), _at_most(0.5), ("swish", "silu", "SiLU", "Swish"), terms=_abs),
    "mish": Function(lambda x: x * torch.tanh(_softplus(x)), _at_most(0.7), ("mish",)),
    "abs": Function(_abs, _at_most(0.0), ("abs",), (), (0.0,)),
    "linear": Function(lambda x: x, _at_most(0.0), ("linear", "identity", "id")),
    "reciprocal": Function(lambda x: 1 / x, lambda x: 2 / _abs(x) ** 3, ("reciprocal",)),
}
SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "swish", "mish", "linear", "softsign", "elu")
KINKED = ("hard_sigmoid", "hard_sigmoid_keras3", "relu", "relu6", "leaky_relu", "selu", "abs")
