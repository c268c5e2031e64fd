"""What is examined: a loss, the arrays that it reads, and the gradients that somebody claims."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof.doctor.framework_arrays import adapted, framework_of
from rnnproof.errors import UsageError

Array = np.ndarray[Any, Any]
Loss = Callable[[], float]
Claimed = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
Make = Callable[..., tuple[Loss, Mapping[str, Array], Claimed]]

_DRAWN = 0.5  # the standard deviation of arrays that came as zeros


@dataclass(frozen=True)
class Case:
    """A scalar function of arrays that are changed in place, and the gradients claimed for them.

    `steps` and `batch` are the sequence's length and the number of samples where they are known. `given` is what was given as
    the claimed gradients: a dict, or a function that computes them anew for other arrays.
    """

    loss: Loss
    arrays: dict[str, Array]
    given: Claimed
    steps: int | None = None
    batch: int | None = None

    def claimed(self) -> dict[str, Array | None]:
        """Copies of the claimed gradients by their arrays' names, in their shapes; None where there is none.

        The arrays are put back where computing the gradients changes them. Raises UsageError for another shape.
        """
        before = {name: value.copy() for name, value in self.arrays.items()}
        try:
            answer = self.given() if callable(self.given) else self.given
            if not isinstance(answer, Mapping):
                raise UsageError(f"claimed returned {type(answer).__name__}; return a dict of gradients by the arrays' names")
            return {name: _fitted(name, answer.get(name), value) for name, value in self.arrays.items()}
        finally:
            for name, value in self.arrays.items():
                value[...] = before[name]


def case(loss: Any, arrays: Any, claimed: Any, steps: int | None = None, batch: int | None = None) -> Case:
    """A Case of what a person gave; without `claimed` a framework's own gradients. Raises UsageError, saying what is wrong."""
    if isinstance(arrays, Mapping) and (framework := framework_of(loss, arrays)):
        loss, arrays, own = adapted(framework, loss, arrays)
        claimed = own if claimed is None else claimed
    if not callable(loss):
        raise UsageError(f"loss is {type(loss).__name__}; give a function without arguments that returns the loss as a number")
    if not isinstance(arrays, Mapping) or not arrays:
        raise UsageError("arrays: give a dict of the NumPy arrays that the loss reads, by name; they are changed in place")
    named: dict[str, Array] = {}
    for name, value in arrays.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            kind = f"{type(value).__name__}" + (f" of {value.dtype}" if isinstance(value, np.ndarray) else "")
            raise UsageError(f"arrays[{name!r}] is {kind}; give NumPy arrays of float64 or float32, or leave it out")
        named[str(name)] = value
    if claimed is None:
        raise UsageError("claimed is missing: give the gradients to be examined, or step=, a function that applies them")
    if not callable(claimed) and not isinstance(claimed, Mapping):
        raise UsageError(
            f"claimed is {type(claimed).__name__}; give a dict of gradients by name, or a function that returns one"
        )
    return Case(loss, named, claimed, steps, batch)


def _fitted(name: str, gradient: Any, value: Array) -> Array | None:
    """A copy of a claimed gradient in its array's shape; one of other axes of length 1 is reshaped."""
    if gradient is None:
        return None
    array = np.array(gradient)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"claimed[{name!r}] is of {array.dtype}; give real numbers")
    array = array.astype(np.float64) if array.dtype.kind != "f" else array
    if array.shape == value.shape:
        return array
    if array.size == 1:
        return np.full(value.shape, array.item())
    if [extent for extent in array.shape if extent != 1] != [extent for extent in value.shape if extent != 1]:
        raise UsageError(f"claimed[{name!r}] has shape {array.shape}, its array {value.shape}; give them the same shape")
    return array.reshape(value.shape)


def from_make(make: Make, steps: int, batch: int, seed: int) -> Case:
    """The Case that make(T, B, rng) gives; a third parameter called `seed` gets a whole number instead of a generator."""
    rng: Any = np.random.default_rng(seed)
    parameters = list(inspect.signature(make).parameters)
    if len(parameters) >= 3 and parameters[2] == "seed":
        rng = seed
    answer = make(steps, batch, rng)
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise UsageError("make(T, B, rng) is to return three things: loss, arrays, claimed")
    return case(*answer, steps=steps, batch=batch)


def applied(case: Case, step: Callable[[], Any], rate: float) -> Case:
    """The Case whose gradients are read off the step that `step` takes: (old - new) / rate."""

    def gradients() -> dict[str, Array]:
        before = {name: value.copy() for name, value in case.arrays.items()}
        case.loss()
        step()
        gradients = {name: (before[name] - value) / rate for name, value in case.arrays.items()}
        for name, value in case.arrays.items():
            value[...] = before[name]
        return gradients

    return Case(case.loss, case.arrays, gradients, case.steps, case.batch)


def fresh(make: Make, steps: int, batch: int, seed: int) -> Case:
    """The Case with everything made anew for each call, so that nothing is left over from the call before."""
    arrays = from_make(make, steps, batch, seed).arrays

    def again() -> Case:
        anew = from_make(make, steps, batch, seed)
        for name, value in anew.arrays.items():
            value[...] = arrays[name]
        return anew

    return Case(lambda: again().loss(), arrays, lambda: again().claimed(), steps, batch)


def without_zeros(case: Case, seed: int) -> tuple[str, ...]:
    """Fill the arrays that are all zero, as biases and initial states often are, at random; returns their names.

    Nothing is done where the claimed gradients are given as numbers: they belong to the arrays as they are.
    """
    if not callable(case.given):
        return ()
    rng = np.random.default_rng(seed)
    names = tuple(name for name, value in case.arrays.items() if value.size and not np.any(value))
    for name in names:
        case.arrays[name][...] = _DRAWN * rng.standard_normal(case.arrays[name].shape)
    return names


def drawn(case: Case, seed: int) -> Case:
    """The case at other arrays: they are put in place for each call of its functions and taken out again."""
    rng = np.random.default_rng(seed)
    arrays = {name: np.asarray(_DRAWN * rng.standard_normal(value.shape), value.dtype) for name, value in case.arrays.items()}

    def at(function: Callable[[], Any]) -> Callable[[], Any]:
        def call() -> Any:
            before = {name: value.copy() for name, value in case.arrays.items()}
            for name, value in case.arrays.items():
                value[...] = arrays[name]
            try:
                return function()
            finally:
                for name, value in case.arrays.items():
                    value[...] = before[name]

        return call

    given = at(case.given) if callable(case.given) else case.given
    return Case(at(case.loss), arrays, given, case.steps, case.batch)
