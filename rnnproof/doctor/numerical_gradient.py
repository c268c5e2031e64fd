"""The gradient of a black-box loss by differences, with a bound of the error in each entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnnproof.doctor.loss_noise import Array, Evaluate, Noise, loss_value, noise, restored, scale

__all__ = ["Array", "Noise", "NumericalGradient", "noise", "numerical_gradient", "numerical_gradients"]

# Three central differences D(h), D(h/2), D(h/4) extrapolated: (64 D(h/4) - 20 D(h/2) + D(h)) / 45 = f' + h^6 f^(7) / (64 * 7!).
# Noise s in f gives it the standard deviation sqrt(2) * sqrt((128/45)^2 + (20/45)^2 + (1/90)^2) s/h = 4.1 s/h. A tanh under
# another has f^(7) of some 300 to 3000 in units of its argument, so both are equal at h^7 = 4.1 s * 64 * 7! / 1000 = 1300 s:
# h = 0.015 for s = 1e-16 and 0.26 for s = 6e-8.
STEP, STEP_AT, LARGEST_STEP = 0.015, 1e-16, 0.25
NOISE_FACTOR = 4.1 * 6 * 2  # six standard deviations (one entry in 5e8), twice for what the estimate of s itself is off by
# The jump between the slopes on the right and on the left, S(h) = J + f'' h + f^(4) h^3 / 12 + ..., extrapolated to
# (16 S(h/4) - 10 S(h/2) + S(h)) / 7: noise 4 * 16/7 * sqrt(6) s/h = 23 s/h and a little; six deviations, twice.
JUMP_NOISE_FACTOR = 23 * 6 * 2
# Truncation: with D(h) = f' + a h^2 + b h^4 + c h^6 the extrapolations of one, two and three differences are off by a h^2/16,
# b h^4/64, c h^6/64. The second and third differ by what the second is off by, and that bounds the error of the third as long
# as c h^2 < b: by far at these steps (c/b is about 1 for tanh). Sharper bounds, from ratios of the three, fail where a, b or c
# pass through zero: by factors up to 60 for random gated nets.
POOR = (
    1e-9  # a bound above this part of the gradient asks for smaller steps: smooth losses are at 1e-12, a kink in reach at 1e-2
)
SMALLER, LEVELS = 8.0, 12
EVALUATIONS = 20_000
SAMPLE = 20  # entries of an array that are computed at the least
CLAIMED_FACTOR = 64  # roundings, of the array's largest entry, that a claimed gradient may have: sums over steps and samples


@dataclass(frozen=True)
class NumericalGradient:
    """A gradient by differences and a bound of its error, both of the array's shape; NaN and inf where it is not known.

    `entries` is the mask of the entries to be compared. `kinks` is the mask of those at which the slopes on the left and on the
    right differ: they have no gradient. In neither: not in the sample, or the loss is not finite near the point.
    `precision` is the relative precision in which the loss, so probably the claimed gradient too, computes.
    """

    values: Array
    tolerance: Array
    entries: Array
    kinks: Array
    precision: float = float(np.finfo(np.float64).eps)

    @property
    def complete(self) -> bool:
        """Whether every entry was computed."""
        return bool(self.entries.all())

    def allowance(self, claimed: Array) -> Array:
        """How far each entry of a right gradient in the claimed one's precision may be from `values`; inf outside `entries`."""
        precision = max(self.precision, float(np.finfo(claimed.dtype).eps))
        largest = float(np.abs(self.values[self.entries]).max(initial=0.0))
        return np.asarray(self.tolerance + CLAIMED_FACTOR * precision * largest)

    def differs(self, claimed: Array) -> Array:
        """The mask of the compared entries in which a claimed gradient, of the same shape, is wrong; NaN and inf are wrong."""
        close = np.abs(np.where(self.entries, self.values, 0.0) - claimed) <= self.allowance(claimed)
        return np.asarray(self.entries & ~close)


def numerical_gradients(
    evaluate: Evaluate,
    arrays: Mapping[str, Array],
    *,
    evaluations: int = EVALUATIONS,
    seed: int = 0,
    noise_level: Noise | None = None,
) -> dict[str, NumericalGradient]:
    """The gradient of a loss in every array; they share the evaluations, and each gets a sample of at least 20 entries."""
    level = noise_level or noise(evaluate, arrays, seed)
    left, answer = max(evaluations, 12 * SAMPLE * len(arrays)), {}
    for rank, name in enumerate(
        sorted(arrays, key=lambda name: arrays[name].size)
    ):  # what small arrays leave is for large ones
        share = left // (len(arrays) - rank)
        answer[name] = numerical_gradient(evaluate, arrays[name], noise_level=level, evaluations=share, seed=seed)
        left -= min(share, 12 * arrays[name].size)
    return {name: answer[name] for name in arrays}


