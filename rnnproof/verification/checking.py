"""`check`: a cell or module against every oracle, at several sizes and dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.verification import interpreter
from rnnproof.verification.evidence import Evidence, Row
from rnnproof.verification.oracles import Oracle, find
from rnnproof.verification.point import DEFAULT_SIZES, Array, Point
from rnnproof.verification.reference import Reference
from rnnproof.verification.subject import ModuleFault, Subject, subject

Progress = Callable[[int, int, str], None]

# A kink nearer than this is within reach of the smallest differences and of rounding in float32 over a few steps.
REACH = 1e-3

# Points tried before a kink is reported; with some hundred arguments of density one half near a kink, one of a few will do.
ATTEMPTS = 50

# States of order T are usual (a cell state or a shortcut adds up to one each step); beyond this they grow like a power.
BOUND = 1e4


def check(
    cell_or_module: Any,
    *,
    against: Cell | str | None = None,
    oracles: Iterable[str] | None = None,
    dtypes: Sequence[Any] = ("float64", "float32"),
    seed: int = 0,
    sizes: Iterable[Mapping[str, int]] | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Compare every gradient of a Cell's module, a catalogue cell (by name) or a module of the contract with every oracle.

    A module alone is compared with differences of its own forward; with the Cell it stands for (`against`), with all oracles.
    `sizes` are mappings such as {"T": 5, "B": 3, "input": 4, "hidden": 6}; `progress(done, total, what)` is told of each
    comparison. Raises UsageError for an unknown oracle or dtype and BindError for a cell with an open function.
    """
    chosen = find(None if oracles is None else tuple(oracles))
    wanted = {getattr(dtype, "__name__", str(dtype)) for dtype in dtypes}  # names or NumPy's types
    if unknown := sorted(wanted - {"float64", "float32"}):
        raise UsageError(f"dtype {unknown[0]!r}: gradients are checked in float64 and float32; choose from these")
    under_test = subject(cell_or_module, against)
    able, rows = _able(under_test, chosen, required=oracles is not None)
    jobs = [
        (oracle, dtype, given)
        for given in (DEFAULT_SIZES if sizes is None else tuple(sizes))
        for oracle in able
        for dtype in oracle.dtypes
        if dtype in wanted
    ]
    for done, (oracle, dtype, given) in enumerate(jobs):
        if progress is not None:
            progress(done, len(jobs), f"{under_test.name} {oracle.name} {dtype}")
        rows += _compare(under_test, oracle, dtype, given, seed)
    if progress is not None:
        progress(len(jobs), len(jobs), under_test.name)
    return Evidence(tuple(rows))


def _able(under_test: Subject, chosen: tuple[Oracle, ...], required: bool) -> tuple[list[Oracle], list[Row]]:
    """The oracles that can speak, and a visible row for each that cannot."""
    able, rows = [], []
    for oracle in chosen:
        missing = oracle.missing()
        reason = f"install {missing}" if missing else oracle.applies(under_test)
        if not reason:
            able.append(oracle)
            continue
        verdict = "not installed" if missing else "does not apply"
        rows.append(Row(under_test.name, "all", oracle.name, "", "", 0.0, 0.0, reason, verdict, note=reason, required=required))
    return able, rows


def draw(under_test: Subject, sizes: Mapping[str, int], seed: int, dtype: str) -> tuple[Point, str]:
    """A point away from every kink where the states stay bounded, and "" or a note on a kink; the same for the same arguments.

    Where the states grow, all values are halved (a cell of squares or exponentials), or doubled (one that divides by a
    parameter), then quartered and so on, until they do not.
    """
    grown, scale = 0, 1.0
    for attempt in range(ATTEMPTS):
        point = under_test.layout.draw(sizes, seed + 1000 * attempt, scale).cast(dtype)
        found = _survey(under_test, point)
        if found.largest > BOUND:
            grown += 1
            scale = 2.0 ** (-(grown + 1) // 2 if grown % 2 else grown // 2)
        elif found.distance > REACH / point.steps:
            return point, ""
    return point, f"an argument of {found.name} lies {found.distance:.1e} from its kink" if found.name else ""


def _survey(under_test: Subject, point: Point) -> interpreter.Survey:
    """What the equations meet at a point; without equations, how large the module's own states become."""
    if under_test.cell is not None:
        return interpreter.survey(under_test.cell, point)
    with np.errstate(all="ignore"):
        states = under_test.forward(point).states
    return interpreter.Survey(max(float(np.max(np.nan_to_num(np.abs(states[name]), nan=np.inf))) for name in point.initial))


def _compare(under_test: Subject, oracle: Oracle, dtype: str, sizes: Mapping[str, int], seed: int) -> list[Row]:
    """Rows of one oracle at one point; a point whose differences meet a kink is drawn again."""
    try:
        for attempt in range(ATTEMPTS):
            point, note = draw(under_test, sizes, seed + 7919 * attempt, dtype)
            reference = oracle.compute(under_test, point)
            if not reference.kinks:
                break
        ours = under_test.gradients(reference.point or point)
    except ModuleFault as fault:
        text = str(fault)
        where = " ".join(f"{name}={size}" for name, size in sizes.items())
        return [Row(under_test.name, "all", oracle.name, dtype, where, math.inf, 0.0, "the contract", "FAIL", note=text)]
    return [_row(under_test.name, oracle.name, dtype, point, reference, label, ours[label], note) for label in reference.values]


def _row(name: str, oracle: str, dtype: str, point: Point, reference: Reference, label: str, ours: Array, note: str) -> Row:
    theirs = np.asarray(reference.values[label])
    mine, fault = np.asarray(ours), ""
    if label in reference.directions:
        mine = np.tensordot(reference.directions[label], mine, axes=mine.ndim)
    if mine.shape != theirs.shape:
        fault = f"shape {mine.shape} where {theirs.shape} is due"
    elif np.asarray(ours).dtype != dtype:
        fault = f"dtype {np.asarray(ours).dtype} where {dtype} is due"
    error, index = (math.inf, ()) if fault else relative_error(mine, theirs)
    tolerance = reference.tolerances.get(label, reference.tolerance)
    kink = reference.kinks.get(label, note)
    verdict = "pass" if error <= tolerance and not kink else "kink" if kink and not fault else "FAIL"
    timed = label == "inputs" or label.startswith("output ") or label in point.per_step
    return Row(
        cell=name,
        gradient=label,
        oracle=oracle,
        dtype=dtype,
        sizes=point.label,
        error=error,
        tolerance=tolerance,
        basis=reference.basis,
        verdict=verdict,
        index=index,
        step=index[0] if timed and index and label not in reference.directions else None,
        ours=float("nan") if fault else float(mine[index]),
        theirs=float("nan") if fault else float(theirs[index]),
        note="; ".join(text for text in (fault, kink) if text),
    )


def relative_error(ours: Array, theirs: Array) -> tuple[float, tuple[int, ...]]:
    """max |ours - theirs| / max |theirs| over the array, infinite where one of them is not finite, and the worst index."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64))
    difference = np.where(np.isfinite(difference), difference, np.inf)
    if difference.size == 0:
        return 0.0, ()
    index = tuple(map(int, np.unravel_index(int(np.argmax(difference)), difference.shape)))
    largest = float(difference[index])
    if largest in (0.0, math.inf):
        return largest, index
    return largest / max(1e-300, float(np.max(np.abs(theirs)))), index
