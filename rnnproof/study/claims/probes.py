"""What the tests of claims share: data and layers of distinct sizes with random weights, and comparisons as cases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from rnnproof.layers import GRU, LSTM
from rnnproof.pages.message import Text, say
from rnnproof.study.claims.claim import Case

Array = np.ndarray[Any, Any]

# Distinct sizes, so that no two axes can be taken for one another.
BATCH, STEPS, FEATURES, UNITS = 3, 7, 4, 5
GATED: dict[str, Any] = {"LSTM": LSTM, "GRU": GRU}


def rng(seed: int = 0) -> np.random.Generator:
    """The generator of a test's random numbers; each test starts from its own."""
    return np.random.default_rng(seed)


def sequences(steps: int = STEPS, batch: int = BATCH) -> Array:
    """Random sequences (B, T, input), float64."""
    return rng(1).normal(size=(batch, steps, FEATURES))


def randomised(layer: Any, steps: int = STEPS) -> Any:
    """The layer, built, with random weights of deviation 1/2 in all its arrays, biases too."""
    if not layer.built:
        layer.build((None, steps, FEATURES))
    source = rng(2)
    layer.set_weights([0.5 * source.normal(size=weight.shape) for weight in layer.weights])
    return layer


def gated(name: str, **options: Any) -> Any:
    """An LSTM or a GRU of UNITS units with random weights: the same weights whatever the options are."""
    return randomised(GATED[name](UNITS, seed=0, **options))


def agree(says: Text, got: Array, wanted: Array, operations: int = STEPS * (FEATURES + UNITS)) -> Case:
    """Whether two arrays are the same up to the rounding of so many operations on numbers of their size."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape:
        return Case(says, False, say("shapes {got} and {wanted}", got=str(got.shape), wanted=str(wanted.shape)))
    eps = float(np.finfo(np.result_type(got, wanted, np.float32)).eps)
    allowed = 8 * operations * eps * max(1.0, float(np.abs(wanted).max(initial=0)))
    difference = float(np.abs(got - wanted).max(initial=0))
    figure = say("largest difference {difference:.1e}, allowed {allowed:.1e}", difference=difference, allowed=allowed)
    return Case(says, difference <= allowed, figure)


def counted(says: Text, flags: Iterable[bool], of: Text, sampled: bool = False) -> Case:
    """A case that holds where all flags do, and in part where some do; `of` says what is counted, `sampled` as in Case."""
    seen = [bool(flag) for flag in flags]
    held = sum(seen)
    return Case(says, part(held, len(seen)), say("{held} of {all} {of}", held=held, all=len(seen), of=of), sampled)


def part(held: int, of: int) -> bool | None:
    """True for all, None for some, False for none."""
    if not of:
        raise AssertionError("nothing was tested")
    return True if held == of else False if held == 0 else None