def numerical_gradient(
    evaluate: Evaluate, array: Array, *, noise_level: Noise | None = None, evaluations: int = EVALUATIONS, seed: int = 0
) -> NumericalGradient:
    """The gradient of `evaluate()` in an array that it reads, which is changed in place and restored bit for bit.

    With more entries than a twelfth of the evaluations a random sample of them is computed, spread over the array, the same
    one for the same seed. Raises UsageError where the loss is no finite number or the array is read-only.
    """
    level = noise_level or noise(evaluate, {"array": array}, seed)
    count = max(evaluations // 12, SAMPLE)
    index = np.arange(array.size) if array.size <= count else _sample(array.size, count, np.random.default_rng(seed))
    with restored(array), np.errstate(all="ignore"):
        estimate = _settled(_Differences(evaluate, array, level), index, max(evaluations, 12 * SAMPLE))
    usable = ~estimate.kink & np.isfinite(estimate.tolerance)

    def spread(column: Array, missing: float | bool) -> Array:
        flat = np.full(array.size, missing)
        flat[index] = column
        return flat.reshape(array.shape)

    return NumericalGradient(
        values=spread(np.where(usable, estimate.value, np.nan), np.nan),
        tolerance=spread(np.where(usable, estimate.tolerance, np.inf), np.inf),
        entries=spread(usable, False),
        kinks=spread(estimate.kink, False),
        precision=float(np.finfo(level.dtype).eps),
    )


def _sample(size: int, count: int, rng: np.random.Generator) -> Array:
    """A random index out of each of `count` equal parts of range(size)."""
    edges = np.linspace(0, size, count + 1).astype(int)
    return rng.integers(edges[:-1], edges[1:])


@dataclass(frozen=True)
class _Estimate:
    """Slopes, bounds of their errors, the part of these that is noise, and whether there is a kink; each (entries,)."""

    value: Array
    tolerance: Array
    rounding: Array
    kink: Array


@dataclass(frozen=True)
class _Differences:
    """Differences of a loss along single entries of an array."""

    evaluate: Evaluate
    array: Array
    noise: Noise

    def step(self) -> float:
        """The first step: where noise and truncation balance, as a power of two so that it is taken without rounding."""
        relative = STEP * (max(self.noise.relative, STEP_AT) / STEP_AT) ** (1 / 7)
        return float(2.0 ** np.round(np.log2(min(relative, LARGEST_STEP) * scale(self.array))))

    def estimate(self, index: Array, step: float) -> _Estimate:
        """Extrapolated slopes at flat indices by six values each."""
        center = loss_value(self.evaluate)
        offsets = step * np.array([1, 0.5, 0.25, -1, -0.5, -0.25])
        values, taken = np.empty((len(index), 6)), np.empty((len(index), 6))
        for row, flat in enumerate(index):
            position = np.unravel_index(flat, self.array.shape) if self.array.ndim else ()
            before = self.array[position]
            for column, offset in enumerate(offsets):
                self.array[position] = before + offset
                taken[row, column] = float(self.array[position]) - float(before)
                values[row, column] = loss_value(self.evaluate)
            self.array[position] = before
        return self._extrapolated(center, values, taken, np.abs(taken / offsets - 1).max(axis=1, initial=0.0), step)

    def _extrapolated(self, center: float, values: Array, taken: Array, uneven: Array, step: float) -> _Estimate:
        up, down = taken[:, :3], -taken[:, 3:]
        jumps = (values[:, :3] - center) / up - (center - values[:, 3:]) / down
        # Steps that were rounded differ to the left and right: f''/2 times their difference goes, f'' from the smallest steps.
        slopes = (values[:, :3] - values[:, 3:]) / (up + down) - jumps[:, 2:] / (up + down)[:, 2:] * (up - down)
        first, second = slopes[:, 2], (4 * slopes[:, 2] - slopes[:, 1]) / 3
        third = (64 * slopes[:, 2] - 20 * slopes[:, 1] + slopes[:, 0]) / 45
        rounding = np.full(len(third), NOISE_FACTOR * self.noise.absolute / step)
        truncation = _truncation(np.abs(second - first), np.abs(third - second), rounding)
        truncation += 4 * uneven * np.abs(slopes[:, 2] - slopes[:, 0])
        jump = np.abs(16 * jumps[:, 2] - 10 * jumps[:, 1] + jumps[:, 0]) / 7
        curved = np.abs(2 * jumps[:, 2] - 3 * jumps[:, 1] + jumps[:, 0]) / 7 + uneven * np.abs(jumps).max(axis=1, initial=0.0)
        hidden = rounding * (
            JUMP_NOISE_FACTOR / NOISE_FACTOR
        )  # a jump that noise may hide, half of which is in the central slope
        kink = jump > 3 * curved + hidden
        tolerance = rounding + truncation + np.where(kink, jump, np.minimum(jump, hidden) / 2)
        tolerance = np.where(np.isfinite(tolerance), tolerance, np.inf)
        return _Estimate(third, tolerance, rounding, kink & np.isfinite(tolerance))


def _truncation(first: Array, second: Array, rounding: Array) -> Array:
    """Bounds of the truncation errors from the differences between extrapolations of one, two and three steps."""
    clear = (first > rounding) & (second > rounding / 10)
    common = float(np.median(second[clear] / first[clear])) if clear.any() else 0.0
    return np.asarray(
        np.maximum(second, common * first)
    )  # an entry whose b happens to be about zero has the error of the others


def _settled(differences: _Differences, index: Array, evaluations: int) -> _Estimate:
    """The best estimate per entry; steps grow smaller for those entries alone whose bound is poor or waits to be confirmed."""
    step = differences.step()
    best = differences.estimate(index, step)
    # With kinks between the points three differences agree by chance where noise is as large as 1e-2 of a kink; not at 1e-9.
    waiting = np.full(len(index), differences.noise.dtype != "float64")
    left = evaluations - 6 * len(index)
    for _ in range(LEVELS):
        chosen = np.flatnonzero(waiting | _poor(best, differences.noise.absolute / step))[: max(left // 6, 0)]
        if not len(chosen):
            break
        step /= SMALLER
        left -= 6 * len(chosen)
        better, best = _merged(best, chosen, differences.estimate(index[chosen], step))
        waiting[chosen] = waiting[chosen] & better  # what a smaller step corrected is itself to be confirmed
        waiting &= NOISE_FACTOR * differences.noise.absolute / step < best.tolerance
    return best


def _poor(best: _Estimate, rounding: float) -> Array:
    """Entries with a bound that is not near those of smooth losses, and that a smaller step can better."""
    finite = np.isfinite(best.tolerance)
    usual = float(np.sqrt(np.mean(np.square(best.value[finite])))) if finite.any() else 0.0
    wanted = POOR * np.maximum(np.abs(best.value), usual) + 2 * best.rounding
    next_best = 2 * SMALLER * rounding * np.where(best.kink, JUMP_NOISE_FACTOR, NOISE_FACTOR)
    return np.asarray(~(best.tolerance <= wanted) & (best.tolerance > next_best))


def _merged(best: _Estimate, chosen: Array, finer: _Estimate) -> tuple[Array, _Estimate]:
    """The better of two estimates at the chosen entries, and the mask of those at which it is the one of smaller steps."""
    value, tolerance = best.value[chosen], best.tolerance[chosen]
    apart = np.abs(finer.value - value)
    # Two that contradict have a kink between the points of the larger step; one near the point is in reach of both.
    contradicted = np.isfinite(finer.tolerance) & ((apart > tolerance + finer.tolerance) | finer.kink)
    better = contradicted | (finer.tolerance < tolerance)
    confirmed = np.where(np.isfinite(finer.tolerance), tolerance + apart, tolerance)
    columns = {
        "value": np.where(better, finer.value, value),
        "tolerance": np.where(better, finer.tolerance, confirmed),
        "rounding": np.where(better, finer.rounding, best.rounding[chosen]),
        "kink": np.where(better, finer.kink, best.kink[chosen]),
    }
    return better, _Estimate(**{name: _replaced(getattr(best, name), chosen, column) for name, column in columns.items()})


def _replaced(array: Array, index: Array, values: Array) -> Array:
    copy = array.copy()
    copy[index] = values
    return copy
