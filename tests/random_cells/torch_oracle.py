"""The cell's own trees, evaluated in a plain loop over time and differentiated by torch; and how exact any code can be.

**The tolerance.** Let every value v have a majorant V >= |v|: |v| for what is given, A + B for a sum or difference, A B for a
product (matrix products with the majorants' matrix), |f(x)| + |f'(x)| X for an activation, and
what cancels inside it. A computed value then differs from
v by at most N u V to first order, where u is the unit roundoff and N counts the roundings on the longest way to it: each
operation adds at most its own, relative to its majorant, and hands on those of its arguments. In the gradient, each local
derivative d is computed from such values, and D = B for a product a b, |f'(x)| + C X for an activation with |f''| <= C, bounds
both |d| and, times N u, its error. A gradient is a sum over paths of products of local derivatives; so its error is at most
N u G, where G is the same sum with D for d and |seed| for the seed. G is what backpropagation through the majorants gives.
Regrouping or distributing terms, as the generated code does, leaves G as it is and N within the count below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tests.random_cells import random_tree as rt
from tests.random_cells.random_tree import Node, Recipe, length, walk
from tests.random_cells.torch_functions import FUNCTIONS

Array = torch.Tensor
ROUNDOFF = 2.0**-53


@dataclass(frozen=True)
class Point:
    """Where a cell is evaluated: arrays by symbol's key, float64; `params` (steps first where per step), `xs` (T, B, m)."""

    sizes: dict[str, int]
    steps: int
    batch: int
    params: dict[str, Any]
    xs: Any
    initial: dict[str, Any]
    seeds: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """By key: states (T, B, n) and gradients, and beside each what bounds its error, entry by entry."""

    values: dict[str, Any]
    errors: dict[str, Any]
    largest: float
    nearest_kink: float


class Plain:
    """Numbers as they are. Scalars are arrays of one entry, vectors (B, n) or (n,), matrices (rows, columns)."""

    def __init__(self) -> None:
        self.largest, self.nearest_kink = 0.0, float("inf")

    def add(self, signs: tuple[int, ...], terms: list[Array]) -> Array:
        total = signs[0] * terms[0]
        for sign, term in zip(signs[1:], terms[1:], strict=True):
            total = total + sign * term
        return total

    def apply(self, name: str, x: Array) -> Array:
        function = FUNCTIONS[name]
        for kink in function.kinks:
            apart = (x.detach() - kink).abs()
            apart = apart[apart > 0]  # exactly on the kink stands only what another kink put there, the same by any code
            self.nearest_kink = min([self.nearest_kink, *apart.flatten().tolist()])
        value = function.value(x)
        self.largest = max(self.largest, float(x.detach().abs().max()), float(value.detach().abs().max()))
        return value


