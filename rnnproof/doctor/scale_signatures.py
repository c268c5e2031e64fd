"""Wrong gradients that are right up to a number: zero, a constant factor, clipped by value or by norm."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnnproof.doctor.gradient_pair import DIGITS, Pair, Ratio, Signature, close, explained, ratio, wrong_pairs
from rnnproof.doctor.numerical_gradient import NumericalGradient

NICE = (1.0, -1.0, 2.0, 0.5, -2.0, -0.5)
# A limit is a round number within this relative distance: two digits in a decade are hit by chance once in 5e4.
ROUND = 1e-7


def not_finite(name: str, pairs: Sequence[Pair]) -> Signature | None:
    for pair in pairs:
        bad = ~np.isfinite(pair.claimed)
        if bad.any():
            says = f"the gradient of {name} is not finite in {int(bad.sum())} of its {bad.size} entries"
            return Signature("not-finite", says)
    return None


def zero(name: str, pairs: Sequence[Pair]) -> Signature | None:
    if any(np.any(pair.claimed) for pair in pairs) or not any(pair.clear().any() for pair in pairs):
        return None
    largest = max(float(np.nanmax(np.abs(pair.true.values))) for pair in wrong_pairs(pairs))
    return Signature(
        "zero", f"the gradient of {name} is zero in all entries, where the right one has entries up to {largest:.4g}"
    )


@dataclass(frozen=True)
class Reading:
    """A factor read as number * steps^p * batch^q."""

    number: float
    steps: int
    batch: int

    @property
    def name(self) -> str:
        return "scaled-by-time" if self.steps else "scaled-by-batch" if self.batch else "wrong-factor"

    @property
    def effort(self) -> int:
        """How much has to be assumed: a number beside 1, each power."""
        number = 0 if self.number == 1 else 1 if self.number in NICE else 3
        return number + abs(self.steps) + abs(self.batch)

    def __str__(self) -> str:
        over = [symbol for symbol, power in (("T", self.steps), ("B", self.batch)) if power < 0]
        times = [symbol for symbol, power in (("T", self.steps), ("B", self.batch)) if power > 0]
        number = [] if self.number == 1 and times else [f"{self.number:.6g}"]
        below = f"({' '.join(over)})" if len(over) > 1 else "".join(over)
        return " ".join([*number, *times]) + (f"/{below}" if over else "")


def _readings(ratios: Sequence[tuple[Pair, Ratio]]) -> Iterator[Reading]:
    """Every form number * T^p * B^q with one number that has all factors."""
    for steps, batch in itertools.product((0, -1, 1), repeat=2):
        known = all((not steps or pair.run.steps) and (not batch or pair.run.batch) for pair, _ in ratios)
        if not known:
            continue
        numbers = [r.value / (float(p.run.steps or 1) ** steps * float(p.run.batch or 1) ** batch) for p, r in ratios]
        if all(close(numbers[0], number, ratios[0][1], r) for number, (_, r) in zip(numbers, ratios, strict=True)):
            number = next((n for n in NICE if close(n, numbers[0], *(r for _, r in ratios))), numbers[0])
            if number in NICE or (not steps and not batch) or len({p.run.steps for p, _ in ratios}) > 2:
                yield Reading(number, steps, batch)


def factor(name: str, pairs: Sequence[Pair]) -> Signature | None:
    ratios: list[tuple[Pair, Ratio]] = []
    for pair in pairs:
        if pair.wrong or pair.clear().any():  # an array that is zero has every factor
            answer = ratio(pair)
            if answer is None:
                return None
            ratios.append((pair, answer))
    readings = sorted(_readings(ratios), key=lambda reading: (reading.effort, reading.steps == 0))
    digits = sum(r.digits for pair, r in ratios if pair.wrong)
    spare = digits - min(r.digits - r.spare for pair, r in ratios if pair.wrong)
    readings = [reading for reading in readings if (digits if reading.number in NICE else spare) >= DIGITS]
    if not readings:
        return None
    first = next(r.value for pair, r in ratios if pair.wrong)
    equal = [reading for reading in readings if reading.effort == readings[0].effort]
    kind = equal[0].name if len({reading.name for reading in equal}) == 1 else "wrong-factor"
    run = next(pair.run for pair, _ in ratios if pair.wrong)
    sizes = ", ".join(f"{symbol} = {size}" for symbol, size in (("T", run.steps), ("B", run.batch)) if size)
    forms = " or ".join(dict.fromkeys(str(reading) for reading in equal))
    says = f"the gradient of {name} is the right one times {first:.6g}"
    if any(reading.steps or reading.batch for reading in equal):
        says += f", which is {forms} at {sizes}"
    elif equal[0].number not in NICE and 0 < first < 1 and len(ratios) == 1:
        norm = _norm(next(pair for pair in pairs if pair.wrong), [name])
        says += f"; one run does not tell a constant from clipping (its norm is {norm:.6g})"
    return Signature(kind, says, first)


# ---- clipping ----------------------------------------------------------------------------------------------------------------


def clipped_by_value(name: str, pairs: Sequence[Pair]) -> Signature | None:
    """All entries beyond a limit are the limit, the others right; one limit in all runs."""
    wrong = wrong_pairs(pairs)
    limit = max(float(np.abs(pair.claimed).max()) for pair in wrong)
    beyond = 0
    for pair in pairs:
        size = float(np.abs(pair.claimed).max(initial=0.0))
        if size > limit * (1 + 1e-6) or (pair.wrong and size < limit * (1 - 1e-6)):
            return None
        beyond += int(
            (pair.true.entries & (np.abs(np.where(pair.true.entries, pair.true.values, 0)) > limit * (1 + 1e-6))).sum()
        )
    if (
        not limit
        or not explained(pairs, lambda pair: _limited(pair.true, limit))
        or not (beyond > 1 or _round(limit, _exactness(pairs)))
    ):
        return None
    largest = max(float(np.nanmax(np.abs(pair.true.values))) for pair in wrong)
    says = f"the gradient of {name} is clipped by value to +-{limit:.6g}, where the right one has entries up to {largest:.4g}"
    return Signature("clipped-by-value", says)


def _limited(gradient: NumericalGradient, limit: float) -> NumericalGradient:
    return NumericalGradient(
        np.clip(gradient.values, -limit, limit), gradient.tolerance, gradient.entries, gradient.kinks, gradient.precision
    )


def _exactness(pairs: Sequence[Pair]) -> float:
    """The relative distance within which a limit that is computed from claimed gradients is equal to a number."""
    return max(ROUND, *(16 * float(np.finfo(pair.claimed.dtype).eps) for pair in pairs))


def _round(number: float, exactness: float) -> bool:
    """Whether a number has two significant digits at most."""
    return abs(number - float(f"{number:.1e}")) <= exactness * number


def clipped_by_norm(name: str, pairs: Sequence[Pair]) -> Signature | None:
    """One factor below 1 for a group of arrays whose joint norm, as claimed, is one limit in all runs."""
    ratios = {index: ratio(pair) for index, pair in enumerate(pairs) if pair.wrong}
    known = [r for r in ratios.values() if r is not None and 0 < r.value < 1]
    if len(known) < len(ratios) or sum(r.spare for r in known) < DIGITS:
        return None
    differ = any(not close(known[0].value, r.value, known[0], r) for r in known)
    for group in _groups(name, pairs, ratios):
        limits = [_norm(pair, group) for pair in pairs if pair.wrong]
        for added in (0.0, 1e-6):  # limit / (norm + 1e-6) is a usual factor
            candidates = [limit + added * r.value for limit, r in zip(limits, known, strict=True)]
            limit, off = candidates[0], max(r.tolerance / r.value for r in known) + _exactness(pairs)
            same = all(abs(candidate - limit) <= off * limit for candidate in candidates)
            below = all(_norm(pair, group) <= limit * (1 + off) for pair in pairs if not pair.wrong)
            if same and below and (differ or _round(limit, _exactness(pairs))):
                return _norm_signature(name, group, limit, limits[0] / known[0].value, known[0].value)
    return None


def _norm(pair: Pair, group: Sequence[str]) -> float:
    gradients = [gradient for name in group if (gradient := pair.run.claimed.get(name)) is not None]
    return float(np.sqrt(sum(float(np.sum(gradient.astype(float) ** 2)) for gradient in gradients)))


def _groups(name: str, pairs: Sequence[Pair], ratios: dict[int, Ratio | None]) -> Iterator[list[str]]:
    """The array alone; the arrays with the same factor in each run in which it is wrong; all arrays."""
    yield [name]
    claimed = [other for other in pairs[0].run.claimed if all(pair.run.claimed.get(other) is not None for pair in pairs)]
    same = [other for other in claimed if all(_agrees(other, pairs[index], r) for index, r in ratios.items())]
    if len(same) > 1:
        yield same
    yield claimed


def _agrees(other: str, pair: Pair, own: Ratio | None) -> bool:
    claimed = pair.run.claimed[other]
    if claimed is None or own is None or other not in pair.run.true:
        return False
    theirs = ratio(Pair(pair.run, claimed, pair.run.true[other]))
    return not np.any(claimed) or (theirs is not None and close(own.value, theirs.value, own, theirs))


def _norm_signature(name: str, group: Sequence[str], limit: float, norm: float, factor: float) -> Signature:
    whose = f"the gradient of {name}" if len(group) == 1 else f"the gradients of {', '.join(group)} jointly"
    verb = "is" if len(group) == 1 else "are"
    says = f"{whose} {verb} clipped by norm: {limit:.6g} where the right norm is {norm:.6g}, a factor of {factor:.6g}"
    return Signature("clipped-by-norm", says, factor)
