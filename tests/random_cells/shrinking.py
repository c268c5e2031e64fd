"""Make a failing cell small: smaller trees and fewer equations that fail in the same way, printed plainly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from tests.random_cells.cell_maker import connected
from tests.random_cells.cell_trial import Outcome, try_recipe
from tests.random_cells.random_points import draw_point
from tests.random_cells.random_tree import Node, Read, Recipe, Sum, Symbol, child_fields, substituted, walk
from tests.random_cells.tex_documents import print_plainly


def shrink(recipe: Recipe, kind: str, seconds_allowed: int = 400) -> Outcome | None:
    """The smallest outcome of this kind that single changes lead to; None where plain print does not fail."""
    best = _outcome(recipe, kind)
    if best is None:
        return None
    tried, progress = 0, True
    while progress and tried < seconds_allowed:
        progress = False
        for smaller in _smaller(recipe):
            tried += 1
            found = _outcome(smaller, kind) if connected(smaller) else None
            if found:
                recipe, best, progress = smaller, found, True
                break
            if tried >= seconds_allowed:
                break
    return best


def _outcome(recipe: Recipe, kind: str) -> Outcome | None:
    """The outcome of the recipe printed plainly, where it is of that kind: a verdict and the beginning of its reason."""
    for attempt in range(6):
        found = draw_point(recipe, Random(attempt), np.random.default_rng(attempt))
        if found:
            outcome = try_recipe(attempt, recipe, print_plainly(Random(attempt), recipe), *found)
            if outcome.kind == kind:
                return outcome
    return None


def _smaller(recipe: Recipe) -> Iterator[Recipe]:
    """Recipes with one equation less, or one subtree in place of its parent."""
    for place, (symbol, _) in enumerate(recipe.equations):
        rest = recipe.equations[:place] + recipe.equations[place + 1 :]
        read = any(isinstance(n, Read) and n.symbol == symbol for _, tree in rest for n in walk(tree))
        if rest and not read:
            yield _tidy(replace(recipe, equations=rest))
    if recipe.per_step:
        for symbol in recipe.per_step:
            yield replace(recipe, per_step=recipe.per_step - {symbol})
    for place, (symbol, tree) in enumerate(recipe.equations):
        for smaller in _reductions(tree):
            yield _tidy(
                replace(recipe, equations=(*recipe.equations[:place], (symbol, smaller), *recipe.equations[place + 1 :]))
            )


def _reductions(tree: Node) -> Iterator[Node]:
    """The tree with one node replaced by something below it of the same dimensions, or a term or factor left out."""
    for inner in list(walk(tree))[1:]:
        if inner.dims == tree.dims:
            yield inner
    if isinstance(tree, Sum) and len(tree.terms) > 2:
        for place in range(len(tree.terms)):
            terms = tree.terms[:place] + tree.terms[place + 1 :]
            if any(term.dims == tree.dims for term in terms):
                yield replace(tree, terms=terms, signs=tree.signs[:place] + tree.signs[place + 1 :])
    for name, value in child_fields(tree):
        if isinstance(value, Node):
            for smaller in _reductions(value):
                yield replace(tree, **_field(name, smaller))
        else:
            for place, item in enumerate(value):
                for smaller in _reductions(item):
                    yield replace(tree, **_field(name, (*value[:place], smaller, *value[place + 1 :])))


def _field(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def _tidy(recipe: Recipe) -> Recipe:
    """Without what no longer appears; states that are no longer read become values or outputs."""
    changed = True
    equations = recipe.equations
    while changed:
        changed = False
        for symbol, _ in equations:
            reads = [n for _, tree in equations for n in walk(tree) if isinstance(n, Read) and n.symbol == symbol]
            old = any(node.old for node in reads)
            role = "state" if old else "value" if reads else "output"
            if symbol.role != role:
                new = Symbol(symbol.key, role, symbol.dims)
                equations = tuple((new if s == symbol else s, substituted(tree, symbol, new)) for s, tree in equations)
                changed = True
                break
    made = Recipe(equations, recipe.bodies, frozenset(), recipe.positive)
    return replace(made, per_step=recipe.per_step & set(made.symbols("parameter")))
