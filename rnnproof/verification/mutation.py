"""The tester tested: how many planted faults in a cell's backward pass do the oracles of `check` catch?"""

from __future__ import annotations

import importlib
import re
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any

import numpy as np
from tabulate import tabulate

from rnnproof.errors import UsageError
from rnnproof.generation.build import load_text
from rnnproof.verification.checking import draw, relative_error
from rnnproof.verification.module_under_test import Subject, load_cell, subject
from rnnproof.verification.mutants import Mutant, Shapes, mutants
from rnnproof.verification.oracles import ORACLES
from rnnproof.verification.reference import Reference
from rnnproof.verification.sample import Array, Sample

# As in `check`: all sizes differ, one step, one sequence; the last with whole numbers as d_states, which must do as well.
SIZES: tuple[dict[str, int], ...] = (
    {"T": 5, "B": 3, "input": 4, "hidden": 6},
    {"T": 1, "B": 2, "input": 3, "hidden": 5},
    {"T": 4, "B": 1, "input": 3, "hidden": 2},
    {"T": 2, "B": 4, "input": 3, "hidden": 5},
)

# Points at each of the sizes; most mutants fall at the first, and only one that passes all can be called equivalent.
DRAWS = 5

# Two orders of the same sum differ by rounding, a few hundred eps where terms cancel; a mutant that does no more than that
# changes nothing. Ten times less than what the oracles catch, so that "survived" is not defined away.
SAME = 1e-13


# Why a change of such a line can change nothing; a help to whoever reads the list, not a part of the judgement.
HINTS: tuple[tuple[str, str], ...] = (
    (r"^dropped: \w+\(", "a call for its checks alone"),
    (r"in reversed order", "the order does not matter"),
    (r"ascontiguousarray|\.copy\(", "the layout or dtype of a copy alone changes"),
    (r"reshape", "NumPy takes any negative size as the open one"),
    (r"\.\.\., 0", "the axis has one entry"),
    (r"\.shape|\.dtype|_like", "only the shape or dtype is read"),
)


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant: "caught", "equivalent" or "survived", and why."""

    mutant: Mutant
    outcome: str
    reason: str


@dataclass(frozen=True)
class MutationReport:
    """The score of one cell: all verdicts; `ok` where nothing survived and something was caught."""

    cell: str
    verdicts: tuple[Verdict, ...]

    def having(self, outcome: str) -> tuple[Verdict, ...]:
        """The verdicts with an outcome."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome == outcome)

    @property
    def caught(self) -> int:
        return len(self.having("caught"))

    @property
    def crashed(self) -> int:
        """Those among the caught that raised an exception instead of giving a wrong gradient."""
        return sum(verdict.reason.startswith("raises ") for verdict in self.having("caught"))

    @property
    def equivalent(self) -> tuple[Verdict, ...]:
        return self.having("equivalent")

    @property
    def survived(self) -> tuple[Verdict, ...]:
        return self.having("survived")

    @property
    def ok(self) -> bool:
        return self.caught > 0 and not self.survived

    @property
    def summary(self) -> tuple[object, ...]:
        """cell, mutants, caught, of these by an exception, equivalent, survived, score."""
        relevant = len(self.verdicts) - len(self.equivalent)
        score = f"{100 * self.caught / max(1, relevant):.1f} %"
        return (self.cell, len(self.verdicts), self.caught, self.crashed, len(self.equivalent), len(self.survived), score)

    def table(self, format: str = "simple") -> str:
        """The score, then every mutant that was not caught with the reason."""
        text = score_table([self], format)
        rest = [(v.outcome, v.mutant.line, v.mutant.description, v.reason) for v in self.verdicts if v.outcome != "caught"]
        if rest:
            text += "\n\n" + tabulate(
                rest, headers=("outcome", "line", "mutant", "why"), tablefmt=format, disable_numparse=True
            )
        return text


def score_table(reports: list[MutationReport], format: str = "simple") -> str:
    """One row for each cell."""
    headers = ("cell", "mutants", "caught", "by exception", "equivalent", "survived", "score")
    return str(tabulate([report.summary for report in reports], headers=headers, tablefmt=format))


@dataclass(frozen=True)
class _Case:
    """A point with what the oracle and the unmutated module say there."""

    point: Sample
    reference: Reference
    original: dict[str, Array]


