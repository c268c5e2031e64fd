"""What the contract promises beside gradients: no seeds, a used trace, prepared parameters, one step at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnnproof.verification.point import Point
from rnnproof.verification.reference import Reference, rounding
from rnnproof.verification.subject import Subject

# The same operations on the same numbers: nothing but the last bits of a differently laid out product may differ.
EXACT = float(np.finfo(np.float64).tiny)


def zero_seeds(subject: Subject, point: Point) -> Reference:
    """A missing state means zero: without any seed every gradient is exactly zero."""
    zeros = {label: np.zeros_like(value) for label, value in point.leaves().items()}
    return Reference(zeros, EXACT, "exact", point=replace(point, d_states={}))


def again(subject: Subject, point: Point) -> Reference:
    """A second `backward` on the same trace, made from prepared parameters if the module prepares: nothing was used up."""
    prepared = subject.call("prepare", point.params) if hasattr(subject.module, "prepare") else point.params
    trace = subject.forward(point, prepared)
    subject.call("backward", trace, point.d_states)
    return Reference(subject.answer(trace, point), **rounding(point))


def step_by_step(subject: Subject, point: Point) -> Reference:
    """The states by `step`, one step after the other."""
    states = dict(point.initial)
    history = []
    for t in range(point.steps):
        states = subject.call("step", point.at(t), None if point.xs is None else point.xs[t], states)
        history.append(states)
    outputs = {f"output {name}": np.stack([states[name] for states in history]) for name in point.initial}
    return Reference(outputs, **rounding(point))


def steps(subject: Subject) -> str:
    """Why there are no single steps, or ""."""
    return "" if hasattr(subject.module, "step") else "the module has no step"
