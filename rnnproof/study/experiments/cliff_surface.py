"""The loss of a recurrent network of one unit as a surface over its weight and its bias; see `cliff`."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell
from rnnproof.generation import build

STEPS, START, TARGET = 50, 0.5, 0.7
W_RANGE, B_RANGE = (3.5, 6.5), (-3.5, -1.0)
LIMIT = 0.5
FAR = 1.0  # a step longer than this crosses a third of the region shown


@cache
def unit() -> Cell:
    """The network: units that know nothing of each other, each a point (w, b) of the surface; E is a state for its gradient."""
    size = sp.Symbol("hidden", integer=True, positive=True)
    x, old, w, b, e, loss = (sp.MatrixSymbol(name, size, 1) for name in ("x", "x_prev", "w", "b", "e", "E"))
    sigma = activations.named("sigmoid")
    target = sp.Rational(-7, 10) * sp.OneMatrix(size, 1)
    equations = {
        x: expressions.add(expressions.hadamard(w, expressions.apply(sigma, old)), b),
        e: expressions.add(expressions.apply(sigma, x), target),
        loss: expressions.hadamard(e, e),
    }
    return Cell.from_sympy("single_unit", equations, previous={x: old, loss: None})


@cache
def _module() -> Any:
    return build(unit())


def losses(w: Any, b: Any) -> tuple[Any, Any, Any]:
    """The loss at points (w, b), and its gradients by w and by b; arrays of one length."""
    module = _module()
    w, b = np.atleast_1d(w), np.atleast_1d(b)
    trace = module.forward({"w": w, "b": b}, STEPS, {"x": np.full((1, w.size), START)})
    seeds = np.zeros_like(trace.states["E"])
    seeds[-1] = 1.0
    gradients = module.backward(trace, {"E": seeds}).params
    return trace.states["E"][-1, 0], gradients["w"], gradients["b"]


def surface(points: int = 241) -> tuple[Any, Any, Any]:
    """w, b and the loss on a grid over the region that is shown."""
    w, b = np.meshgrid(np.linspace(*W_RANGE, points), np.linspace(*B_RANGE, points))
    return w, b, losses(w.ravel(), b.ravel())[0].reshape(w.shape)