def score(cell: Any, *, source: str | None = None, progress: Callable[[int, int, str], None] | None = None) -> MutationReport:
    """Mutate a cell's generated backward pass in every way and see whether the oracles notice.

    `cell` is a Cell or a catalogue name; `source` is the module's text where it is not generated from the cell. A mutant is
    caught where `check` would fail: an exception, a wrong shape or dtype, or an error over the oracle's tolerance. It is
    equivalent where it agrees with the original to 1e-13 in every gradient at every point. Raises UsageError where the
    unchanged backward pass fails already.
    """
    if source is None:
        source = importlib.import_module("rnnproof.generation").generate(load_cell(cell) if isinstance(cell, str) else cell)
    original = load_text("mutant", source)
    under_test = replace(subject(original, against=cell), name=cell if isinstance(cell, str) else cell.name)
    cases = _cases(under_test)
    outcome, reason = _outcome(under_test, compile("", "<unchanged>", "exec"), cases)
    if outcome != "equivalent":
        raise UsageError(f"{under_test.name}: the unchanged backward pass is not right ({reason}); see rnnproof check first")
    mutations = mutants(source, shapes_seen(under_test, cases[0].point))
    verdicts, lines = [], source.splitlines()
    for done, mutant in enumerate(mutations):
        if progress is not None:
            progress(done, len(mutations), under_test.name)
        verdicts.append(_explained(mutant, *_outcome(under_test, mutant.code, cases), lines))
    return MutationReport(under_test.name, tuple(verdicts))


def _cases(under_test: Subject) -> list[_Case]:
    cases = []
    for number in range(DRAWS * len(SIZES)):
        which = number % len(SIZES)
        point, _ = draw(under_test, SIZES[which], 100 + number, "float64")
        if which == len(SIZES) - 1:
            point = replace(point, d_states={name: np.rint(3 * seed).astype(int) for name, seed in point.d_states.items()})
        # states without a seed have no key at all, which counts as zero
        point = replace(point, d_states={name: seed for name, seed in point.d_states.items() if np.any(seed)})
        for oracle in ("autograd", "missing seeds")[: 1 + (number == 0)]:
            reference = ORACLES[oracle].compute(under_test, point)
            at = reference.point or point
            cases.append(_Case(at, reference, under_test.gradients(at)))
    return cases


def shapes_seen(under_test: Subject, point: Sample) -> Shapes:
    """(shape, dtype, memory) of every array variable of the module's functions during one backward pass."""
    seen: dict[str, dict[str, tuple[Any, ...]]] = {}
    trace = under_test.forward(point)

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "return" and frame.f_globals is vars(under_test.module):
            kinds = seen.setdefault(frame.f_code.co_name, {})
            for name, value in frame.f_locals.items():
                if isinstance(value, np.ndarray):
                    kinds[name] = (value.shape, str(value.dtype), value.__array_interface__["data"][0])

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        under_test.module.backward(trace, point.d_states)
    finally:
        sys.setprofile(before)
    return seen


def _explained(mutant: Mutant, outcome: str, reason: str, lines: list[str]) -> Verdict:
    """A verdict; an equivalent mutant's with the hint its line gives, if any."""
    text = f"{mutant.description} | {lines[mutant.line - 1]}"
    hints = [hint for pattern, hint in HINTS if re.search(pattern, text)] if outcome == "equivalent" else []
    return Verdict(mutant, outcome, "; ".join([reason, *hints[:1]]))


def _outcome(under_test: Subject, code: CodeType, cases: list[_Case]) -> tuple[str, str]:
    """(outcome, reason) of putting `code` over the module's functions: run it at every point until one catches it."""
    module = types.ModuleType("mutant")
    vars(module).update(vars(under_test.module))
    largest = 0.0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            # Our own generated text with our own fault in it, in the original's names; forward stays the original's.
            exec(code, vars(module))
            changed = replace(under_test, module=module)
            for case in cases:
                answer = changed.gradients(case.point)
                for label, theirs in case.reference.values.items():
                    ours = np.asarray(answer[label])
                    if ours.shape != theirs.shape or ours.dtype != case.original[label].dtype:
                        return "caught", f"{label}: shape {ours.shape}, dtype {ours.dtype}"
                    error, index = relative_error(ours, theirs)
                    if error > case.reference.tolerance:
                        return "caught", f"{label}{list(index)}: error {error:.1e} at {case.point.label}"
                    largest = max(largest, relative_error(ours, np.asarray(case.original[label]))[0])
        except Exception as error:  # any exception at all: that is what a person would see, too
            cause = error.__cause__ or error
            return "caught", f"raises {type(cause).__name__}: {cause}"
    if largest <= SAME:
        how = "bit-identical" if largest == 0 else f"equal within {largest:.0e}"
        return "equivalent", f"{how} in every gradient at {len(cases)} points"
    return "survived", f"differs by {largest:.1e}, within the oracle's tolerance"
