"""Section 3.1, the listing: optimisers that take clipnorm and clipvalue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnproof import optimizers
from rnnproof.pages.message import listed, say
from rnnproof.runtime.update_rules import NAMES
from rnnproof.study.claims.claim import MEASUREMENT, Case, Rows
from rnnproof.study.claims.probes import Array, agree, rng
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
STEPS = 6


def way(optimizer: Any, gradients: Sequence[Array]) -> Array:
    """Where gradients lead an optimiser from 0."""
    point: Array = np.zeros(gradients[0].shape)
    for gradient in gradients:
        optimizer.apply_gradients([(gradient, point)])
    return point


def limited(gradient: Array, clipnorm: float | None = None, clipvalue: float | None = None) -> Array:
    """The gradient as the lecture's words have it."""
    if clipnorm is not None:
        return np.asarray(gradient * min(1.0, clipnorm / float(np.sqrt(np.sum(gradient**2)))))
    return np.asarray(np.sign(gradient) * np.minimum(np.abs(gradient), np.inf if clipvalue is None else clipvalue))


def cases(**options: float) -> list[Case]:
    """For each optimiser: it goes where gradients limited by hand lead it, and that is not where they lead without limits.

    The gradients of successive steps differ a hundredfold in size, so that no optimiser's own scaling hides the clipping.
    """
    source = rng()
    unclipped = [size * source.normal(size=(4, 5)) for size in np.logspace(1, -1, STEPS)]
    by_hand = [limited(gradient, **options) for gradient in unclipped]
    seen = []
    names: dict[str, Any] = dict(NAMES)  # the classes' own arguments differ
    for built in names.values():
        reached, wanted, free = way(built(**options), unclipped), way(built(), by_hand), way(built(), unclipped)
        moved = float(np.abs(reached - free).max() / np.abs(free).max())
        same = agree("", reached, wanted, 20 * STEPS)
        figure = listed([same.figure, say("{moved:.1%} away from the unclipped way", moved=moved)])
        seen.append(Case(f"`{built.__name__}`", bool(same.holds) and moved > 1e-3, figure))
    return seen


@ROWS.add("optimisers-clipnorm", "3.1", say("Every optimiser of Keras 2.2.4 takes `clipnorm`, not SGD alone."), MEASUREMENT)
def optimisers_clipnorm(_: Sources) -> list[Case]:
    """All the classes there are, each run for some steps."""
    return cases(clipnorm=1.0)


@ROWS.add("optimisers-clipvalue", "3.1", say("Every optimiser of Keras 2.2.4 takes `clipvalue`, not SGD alone."), MEASUREMENT)
def optimisers_clipvalue(_: Sources) -> list[Case]:
    """The same by value."""
    return cases(clipvalue=0.2)


@ROWS.add(
    "listing-optimisers",
    "3.1",
    say("The optimisers of the listing can be made as it prints them, with `lr`, `clipnorm` and `clipvalue`."),
    MEASUREMENT,
)
def listing_optimisers(_: Sources) -> list[Case]:
    """Each is made with the printed arguments and takes two steps, a large gradient and a small one, beside its rule by hand.

    Adagrad's first step is lr in every entry whatever the gradient's size; the second shows what the first was limited to.
    """
    built: dict[str, Any] = {
        "SGD(lr=0.01, clipnorm=1.)": optimizers.SGD(lr=0.01, clipnorm=1.0),
        "SGD(lr=0.01, clipvalue=1.)": optimizers.SGD(lr=0.01, clipvalue=1.0),
        "Adagrad(lr=0.01, clipnorm=1.)": optimizers.Adagrad(lr=0.01, clipnorm=1.0),
    }
    large, small = np.array([30.0, -40.0]), np.array([0.3, -0.4])
    by_norm, by_value = np.array([0.6, -0.8]), np.array([1.0, -1.0])  # what the limits make of the large one
    wanted = {
        "SGD(lr=0.01, clipnorm=1.)": -0.01 * (by_norm + small),
        "SGD(lr=0.01, clipvalue=1.)": -0.01 * (by_value + small),
        "Adagrad(lr=0.01, clipnorm=1.)": -0.01 * (np.sign(by_norm) + small / np.sqrt(by_norm**2 + small**2)),
    }
    seen = []
    for text, optimizer in built.items():
        point = way(optimizer, [large, small])
        figure = say(
            "after the gradients (30, -40) and (0.3, -0.4) at {point}, by hand {wanted}",
            point=_shown(point),
            wanted=_shown(wanted[text]),
        )
        seen.append(Case(f"`{text}`", bool(np.abs(point - wanted[text]).max() < 1e-8), figure))
    return seen


def _shown(point: Array) -> str:
    return "(" + ", ".join(f"{value + 0.0:.4g}" for value in point) + ")"
