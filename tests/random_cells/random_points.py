"""Numbers for a random cell: distinct sizes and values, away from kinks and from overflow."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from tests.random_cells.random_tree import Dims, Read, Recipe, Stack, atoms, length, walk
from tests.random_cells.torch_oracle import Answer, Point, answer

CLEARANCE = 1e-6  # from a kink, where rounding moves an argument by some 1e-13
LARGEST = 1e3
LOOSEST = 1e-7  # of its array's largest entry: a bound above that might hide a fault


def draw_point(recipe: Recipe, rng: Random, numbers: np.random.Generator) -> tuple[Point, Answer] | None:
    """A point and the oracle's answer there; None where this cell grows or bends too much at every one that was tried."""
    for scale in (1.0, 0.8, 0.6, 0.5, 0.4):
        point = _point(recipe, rng, numbers, scale)
        found = answer(recipe, point)
        if found.largest < LARGEST and found.nearest_kink > CLEARANCE and _tight(found):
            return point, found
    return None


def _tight(found: Answer) -> bool:
    for key, value in found.values.items():
        if not np.isfinite(value).all() or found.errors[key].max(initial=0.0) > LOOSEST * max(
            1e-3, np.abs(value).max(initial=0.0)
        ):
            return False
    return True


def draw_sizes(recipe: Recipe, rng: Random) -> dict[str, int]:
    """A length for every name, all distinct and none a number of steps or sequences; in some cells one of them is 1."""
    names: dict[str, None] = {}
    for tree in recipe.trees:
        for node in walk(tree):
            dims = (*node.dims, *(node.symbol.dims if isinstance(node, Read) else ()))
            names |= dict.fromkeys(name for dim in dims for name in atoms(dim))
            if isinstance(node, Stack):
                names |= dict.fromkeys(name for item in node.items for name in atoms(item.dims[0]))
    lengths = rng.sample(range(5, max(12, 6 + len(names))), len(names))
    sizes = dict(zip(names, lengths, strict=True))
    if rng.random() < 0.15:
        sizes[rng.choice(list(sizes))] = 1
    elif rng.random() < 0.05:
        sizes = dict.fromkeys(sizes, 1)
    return sizes


def _point(recipe: Recipe, rng: Random, numbers: np.random.Generator, scale: float) -> Point:
    sizes, steps, batch = draw_sizes(recipe, rng), rng.choice((1, 2, 3, 4, 4)), rng.choice((1, 2, 3, 3))

    def draw(*shape: int, spread: float = 1.0) -> Any:
        return numbers.normal(size=shape) * spread

    params = {}
    for symbol in recipe.symbols("parameter"):
        shape = tuple(length(dim, sizes) for dim in symbol.dims)
        lead = (steps,) if symbol in recipe.per_step else ()
        spread = scale * (0.8 if len(shape) < 2 else 1.0 / np.sqrt(shape[1]))
        params[symbol.key] = draw(*lead, *shape, spread=spread)
        if symbol in recipe.positive:
            params[symbol.key] = 1.2 + 0.5 * np.tanh(params[symbol.key])
        params[symbol.key] = np.asarray(params[symbol.key])

    def rows(dims: Dims) -> int:
        return length(dims[0], sizes)

    xs = next((draw(steps, batch, rows(s.dims), spread=scale) for s in recipe.symbols("input")), None)
    initial = {s.key: draw(batch, rows(s.dims), spread=0.7 * scale) for s in recipe.symbols("state")}
    told = recipe.symbols("state", "output")
    seeded = [s for s in told if rng.random() < 0.7] or [rng.choice(told)]
    seeds = {s.key: draw(steps, batch, rows(s.dims)) for s in seeded}
    return Point(sizes, steps, batch, params, xs, initial, seeds)
