"""A black-box loss: its value as a float, and the precision in which it computes, whatever dtype it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof.errors import UsageError

Array = np.ndarray[Any, Any]
Evaluate = Callable[[], Any]

# Steps of the difference tables, as powers of two of an array's scale: from where float64 values differ by some thousand
# roundings to where float16 values do. Fourth differences of a smooth loss are 2^-160 to 2^-32 of it, below its noise.
EXPONENTS = (-40, -32, -24, -20, -16, -12, -8)
DIRECTIONS = 3


@dataclass(frozen=True)
class Noise:
    """The error of a loss's values: its standard deviation, also relative to their size, and the dtype it is the noise of."""

    absolute: float
    relative: float
    dtype: str


def loss_value(evaluate: Evaluate) -> float:
    """The loss as a float. Raises UsageError where it is not a single real number."""
    answer = evaluate()
    if isinstance(answer, float):
        return float(answer)
    try:
        if isinstance(answer, str | bytes):
            raise TypeError
        number = answer.item() if hasattr(answer, "item") else answer
        return float(number)
    except (TypeError, ValueError, RuntimeError) as error:
        shape = f" of shape {np.shape(answer)}" if hasattr(answer, "shape") else ""
        raise UsageError(f"loss() returned {type(answer).__name__}{shape}; return a single real number") from error


@contextmanager
def restored(*arrays: Array) -> Iterator[None]:
    """Give every array its bits back at the end, whatever happens. Raises UsageError for one that is read-only."""
    for array in arrays:
        if not array.flags.writeable:
            raise UsageError(
                f"an array of shape {array.shape} is read-only; the loss is differentiated by changing it in place"
            )
    copies = [array.copy() for array in arrays]
    try:
        yield
    finally:
        for array, copy in zip(arrays, copies, strict=True):
            array[...] = copy


def noise(evaluate: Evaluate, arrays: Mapping[str, Array], seed: int = 0) -> Noise:
    """The precision in which a loss really computes, from differences of its values at equal tiny steps (ECNoise).

    Source: J. J. More and S. M. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011). Some 30 evaluations, and
    some 60 where the precision is low.
    """
    rng = np.random.default_rng(seed)
    with restored(*arrays.values()), np.errstate(all="ignore"):
        values = [loss_value(evaluate)]
        if not np.isfinite(values[0]):
            raise UsageError(f"loss() is {values[0]}; give a case in which it is finite")
        absolute = _table_noise(evaluate, arrays, rng)
        for _ in range(3):  # the size of the values, where the value at the point happens to be small
            with restored(*arrays.values()):
                for array in arrays.values():
                    array += perturbation(array, 0.1, rng)
                values.append(loss_value(evaluate))
    size = float(np.nanmax(np.abs(np.where(np.isfinite(values), values, 0.0))))
    least = float(np.finfo(np.float64).eps) / 4 * size  # a value rounded to nearest has 0.29 units in its last place
    absolute = max(absolute, least)
    relative = absolute / size if size else 0.0
    # Unit roundoffs are 1e-16, 6e-8 and 5e-4; sums over many terms add a factor of up to some hundreds.
    return Noise(absolute, relative, "float64" if relative < 1e-10 else "float32" if relative < 1e-5 else "float16")


def scale(array: Array) -> float:
    """The size of an array's entries, 1 where they all are zero."""
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) or 1.0 if array.size else 1.0


def perturbation(array: Array, size: float, rng: np.random.Generator) -> Array:
    """A normal random change of an array, in its dtype, of `size` times its scale."""
    return np.asarray(size * scale(array) * rng.standard_normal(array.shape), dtype=array.dtype)


def _table_noise(evaluate: Evaluate, arrays: Mapping[str, Array], rng: np.random.Generator) -> float:
    """The noise in the values by their difference tables; steps grow until most values differ. 0 where they never do."""
    chosen = [{name: np.asarray(rng.random(array.shape) < 0.5) for name, array in arrays.items()} for _ in range(DIRECTIONS)]
    for exponent in EXPONENTS:
        levels: list[float] = []
        for number in range(DIRECTIONS):
            if number == 1 and not levels:
                break  # steps below the resolution of the loss
            values = _along(evaluate, arrays, chosen[number], exponent)
            if len(np.unique(values)) > len(values) / 2 and np.isfinite(values).all():
                levels.append(_level(values))
        if levels:
            return float(np.sqrt(np.mean(np.square(levels))))
    jumps = np.abs(np.diff(values))  # the largest steps cross a few roundings at most: they are the resolution
    return 0.29 * float(jumps[jumps > 0].min(initial=np.inf)) if np.any(jumps > 0) else 0.0


def _level(values: Array) -> float:
    """The standard deviation of noise by differences of high order, which a smooth function at these steps has not."""
    levels, differences, factor = [], values, 1.0
    for order in range(1, 7):
        differences = np.diff(differences)
        factor *= order / (2 * (2 * order - 1))
        if order >= 4:
            levels.append(factor * float(np.mean(differences**2)))
    return float(np.sqrt(np.mean(levels)))


def _along(evaluate: Evaluate, arrays: Mapping[str, Array], chosen: Mapping[str, Array], exponent: int) -> Array:
    """The loss at nine equal steps of 2^exponent of each array's scale, of the chosen entries.

    Steps are powers of two towards zero, which are taken without a rounding: that of a float32 array is not the loss's noise.
    """
    with restored(*arrays.values()):
        values = [loss_value(evaluate)]
        steps = {name: _exact_steps(array, exponent) * chosen[name] for name, array in arrays.items()}
        for _ in range(8):
            for name, array in arrays.items():
                array -= steps[name].astype(array.dtype)
            values.append(loss_value(evaluate))
    return np.array(values)


def _exact_steps(array: Array, exponent: int) -> Array:
    size = np.maximum(np.abs(array.astype(np.float64)), scale(array))
    bits = np.finfo(array.dtype).nmant
    steps = 2.0 ** (np.ceil(np.log2(size)) + max(exponent, 2 - bits))
    exact = (np.abs(array) >= 8 * steps) | (array == 0)
    return np.asarray(np.where(exact, np.copysign(steps, array), 0.0))
