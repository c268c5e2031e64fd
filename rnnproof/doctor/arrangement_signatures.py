"""Wrong gradients that are right ones elsewhere: transposed, permuted, moved in time, or another array's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import lgamma, log

import numpy as np

from rnnproof.doctor.gradient_pair import DIGITS, Pair, Signature, explained, moved, ratio, scaled, wrong_pairs
from rnnproof.doctor.numerical_gradient import Array, NumericalGradient

LARGEST = 512  # rows or columns that are compared each with each
GATES = (2, 3, 4)  # blocks of a packed array


def transposed(name: str, pairs: Sequence[Pair]) -> Signature | None:
    """The transpose of a square array, or the entries of the transpose of another in the array's shape; times a factor."""
    if any(pair.claimed.ndim != 2 or min(pair.claimed.shape) < 2 for pair in pairs):
        return None

    def turned(gradient: NumericalGradient) -> NumericalGradient:
        return moved(gradient, lambda part: part.T.reshape(part.shape))

    square = all(pair.claimed.shape[0] == pair.claimed.shape[1] for pair in pairs)
    how = "transposed" if square else "transposed and read row by row in its own shape (reshape in place of .T)"
    if explained(pairs, lambda pair: turned(pair.true)):
        return Signature("transposed", f"the gradient of {name} is the right one {how}")
    answer = ratio(Pair(wrong_pairs(pairs)[0].run, wrong_pairs(pairs)[0].claimed, turned(wrong_pairs(pairs)[0].true)))
    if answer is None or answer.spare < DIGITS or not explained(pairs, lambda pair: scaled(turned(pair.true), answer.value)):
        return None
    says = f"the gradient of {name} is the right one {how}, times {answer.value:.6g}"
    return Signature("transposed", says, answer.value)


# ---- other arrays ------------------------------------------------------------------------------------------------------------


def another_array(name: str, pairs: Sequence[Pair]) -> Signature | None:
    """The right gradient of another array, or else what is claimed for one."""
    others = [other for other in pairs[0].run.true if other != name]
    for other in others:
        if explained(pairs, partial(_of_other, other)):
            return Signature("gradient-of-another-array", f"the gradient of {name} is the right gradient of {other}")
    for other in others:
        distinct = [pair.wrong for pair in pairs if _distinct(pair, other)]
        if all(_copied(pair, other) for pair in pairs) and distinct and all(distinct):  # right in one: the other is the copy
            says = f"the gradient of {name} is the same array as the gradient claimed for {other}, where the right ones differ"
            return Signature("copy-of-another-gradient", says)
    return None


def _of_other(other: str, pair: Pair) -> NumericalGradient | None:
    gradient, shape = pair.run.true.get(other), pair.claimed.shape
    if gradient is None or _plain(gradient.values.shape) != _plain(shape):
        return None
    return moved(gradient, lambda part: part.reshape(shape))


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(extent for extent in shape if extent != 1)


def _copied(pair: Pair, other: str) -> bool:
    theirs = pair.run.claimed.get(other)
    if theirs is None or _plain(theirs.shape) != _plain(pair.claimed.shape):
        return False
    rounding = 64 * float(np.finfo(pair.claimed.dtype).eps) * float(np.abs(theirs).max(initial=0.0))
    return bool(np.all(np.abs(theirs.reshape(pair.claimed.shape) - pair.claimed) <= rounding))


def _distinct(pair: Pair, other: str) -> bool:
    """Whether the right gradients of both arrays differ, and the claimed one is not zero."""
    theirs = _of_other(other, pair)
    if theirs is None or not pair.clear(pair.claimed).any():
        return False
    both = pair.true.entries & theirs.entries
    apart = np.abs(np.where(both, pair.true.values, 0) - np.where(both, theirs.values, 0))
    return bool(np.any(both & (apart > pair.true.allowance(pair.claimed) + theirs.allowance(pair.claimed))))


# ---- time --------------------------------------------------------------------------------------------------------------------


def _roll(steps: int, edge: bool) -> Callable[[Array], Array]:
    """Entries moved by some steps along axis 0; those that come in are zero, or with `edge` wrapped around."""

    def change(part: Array) -> Array:
        result = np.roll(part, steps, axis=0)
        if not edge:
            incoming = slice(None, steps) if steps > 0 else slice(steps, None)
            result[incoming] = part.dtype.type(part.dtype == bool)  # zero and no tolerance, but compared
        return result

    return change


def _alone(step: int) -> Callable[[Array], Array]:
    def change(part: Array) -> Array:
        result = np.full_like(part, part.dtype == bool)
        result[step] = part[step]
        return result

    return change


