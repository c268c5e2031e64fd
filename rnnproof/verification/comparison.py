"""One gradient beside one reference: the relative error, and the row that says what came of it."""

from __future__ import annotations

import math

import numpy as np

from rnnproof.verification.evidence import Row
from rnnproof.verification.module_under_test import Subject
from rnnproof.verification.reference import ROUNDING, Reference, coarsest
from rnnproof.verification.sample import Array, Sample

# A module that computes in float32 where float64 comes in is judged in what it computes in.
SINGLE = ROUNDING * float(np.finfo(np.float32).eps)


def compare(subject: Subject, oracle: str, point: Sample, reference: Reference, label: str, ours: Array, note: str) -> Row:
    """The row of one label."""
    theirs = np.asarray(reference.values[label])
    mine, fault, usual = np.asarray(ours), "", 0.0
    directed = label in reference.directions
    if directed and mine.shape == reference.directions[label].shape[1:]:
        # Terms may cancel in one direction; the derivative along a random one is usually of this size.
        usual = float(np.linalg.norm(mine.astype(np.float64))) / max(1.0, mine.size) ** 0.5
        mine = np.tensordot(reference.directions[label], mine, axes=mine.ndim)
    if mine.shape != theirs.shape:
        fault = f"shape {mine.shape} where {theirs.shape} is due"
    elif mine.dtype.kind not in "fiu":
        fault = f"{mine.dtype} where real numbers are due"
    error, index = (math.inf, ()) if fault else relative_error(mine, theirs, usual)
    tolerance, basis = reference.tolerances.get(label, reference.tolerance), reference.basis
    if subject.single or (mine.dtype.kind == "f" and coarsest(mine.dtype, point.dtype) != point.dtype):
        tolerance, basis = max(tolerance, SINGLE), "rounding in float32, 4500 eps"
    kink = reference.kinks.get(label, note)
    verdict = "pass" if error <= tolerance and not kink else "kink" if kink and not fault else "FAIL"
    timed = label.startswith(("input", "output ")) or label in point.per_step
    return Row(
        cell=subject.name,
        gradient=label,
        oracle=oracle,
        dtype=str(point.dtype),
        sizes=point.label,
        error=error,
        tolerance=tolerance,
        basis=basis,
        verdict=verdict,
        index=index,
        step=index[0] if timed and index and not directed else None,
        ours=float("nan") if fault else float(mine[index]),
        theirs=float("nan") if fault else float(theirs[index]),
        note="; ".join(text for text in (fault, kink, reference.notes.get(label, "")) if text),
        directed=directed,
    )


def relative_error(ours: Array, theirs: Array, usual: float = 0.0) -> tuple[float, tuple[int, ...]]:
    """max |ours - theirs| / max |theirs| over the array, infinite where one of them is not finite, and the worst index.

    `usual` is a size that the entries of `theirs` have but for cancellation.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64))
    difference = np.where(np.isfinite(difference), difference, np.inf)
    if difference.size == 0:
        return 0.0, ()
    index = tuple(map(int, np.unravel_index(int(np.argmax(difference)), difference.shape)))
    largest = float(difference[index])
    if largest in (0.0, math.inf):
        return largest, index
    return largest / max(1e-300, usual, float(np.max(np.abs(theirs)))), index
