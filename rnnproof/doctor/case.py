"""What is examined: a loss, the arrays that it reads, and the gradients that somebody claims."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof.errors import UsageError

Array = np.ndarray[Any, Any]
Loss = Callable[[], float]
Claimed = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """A scalar function of arrays that are changed in place, and the gradients claimed for them.

    `steps` and `batch` are the sequence's length and the number of samples where they are known. `claimed` returns a gradient,
    or None, for each array by name.
    """

    loss: Loss
    arrays: dict[str, Array]
    claimed: Callable[[], dict[str, Array | None]]
    steps: int | None = None
    batch: int | None = None


Make = Callable[[int, int, np.random.Generator], tuple[Loss, Mapping[str, Array], Claimed]]


def case(loss: Any, arrays: Any, claimed: Any, steps: int | None = None, batch: int | None = None) -> Case:
    """A Case of what a person gave. Raises UsageError, saying what is wrong, where it is none."""
    if not callable(loss):
        raise UsageError(f"loss is {type(loss).__name__}; give a function without arguments that returns the loss as a number")
    if not isinstance(arrays, Mapping) or not arrays:
        raise UsageError("arrays: give a dict of the NumPy arrays that the loss reads, by name; they are changed in place")
    held: dict[str, Array] = {}
    for name, value in arrays.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            kind = f"{type(value).__name__}" + (f" of {value.dtype}" if isinstance(value, np.ndarray) else "")
            raise UsageError(f"arrays[{name!r}] is {kind}; give NumPy arrays of float64 or float32, or leave it out")
        held[str(name)] = value
    if not callable(claimed) and not isinstance(claimed, Mapping):
        raise UsageError(
            f"claimed is {type(claimed).__name__}; give a dict of gradients by the arrays' names, or a function that returns one"
        )
    return Case(loss, held, _claimed(claimed, held), steps, batch)


def _claimed(claimed: Claimed, arrays: Mapping[str, Array]) -> Callable[[], dict[str, Array | None]]:
    def gradients() -> dict[str, Array | None]:
        answer = claimed() if callable(claimed) else claimed
        if not isinstance(answer, Mapping):
            raise UsageError(f"claimed returned {type(answer).__name__}; return a dict of gradients by the arrays' names")
        return {name: _fitted(name, answer.get(name), value) for name, value in arrays.items()}

    return gradients


def _fitted(name: str, gradient: Any, value: Array) -> Array | None:
    """A copy of a claimed gradient in its array's shape; one of other axes of length 1 is reshaped."""
    if gradient is None:
        return None
    found = np.array(gradient, dtype=np.result_type(np.asarray(gradient), np.float32))
    if found.shape != value.shape:
        plain = tuple(extent for extent in found.shape if extent != 1)
        if plain != tuple(extent for extent in value.shape if extent != 1):
            if found.size == 1:
                return np.full(value.shape, found.item())
            raise UsageError(f"claimed[{name!r}] has shape {found.shape}, its array {value.shape}; give them the same shape")
        found = found.reshape(value.shape)
    return found


def from_make(make: Make, steps: int, batch: int, seed: int) -> Case:
    """The Case that make(T, B, rng) gives; a third parameter called `seed` gets a whole number."""
    rng: Any = np.random.default_rng(seed)
    parameters = list(inspect.signature(make).parameters)
    if len(parameters) >= 3 and parameters[2] == "seed":
        rng = seed
    answer = make(steps, batch, rng)
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise UsageError("make(T, B, rng) is to return three things: loss, arrays, claimed")
    return case(*answer, steps=steps, batch=batch)
