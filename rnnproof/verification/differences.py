"""Central differences with a sweep of steps, and the complex step: derivatives from the module's own forward alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnproof.verification.module_under_test import ModuleFault, Subject
from rnnproof.verification.reference import Reference, rounding
from rnnproof.verification.sample import Array, Sample

# Richardson's extrapolation of two central differences has truncation error about h^4 and rounding error eps/h; the best step
# is eps^(1/5) = 7e-4, so the sweep lies around it. Each step is half the one before, as the extrapolation needs. It goes on to
# the finest only where a larger step crosses a kink; there the rounding error eps/h = 1e-11 is still below eps^(2/3) = 4e-11.
STEPS = tuple(4e-3 / 2**k for k in range(9))
USUAL = 4

# Entries times time steps up to which every entry is differentiated; above that, random directions.
FULL = 2500
DIRECTIONS = 2

CENTRAL = "central differences, eps^(2/3) S X / max|gradient|"

# With h f'' extrapolated away, the difference of the two one-sided slopes is h^3 f''''/2 (6e-11 at h = 5e-4, times S) and
# rounding eps/h (1e-11 at most); a kink leaves the jump of one activation's slope, of order one in a sum S of some hundreds.
JUMP = 1e-7


def directions(point: Sample) -> dict[str, Array] | None:
    """None where every entry is to be differentiated, else a few random directions (k, ...) for each label."""
    leaves = point.leaves()
    if sum(value.size for value in leaves.values()) * point.steps <= FULL:
        return None
    rng = np.random.default_rng(point.steps)
    return {label: rng.standard_normal((DIRECTIONS, *value.shape)) / np.sqrt(value.size) for label, value in leaves.items()}


def _moves(value: Array, along: Array | None) -> Iterator[tuple[Any, Array]]:
    """(where the derivative goes, the direction) for each entry or each given direction."""
    if along is not None:
        yield from enumerate(along)
        return
    for index in np.ndindex(value.shape):
        unit = np.zeros_like(value)
        unit[index] = 1.0
        yield index, unit


def central(subject: Subject, point: Sample) -> Reference:
    """Per derivative, the step of the sweep with the smallest estimated error; kinks found by the jump of the slope.

    The first kink ends it: the point is of no use then.

    The loss is known to eps S, S the sum of |d_states * states|; a step h moves an activation's argument by h X at most, X the
    largest input or state, so third derivatives are of the order of S X^3. A plain central difference at its best step
    eps^(1/3) / X is then known to eps^(2/3) S X; the extrapolation does better, so that is the tolerance.
    """
    along = directions(point)
    trace = subject.forward(point)
    scale = max(1.0, float(sum(np.sum(np.abs(seed * trace.states[name])) for name, seed in point.d_states.items())))
    middle = float(subject.loss(point))
    values: dict[str, Array] = {}
    tolerances: dict[str, float] = {}
    leaves = point.leaves()
    reach = max(1.0, *(float(np.max(np.abs(value), initial=0.0)) for value in leaves.values()))
    allowed = float(np.finfo(np.float64).eps) ** (2 / 3) * scale * reach
    for label, value in leaves.items():
        slopes = np.zeros(value.shape if along is None else DIRECTIONS)
        for index, direction in _moves(value, None if along is None else along[label]):
            slope, jump = _sweep(
                lambda h, d=direction, k=label, v=value: _moved(subject, point, k, v + h * d), middle, scale, reach
            )
            slopes[index] = slope
            if jump > JUMP * scale:
                kink = {label: f"the slope of the loss jumps by {jump:.1e} at entry {index}"}
                return Reference({label: slopes}, allowed, CENTRAL, {}, along or {}, kink)
        values[label] = slopes
        tolerances[label] = allowed / max(float(np.max(np.abs(slopes), initial=0.0)), 1e-300)
    return Reference(values, allowed, CENTRAL, tolerances, along or {})


def _moved(subject: Subject, point: Sample, label: str, value: Array) -> Any:
    return subject.loss(point.with_leaves({**point.leaves(), label: value}))


def _sweep(loss: Any, middle: float, scale: float, reach: float) -> tuple[float, float]:
    """(best slope, jump of the slope there) of a function of one number; finer steps where the larger ones show a jump."""
    noise = float(np.finfo(np.float64).eps) * scale
    slopes: list[float] = []
    bends: list[float] = []
    jump = np.inf
    steps = [h / reach for h in STEPS]
    for count, h in enumerate(steps, start=1):
        up, down = float(loss(h)), float(loss(-h))
        slopes.append((up - down) / (2 * h))
        bends.append((up + down - 2 * middle) / h)
        if count >= USUAL:
            jump = max(abs(2 * fine - coarse) for coarse, fine in zip(bends[-3:], bends[-2:], strict=False))
            if jump <= JUMP * scale:
                break
    extrapolated = [(4 * fine - coarse) / 3 for coarse, fine in zip(slopes, slopes[1:], strict=False)]
    estimates = [
        (abs(fine - coarse) + noise / h, fine)
        for coarse, fine, h in zip(extrapolated, extrapolated[1:], steps[2:], strict=False)
    ]
    return min(estimates)[1], jump


# Far below any rounding of the real part, far above the smallest number: the complex step has no subtraction to lose digits in.
H = 1e-30


def complex_step(subject: Subject, point: Sample) -> Reference:
    """Im loss(x + ih) / h: the truncation error h^2 vanishes, so only rounding is left."""
    along = directions(point)
    complex_point = point.cast(np.complex128)
    values = {}
    for label, value in complex_point.leaves().items():
        slopes = np.zeros(value.shape if along is None else DIRECTIONS)
        for index, direction in _moves(value, None if along is None else along[label]):
            slopes[index] = np.imag(_moved(subject, complex_point, label, value + 1j * H * direction)) / H
        values[label] = slopes
    return Reference(values, **rounding(point), directions=along or {})


def doubles(subject: Subject) -> str:
    """Why no differences can be taken, or ""."""
    return "forward computes in float32, and differences of that are noise" if subject.single else ""


def real_only(subject: Subject) -> str:
    """Why the complex step cannot be taken: the module's forward loses the imaginary part; "" where it can."""
    point = subject.draw({"T": 1, "B": 1}, 0).cast(np.complex128)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)  # an imaginary part is lost somewhere inside
            states = subject.forward(point).states
    except ModuleFault as error:
        return f"no complex128: {subject.plain(error)}"
    real = [name for name in point.initial if not np.iscomplexobj(states[name])]
    return f"forward of complex128 gives a real state {real[0]}; keep the dtype of what comes in" if real else ""