MOVES: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("reversed-in-time", "the right one with its time steps in the opposite order", lambda part: part[::-1]),
    ("wrapped-in-time", "the right one wrapped around by a step: that of t + 1 at t, the first at the end", _roll(-1, True)),
    ("wrapped-in-time", "the right one wrapped around by a step: that of t - 1 at t, the last at the start", _roll(1, True)),
    ("shifted-in-time", "the right one shifted by a step: that of t + 1 at t, and zero at the last", _roll(-1, False)),
    ("shifted-in-time", "the right one shifted by a step: that of t - 1 at t, and zero at the first", _roll(1, False)),
    ("last-step-only", "right at the last time step and zero at all others", _alone(-1)),
    ("first-step-only", "right at the first time step and zero at all others", _alone(0)),
)


def time_axis(name: str, pairs: Sequence[Pair]) -> int | None:
    """The axis of an array that is time: what the runs say, else the only axis as long as the steps in every run."""
    stated = {pair.run.time_axes.get(name) for pair in pairs}
    if stated != {None}:
        return stated.pop() if len(stated) == 1 else None
    lengths = {pair.run.steps for pair in pairs}
    if None in lengths or (len(lengths) == 1 and pairs[0].claimed.ndim < 3):  # one length is that of a parameter by chance
        return None
    axes = [axis for axis in range(pairs[0].claimed.ndim) if all(_extent(pair, axis) == pair.run.steps for pair in pairs)]
    return axes[0] if len(axes) == 1 else None


def _extent(pair: Pair, axis: int) -> int:
    return int(pair.claimed.shape[axis]) if axis < pair.claimed.ndim else 0


def moved_in_time(name: str, pairs: Sequence[Pair]) -> Signature | None:
    """A rearrangement along the axis of time, where only one explains every run."""
    axis = time_axis(name, pairs)
    if axis is None:
        return None

    def along(change: Callable[[Array], Array]) -> Callable[[Pair], NumericalGradient]:
        return lambda pair: moved(pair.true, lambda part: np.moveaxis(change(np.moveaxis(part, axis, 0).copy()), 0, axis))

    rows = [(kind, text) for kind, text, change in MOVES if explained(pairs, along(change))]
    if len(rows) != 1:  # with two steps, to reverse and to wrap are one
        return None
    return Signature(rows[0][0], f"the gradient of {name} is {rows[0][1]}")


# ---- permutations ------------------------------------------------------------------------------------------------------------


def permuted(name: str, pairs: Sequence[Pair]) -> Signature | None:
    """The right entries in another order along one axis, the same order in all runs in which that axis is as long."""
    first = wrong_pairs(pairs)[0]
    for axis in range(first.claimed.ndim):
        order = _order(np.moveaxis(first.claimed, axis, 0), moved(first.true, partial(np.moveaxis, source=axis, destination=0)))
        if order is None or any(_extent(pair, axis) != len(order) for pair in pairs):
            continue
        ordered = partial(np.take, indices=order, axis=axis)
        if explained(pairs, partial(_ordered, ordered), fitted=lgamma(len(order) + 1) / log(10)):
            return Signature("permuted", f"the gradient of {name} is the right one with {_order_text(order, axis)}")
    return None


def _ordered(change: Callable[[Array], Array], pair: Pair) -> NumericalGradient:
    return moved(pair.true, change)


def _order(claimed: Array, true: NumericalGradient) -> list[int] | None:
    """The right row that stands at each row of the claimed array; None where there is no such order or more than one."""
    extent = len(claimed)
    if not 2 <= extent <= LARGEST or not true.entries.reshape(extent, -1).any(axis=1).all():
        return None
    allowance = true.allowance(claimed)
    free, order = set(range(extent)), []
    for row in claimed:
        close = np.abs(np.where(true.entries, true.values, 0.0) - row) <= allowance
        fitting = [index for index in free if (close[index] | ~true.entries[index]).all()]
        if not fitting or (len(fitting) > 1 and np.any(np.abs(row) > allowance[fitting[0]])):
            return None
        order.append(min(fitting))  # rows of zeros are all the same
        free.remove(order[-1])
    return None if order == sorted(order) else order


def _order_text(order: Sequence[int], axis: int) -> str:
    """An order in words: blocks of a packed array where they move as wholes."""
    extent = len(order)
    for gates in GATES:
        size = extent // gates
        blocks = [order[block * size] for block in range(gates)]
        whole = extent % gates == 0 and size > 1 and all(order[i] == blocks[i // size] + i % size for i in range(extent))
        if whole and all(block % size == 0 for block in blocks):
            return f"its {gates} blocks along axis {axis} in the order {[block // size for block in blocks]}"
    if list(order) == list(range(extent))[::-1]:
        return f"axis {axis} reversed"
    numbers = list(order) if extent <= 16 else f"{list(order[:16])} ..."
    return f"its entries along axis {axis} in the order {numbers}"
