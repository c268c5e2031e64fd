"""A claimed gradient beside the right one, in one run and in several: what the hypotheses about wrong arrays compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rnnproof.doctor.numerical_gradient import Array, NumericalGradient

CLEAR = 1e-3  # an entry says something where its tolerance is below this part of it
# A factor or limit is known to the tolerance of the entries it is computed from; equal means within this many of these.
SAME = 4.0
# An explanation is accepted where claimed and explained values agree in this many decimal digits altogether, over all entries
# and runs: by chance once in a million. A number or an order that was fitted costs its own digits.
DIGITS = 6.0


@dataclass(frozen=True)
class Signature:
    """What a wrong array is: a kebab-case name, a sentence with the numbers, and the factor where there is one."""

    name: str
    says: str
    factor: float | None = None


@dataclass(frozen=True)
class Observation:
    """One run: what is claimed and what is right by array, with the steps, samples and axes of time where they are known."""

    claimed: Mapping[str, Array | None]
    true: Mapping[str, NumericalGradient]
    steps: int | None = None
    batch: int | None = None
    time_axes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """An array of one run: claimed against right values with tolerances, over the mask of entries that are compared."""

    run: Observation
    claimed: Array
    true: NumericalGradient

    @property
    def wrong(self) -> bool:
        return bool(self.true.differs(self.claimed).any())

    def clear(self, values: Array | None = None) -> Array:
        """The mask of compared entries, right or claimed, that are well above their tolerance."""
        size = np.abs(np.where(self.true.entries, self.true.values, 0.0) if values is None else values)
        return np.asarray(self.true.entries & (self.true.allowance(self.claimed) < CLEAR * size))

    def digits(self, expected: NumericalGradient) -> Array:
        """How many decimal digits of each claimed entry a comparison with these values tells, where it is clear; (clear,)."""
        size = np.abs(self.claimed)
        allowance = np.maximum(expected.allowance(self.claimed), np.finfo(self.claimed.dtype).eps * size)
        clear = expected.entries & (allowance < CLEAR * size)
        return np.asarray(np.log10(size[clear] / allowance[clear]))

    def equals(self, values: NumericalGradient) -> bool:
        """Whether the claimed array is this one, at all entries at which it is known, some of them clearly not zero."""
        return not values.differs(self.claimed).any() and bool(values.entries.any())


Row = Callable[[str, Sequence[Pair]], Signature | None]


def wrong_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.wrong]


def moved(gradient: NumericalGradient, change: Callable[[Array], Array]) -> NumericalGradient:
    """The gradient with a rearrangement of entries applied to its values, its tolerances and its masks."""
    return NumericalGradient(
        change(gradient.values),
        change(gradient.tolerance),
        change(gradient.entries),
        change(gradient.kinks),
        gradient.precision,
    )


def scaled(gradient: NumericalGradient, factor: float) -> NumericalGradient:
    """The gradient and its tolerances times a factor."""
    return replace(gradient, values=gradient.values * factor, tolerance=gradient.tolerance * abs(factor))


def explained(pairs: Sequence[Pair], change: Callable[[Pair], NumericalGradient | None], fitted: float = 0.0) -> bool:
    """Whether a change of the right gradients gives all claimed ones, in more digits than were fitted."""
    digits = -fitted
    for pair in pairs:
        expected = change(pair)
        if expected is None or not pair.equals(expected):
            return False
        digits += float(pair.digits(expected).sum()) if pair.wrong else 0.0
    return digits >= DIGITS


@dataclass(frozen=True)
class Ratio:
    """A factor between claimed and right values, how far it may be off, and the digits in which entries agree with it.

    `spare` are the digits that remain where the factor itself was fitted.
    """

    value: float
    tolerance: float
    digits: float
    spare: float


def ratio(pair: Pair) -> Ratio | None:
    """The one factor between the claimed and the right array, None where there is none."""
    clear = pair.clear()
    if not clear.any() or not np.isfinite(pair.claimed).all():
        return None
    best = np.unravel_index(int(np.argmax(np.where(clear, np.abs(pair.true.values), 0.0))), clear.shape)
    factor = float(pair.claimed[best] / pair.true.values[best])
    off = float(pair.true.allowance(pair.claimed)[best] / abs(pair.true.values[best])) * abs(factor)
    expected = scaled(pair.true, factor)
    digits = pair.digits(expected)
    # What the factor is off by is added to what each entry may be.
    expected = replace(expected, tolerance=expected.tolerance + off * np.abs(np.where(clear, pair.true.values, 0.0)))
    if factor == 0 or expected.differs(pair.claimed).any():
        return None
    return Ratio(factor, off, float(digits.sum()), float(digits.sum() - digits.max(initial=0.0)))


def close(first: float, second: float, *ratios: Ratio) -> bool:
    relative = sum(r.tolerance / abs(r.value) for r in ratios) + 1e-12
    return abs(first - second) <= SAME * relative * max(abs(first), abs(second))