class Majorants:
    """Pairs (value, majorant); backpropagation through the majorants is what the tolerance needs. Other work is `Plain`'s."""

    def apply(self, name: str, value: Array, majorant: Array) -> tuple[Array, Array]:
        function, x = FUNCTIONS[name], value.detach().requires_grad_()
        y = function.value(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        x, y = x.detach(), y.detach()
        bound = y.abs() + function.terms(x) + slope.abs() * majorant.detach()
        steep = slope.abs() + function.curvature(x) * majorant.detach()
        return y, bound + steep * (majorant - majorant.detach())


Evaluate = Callable[[Node], Any]


class Interpreter:
    """Evaluates trees with given values of their symbols; with `bounds`, majorants beside the values."""

    def __init__(self, recipe: Recipe, sizes: dict[str, int], arithmetic: Plain | Majorants) -> None:
        self.recipe, self.sizes, self.arithmetic = recipe, sizes, arithmetic
        self.paired = isinstance(arithmetic, Majorants)

    def value(self, node: Node, known: dict[tuple[str, bool], Any]) -> Any:
        """The value of a tree, or the pair of its value and majorant."""
        if isinstance(node, rt.Read):
            return known[node.symbol.key, node.old]
        if isinstance(node, rt.Call):
            body = self.recipe.bodies[node.number]
            inner = self.value(node.inner, known)
            return self.value(body.tree, {**known, (body.argument.key, False): inner})
        args = [self.value(child, known) for child in rt.children(node)]
        if not self.paired:
            return self.plain(node, args)
        values, bounds = [value for value, _ in args], [bound for _, bound in args]
        if isinstance(node, rt.Apply):
            assert isinstance(self.arithmetic, Majorants)
            return self.arithmetic.apply(node.function, values[0], bounds[0])
        if isinstance(node, rt.Quotient):  # over * (1/under), whose majorant |1/u| + |1/u^2| U has the slope U's path needs
            under, inverse = self.reciprocal(values[1], bounds[1])
            return values[0] * under, bounds[0] * inverse
        if isinstance(node, rt.Sum):
            return self.plain(node, values), Plain().add(tuple(1 for _ in bounds), bounds)
        return self.plain(node, values), self.plain(node, bounds)

    def reciprocal(self, value: Array, bound: Array) -> tuple[Array, Array]:
        assert isinstance(self.arithmetic, Majorants)
        return self.arithmetic.apply("reciprocal", value, bound)

    def plain(self, node: Node, args: list[Array]) -> Array:
        """One operation on numbers."""
        if isinstance(node, rt.Number):
            return torch.tensor([node.value.numerator / node.value.denominator], dtype=torch.float64)
        if isinstance(node, rt.Eye):
            return torch.eye(length(node.dims[0], self.sizes), dtype=torch.float64)
        if isinstance(node, rt.Sum):
            total = Plain().add(node.signs, args)
            return total + torch.zeros(length(node.dims[0], self.sizes), dtype=total.dtype) if len(node.dims) == 1 else total
        if isinstance(node, rt.Product):
            left, right = args
            if len(node.left.dims) < 2:
                return left * right
            return left @ right if len(node.right.dims) == 2 else (left @ right[..., None])[..., 0]
        if isinstance(node, rt.Hadamard):
            total = args[0]
            for factor in args[1:]:
                total = total * factor
            return total
        if isinstance(node, rt.Quotient):
            return args[0] / args[1]
        if isinstance(node, rt.Transpose):
            return args[0].T
        if isinstance(node, rt.Dot):
            return (args[0] * args[1]).sum(-1, keepdim=True)
        if isinstance(node, rt.Stack):
            batch = torch.broadcast_shapes(*(arg.shape[:-1] for arg in args))
            return torch.cat([arg.expand(*batch, arg.shape[-1]) for arg in args], -1)
        assert isinstance(node, rt.Apply) and isinstance(self.arithmetic, Plain)
        return self.arithmetic.apply(node.function, args[0])


def _leaves(recipe: Recipe, point: Point) -> dict[str, Array]:
    given = {**point.params, **{f"initial {key}": value for key, value in point.initial.items()}}
    if point.xs is not None:
        given["inputs"] = point.xs
    return {key: torch.tensor(value, dtype=torch.float64, requires_grad=True) for key, value in given.items()}


def _unroll(recipe: Recipe, point: Point, leaves: dict[str, Any], evaluate: Callable[[Node, Any], Any]) -> dict[str, list[Any]]:
    """Every state and output at every step, from the leaves' values (or pairs)."""
    now = {symbol.key: leaves[f"initial {symbol.key}"] for symbol in recipe.symbols("state")}
    told: dict[str, list[Any]] = {symbol.key: [] for symbol in recipe.symbols("state", "output")}
    for t in range(point.steps):
        known: dict[tuple[str, bool], Any] = {(key, True): value for key, value in now.items()}
        for symbol in recipe.symbols("parameter"):
            leaf = leaves[symbol.key]
            leaf = _each(leaf, lambda array: array[t]) if symbol in recipe.per_step else leaf  # noqa: B023
            known[symbol.key, False] = leaf if symbol.dims else _each(leaf, lambda array: array.reshape(1))
        if point.xs is not None:
            known[recipe.symbols("input")[0].key, False] = _each(leaves["inputs"], lambda array: array[t])  # noqa: B023
        for symbol, tree in recipe.equations:
            known[symbol.key, False] = evaluate(tree, known)
        now = {key: known[key, False] for key in now}
        for key, values in told.items():
            values.append(known[key, False])
    return told


def _each(leaf: Any, change: Callable[[Array], Array]) -> Any:
    return tuple(change(part) for part in leaf) if isinstance(leaf, tuple) else change(leaf)


def _full(values: list[Array], point: Point) -> Array:
    return torch.stack([value.expand(point.batch, value.shape[-1]) for value in values])


def roundings(recipe: Recipe, point: Point) -> int:
    """N: roundings on the longest way through all steps, there and back, with the sums over steps and batch."""
    count = 0
    for tree in recipe.trees:
        for node in walk(tree):
            widest = max((length(dim, point.sizes) for child in rt.children(node) for dim in child.dims), default=1)
            own = {rt.Sum: 4, rt.Hadamard: 3, rt.Quotient: 3}.get(type(node), 1 + widest)
            count += FUNCTIONS[node.function].roundings if isinstance(node, rt.Apply) else own
    return 2 * point.steps * count + 2 * point.steps * point.batch


def answer(recipe: Recipe, point: Point) -> Answer:
    """The states and gradients by torch, and the bounds of the error of any code that computes them."""
    plain, leaves = Plain(), _leaves(recipe, point)
    interpreter = Interpreter(recipe, point.sizes, plain)
    told = {key: _full(values, point) for key, values in _unroll(recipe, point, leaves, interpreter.value).items()}
    values = {f"output {key}": value.detach().numpy() for key, value in told.items()}
    values |= _gradients(told, {key: torch.tensor(seed) for key, seed in point.seeds.items()}, leaves)
    bounds = {key: leaf.detach().abs().requires_grad_() for key, leaf in leaves.items()}
    bounding = Interpreter(recipe, point.sizes, Majorants())
    pairs = _unroll(recipe, point, {key: (leaves[key].detach(), bounds[key]) for key in leaves}, bounding.value)
    majorants = {key: _full([bound for _, bound in values], point) for key, values in pairs.items()}
    errors = {f"output {key}": value.detach().numpy() for key, value in majorants.items()}
    errors |= _gradients(majorants, {key: torch.tensor(seed).abs() for key, seed in point.seeds.items()}, bounds)
    unit = ROUNDOFF * roundings(recipe, point)
    largest = max([plain.largest, *(float(value.detach().abs().max()) for value in told.values())])
    return Answer(values, {key: unit * value for key, value in errors.items()}, largest, plain.nearest_kink)


def _gradients(told: dict[str, Array], seeds: dict[str, Array], leaves: dict[str, Array]) -> dict[str, Any]:
    loss = torch.zeros((), dtype=torch.float64)
    for key, seed in seeds.items():
        loss = loss + (seed * told[key]).sum()
    if not loss.requires_grad:
        return {f"gradient {key}": torch.zeros_like(leaf).numpy() for key, leaf in leaves.items()}
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return {f"gradient {key}": gradient.detach().numpy() for key, gradient in zip(leaves, found, strict=True)}
