"""What the contract promises beside gradients: linear in the seeds, missing seeds, a used trace, prepared parameters, steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnproof.verification.module_under_test import ModuleFault, Subject
from rnnproof.verification.reference import ROUNDING, Reference, coarsest, rounding
from rnnproof.verification.sample import Array, Sample

# The same operations on the same numbers: nothing but the last bits of a differently laid out product may differ.
EXACT = float(np.finfo(np.float64).tiny)

# Factors of the seeds, from 1e-6 to 1e6, as powers of two: a product with one of them rounds nothing, so every sum inside
# `backward` is the same up to this factor and the order of its terms. Minus one finds what treats the signs differently.
FACTORS = (-1.0, 2.0**-20, 2.0**-10, 2.0**10, 2.0**20)

# Terms that one entry of a gradient sums at the sizes checked (T, B and an inner product). Each may fall below the smallest
# normal number, which 2^-20 brings nearer, and then loses up to that number.
TERMS = 1e5


def zero_seeds(subject: Subject, point: Sample) -> Reference:
    """Where every seed is zero, every gradient is exactly zero."""
    seeds = {name: np.zeros_like(seed) for name, seed in point.d_states.items()}
    zeros = {label: np.zeros_like(value) for label, value in point.leaves().items()}
    return Reference(zeros, EXACT, "exact", point=replace(point, d_states=seeds))


def missing_seeds(subject: Subject, point: Sample) -> Reference:
    """A state without a key in d_states counts as zero: all are left out at T > 1 and B > 1, else those without a seed."""
    rest = {name: seed for name, seed in point.d_states.items() if np.any(seed)}
    present = rest if len(rest) < len(point.d_states) else {}
    filled = {name: present.get(name, np.zeros_like(seed)) for name, seed in point.d_states.items()}
    whole = subject.gradients(replace(point, d_states=filled))
    values = {label: whole[label] for label in point.leaves()}
    return Reference(values, **rounding(point), point=replace(point, d_states=present))


def takes_missing_seeds(subject: Subject) -> str:
    """Why no seed may be missing: `backward` raises; "" where one may. A module of one's own need not allow it."""
    point = subject.draw({"T": 2, "B": 2}, 0)
    try:
        subject.gradients(replace(point, d_states={}))
    except ModuleFault as fault:
        return f"{subject.plain(fault)} where d_states lacks a state; a generated module takes that as zero, yours need not"
    return ""


def again(subject: Subject, point: Sample) -> Reference:
    """A second `backward` on the same trace, made from prepared parameters if the module prepares: nothing was used up."""
    prepared = subject.call("prepare", point.params) if hasattr(subject.module, "prepare") else None
    trace = subject.forward(point, prepared)
    subject.answer(trace, point)
    return Reference(subject.answer(trace, point), **rounding(point))


@dataclass(frozen=True)
class _Trial:
    """What should equal backward(d), what it means if it does not, and how large an error of each gradient rounding allows."""

    answer: dict[str, Array]
    means: str
    dtype: Any
    parts: tuple[dict[str, Array], ...] = ()
    factor: float = 1.0

    def allowed(self, label: str, largest: float) -> float:
        """The relative error that may be.

        Two runs at seeds scaled by a power of two differ by rounding alone, as everywhere, and by what falls below the smallest
        normal number: TERMS of those, divided by the factor. A sum of parts has the rounding of the parts, which may be larger.
        """
        limits = np.finfo(coarsest(self.dtype, self.answer[label].dtype))
        eps, tiny = float(limits.eps), float(limits.tiny)
        size = sum(float(np.max(np.abs(part[label]), initial=0.0)) for part in self.parts) / largest
        return ROUNDING * eps * max(1.0, size) + TERMS * tiny / min(1.0, abs(self.factor)) / largest


def linearity(subject: Subject, point: Sample) -> Reference:
    """backward(k d) = k backward(d) and backward(d1 + d2) = backward(d1) + backward(d2): for each gradient the worst of all."""
    whole = _gradients(subject, point)
    trials = list(_trials(subject, point, whole))
    reference = Reference({}, 0.0, "rounding and underflow")
    for label, value in whole.items():
        largest = max(float(np.max(np.abs(value), initial=0.0)), 1e-300)

        def excess(trial: _Trial, label: str = label, value: Array = value, largest: float = largest) -> float:
            with np.errstate(all="ignore"):
                error = np.max(np.nan_to_num(np.abs(trial.answer[label] - value), nan=np.inf), initial=0.0) / largest
                return float(error / trial.allowed(label, largest))

        worst = max((trial for trial in trials if trial.answer[label].shape == value.shape), key=excess, default=trials[0])
        reference.values[label], reference.ours[label] = value, worst.answer[label]
        reference.tolerances[label] = worst.allowed(label, largest)
        if excess(worst) > 1:
            reference.notes[label] = worst.means + _limit(label, trials)
    return reference


def _trials(subject: Subject, point: Sample, whole: dict[str, Array]) -> Iterator[_Trial]:
    largest = max(float(np.max(np.abs(value), initial=0.0)) for value in whole.values())
    dtype = coarsest(point.dtype, *(["float32"] if subject.single else []))
    room = float(np.finfo(point.dtype).max) / TERMS  # a factor whose gradients would overflow proves nothing
    for k in FACTORS:
        if abs(k) * largest < room:
            scaled = {name: seed.dtype.type(k) * seed for name, seed in point.d_states.items()}
            answer = _gradients(subject, replace(point, d_states=scaled))
            over = {label: value / value.dtype.type(k) for label, value in answer.items()}
            yield _Trial(over, f"backward({k:.3g} d) / {k:.3g} is not backward(d)", dtype, factor=k)
    rng = np.random.default_rng(point.steps)
    masks = {name: rng.random(seed.shape) < 0.5 for name, seed in point.d_states.items()}
    parts = [{name: seed * (masks[name] == half) for name, seed in point.d_states.items()} for half in (True, False)]
    first, second = (_gradients(subject, replace(point, d_states=part)) for part in parts)
    total = {label: first[label] + second[label] for label in first}
    yield _Trial(total, "backward(d1) + backward(d2) is not backward(d1 + d2)", dtype, (first, second))


def _limit(label: str, trials: list[_Trial]) -> str:
    """Where seeds a thousand times larger change the largest entry no more: the limit it stays under."""
    ends = [trial.factor * float(np.max(np.abs(trial.answer[label]), initial=0.0)) for trial in trials if trial.factor > 1]
    return f"; no entry ever exceeds {ends[-1]:.4g}" if len(ends) > 1 and 0 < ends[-1] <= ends[0] * 1.001 else ""


def _gradients(subject: Subject, point: Sample) -> dict[str, Array]:
    """Of a trace of its own: that one trace serves twice is another promise."""
    return {label: value for label, value in subject.gradients(point).items() if not label.startswith("output ")}


def step_by_step(subject: Subject, point: Sample) -> Reference:
    """The states by `step`, one step after the other."""
    states = dict(point.initial)
    history = []
    for t in range(point.steps):
        states = subject.call("step", point.at(t), point.x(t), states)
        history.append(states)
    outputs = {f"output {name}": np.stack([states[name] for states in history]) for name in point.initial}
    return Reference(outputs, **rounding(point))


def steps(subject: Subject) -> str:
    """Why there are no single steps, or ""."""
    return "" if hasattr(subject.module, "step") else "the module has no step"
