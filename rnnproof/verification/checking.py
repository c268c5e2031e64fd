"""`check`: a cell or module against every oracle, at several sizes and dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.verification import interpreter
from rnnproof.verification.comparison import compare, relative_error
from rnnproof.verification.evidence import CONTRACT, SILENT, Evidence, Row
from rnnproof.verification.module_under_test import ModuleFault, Subject, subject
from rnnproof.verification.oracles import ORACLES, Oracle, find
from rnnproof.verification.preconditions import examine, wrong_forward
from rnnproof.verification.sample import DEFAULT_SIZES, Array, Calm, Sample

__all__ = ["check", "draw", "relative_error"]

Progress = Callable[[int, int, str], None]

# A kink nearer than this is within reach of the smallest differences and of rounding in float32 over a few steps.
REACH = 1e-3

# Points tried before a kink is reported; with some hundred arguments of density one half near a kink, one of a few will do.
ATTEMPTS = 50
# Added to the seed of a point drawn again, near a kink or for another comparison; no two meet below 1000 comparisons.
_REDRAWN, _APART = 1000, 7919

# States of order T are usual (a cell state or a shortcut adds up to one each step); beyond this they grow like a power.
BOUND = 1e4

# From here on a sum over time that somebody cut off, often after 64 steps, has to be seen: a wide draw forgets in ten steps.
LONG = 64
CALM = (Calm(1.0, 0.05), Calm(1.0, 1.0), Calm(1.0, 3.0))

# A state that magnifies the first step more than this magnifies rounding as well.
MAGNIFIED = 10.0


def check(
    cell_or_module: Any,
    *,
    against: Cell | str | None = None,
    oracles: Iterable[str] | None = None,
    dtypes: Sequence[Any] = ("float64", "float32"),
    seed: int = 0,
    sizes: Iterable[Mapping[str, int]] | None = None,
    seeds: Iterable[str] | None = None,
    initial: bool | Iterable[str] = True,
    progress: Progress | None = None,
) -> Evidence:
    """Compare every gradient of a Cell's module, a catalogue cell (by name) or a module of the contract with every oracle.

    A module alone is compared with differences of its own forward; with the Cell it stands for (`against`), with all oracles.
    `sizes` are mappings such as {"T": 5, "B": 3, "input": 4, "hidden": 6}; `progress(done, total, what)` is told of each
    comparison. The contract of a module of your own:

    - `forward(params, xs, initial)` starts from `initial`, which has every state; with `initial=["h"]` it has these alone, and
      with `initial=False` it is not passed: the others start from zero, and their gradients are not compared.
    - `backward(trace, d_states)` gets an array for every state, or, with `seeds=["h"]`, for these alone. A generated module
      takes a state that d_states lacks as zero; yours need not, and a row says whether it does.
    - Both are functions: equal answers to equal calls, arguments unchanged, answers that share no memory.
    - What comes in as float32 comes out as float32, and float64 as float64.

    Raises UsageError for an unknown oracle, dtype or state, and where no gradient could be compared, and BindError for a cell
    with an open function.
    """
    chosen = find(None if oracles is None else tuple(oracles))
    wanted = {getattr(dtype, "__name__", str(dtype)) for dtype in dtypes}  # names or NumPy's types
    if unknown := sorted(wanted - {"float64", "float32"}):
        raise UsageError(f"dtype {unknown[0]!r}: gradients are checked in float64 and float32; choose from these")
    under_test = subject(cell_or_module, against, seeds, initial)
    run = _Run(under_test, tuple(DEFAULT_SIZES if sizes is None else sizes), seed, wanted, progress)
    return run.evidence(chosen, named=oracles is not None)


@dataclass
class _Run:
    """One check: first what has to be known before, then every oracle at every size."""

    subject: Subject
    sizes: tuple[Mapping[str, int], ...]
    seed: int
    dtypes: set[str]
    progress: Progress | None
    rows: list[Row] = field(default_factory=list)
    points: dict[Any, tuple[Sample, str]] = field(default_factory=dict)
    rough: bool = False  # where no point was without a kink, other sizes have none either
    otherwise: dict[str, dict[str, str]] = field(default_factory=dict)  # by dtype, labels that came out in another

    def evidence(self, chosen: tuple[Oracle, ...], named: bool) -> Evidence:
        """The rows; raises UsageError where there is none of a gradient."""
        self._leave_out()
        first = {"T": 5, "B": 3} if not self.sizes else self.sizes[0]
        examination = examine(self.subject, self.subject.draw(first, self.seed))
        self.subject = examination.subject
        self.rows += examination.rows
        if examination.ends:
            return Evidence(tuple(self.rows))
        able, silent = _able(self.subject, chosen, required=named)
        self.rows += silent
        start = len(self.rows)
        self._compare_all(able, chosen)
        self.rows[start:start] = self._dtypes()
        if chosen and any(oracle.judges != "contract" for oracle in chosen):
            _require_comparison(self.subject, self.rows, able, self.dtypes)
        return Evidence(tuple(self.rows))

    def _leave_out(self) -> None:
        for what, text in self.subject.convention.left_out(self.subject.layout).items():
            self.rows.append(Row(self.subject.name, "all", what, "", "", 0.0, 0.0, text, "left out", note=text))

    def _compare_all(self, able: list[Oracle], chosen: tuple[Oracle, ...]) -> None:
        jobs = [(inputs, self._work(able, inputs in (self.sizes[0], self.sizes[-1]))) for inputs in self.sizes]
        done, total = 0, sum(len(work) for _, work in jobs)
        for inputs, work in jobs:
            wrong = self._wrong_forward(inputs)
            self.rows += wrong
            if wrong:  # its gradients are those of another function than the equations'
                own = [oracle for oracle in ORACLES.values() if oracle.judges == "forward" and oracle not in chosen]
                for oracle in _able(self.subject, tuple(own), required=False)[0]:
                    self._compare(oracle, "float64", inputs)
            for oracle, dtype in work:
                if self.progress is not None:
                    self.progress(done, total, f"{self.subject.name} {oracle.name} {dtype}")
                done += 1
                if not (wrong and oracle.judges == "equations"):
                    self._compare(oracle, dtype, inputs)
        if self.progress is not None:
            self.progress(total, total, self.subject.name)

    def _work(self, able: list[Oracle], echo: bool) -> list[tuple[Oracle, str]]:
        """The oracles and dtypes of one size."""
        heard = {(oracle.name, dtype) for oracle in able for dtype in oracle.dtypes if not echo}
        pairs = [(oracle, dtype) for oracle in able for dtype in oracle.dtypes if dtype in self.dtypes]
        return [(oracle, dtype) for oracle, dtype in pairs if (oracle.echoes, dtype) not in heard]

    def _wrong_forward(self, sizes: Mapping[str, int]) -> list[Row]:
        try:
            return wrong_forward(self.subject, self.drawn(sizes, 0, "float64")[0])
        except ModuleFault:
            return []  # every oracle will say so

    def drawn(self, sizes: Mapping[str, int], attempt: int, dtype: str) -> tuple[Sample, str]:
        """A point, drawn once for all oracles."""
        key = (tuple(sizes.items()), attempt, dtype)
        if key not in self.points:
            self.points[key] = draw(self.subject, sizes, self.seed + _APART * attempt, dtype)
        return self.points[key]

    def _compare(self, oracle: Oracle, dtype: str, sizes: Mapping[str, int]) -> None:
        """Rows of one oracle at one point; a point whose differences meet a kink is drawn again."""
        try:
            for attempt in range(1 if self.rough else ATTEMPTS):
                point, note = self.drawn(sizes, attempt, dtype)
                reference = oracle.compute(self.subject, point)
                if not reference.kinks:
                    break
            else:
                self.rough = True
                note = "; every point tried had a kink, as where forward rounds to float32 inside"
                reference.kinks.update({label: text + note for label, text in reference.kinks.items()})
            ours = reference.ours or self.subject.gradients(reference.point or point)
        except ModuleFault as fault:
            where = " ".join(f"{name}={size}" for name, size in sizes.items())
            text = self.subject.plain(fault)
            row = Row(self.subject.name, "all", oracle.name, dtype, where, math.inf, 0.0, CONTRACT, "FAIL", note=text)
            self.rows.append(row)
            return
        for label in reference.values:
            self.rows.append(compare(self.subject, oracle.name, point, reference, label, ours[label], note))
            if ours[label].dtype != dtype:
                self.otherwise.setdefault(dtype, {})[label] = str(ours[label].dtype)

    def _dtypes(self) -> list[Row]:
        """One row for each dtype that does not stay what it is."""
        return [self._another(dtype, answers) for dtype, answers in self.otherwise.items() if not self.subject.single]

    def _another(self, dtype: str, answers: dict[str, str]) -> Row:
        labels, other = list(answers), next(iter(answers.values()))
        text = (
            f"dtype {other} where {dtype} is due: {', '.join(labels)}. The numbers were compared all the same; make arrays "
            f"with the dtype of what comes in, as np.zeros_like does, or check dtypes=[{other!r}] alone (--dtype {other})"
        )
        label = labels[0] if len(labels) == 1 else "all"
        where = " ".join(f"{name}={size}" for name, size in self.sizes[0].items())
        return Row(self.subject.name, label, "dtype", dtype, where, math.inf, 0.0, CONTRACT, "FAIL", note=text)


def _able(under_test: Subject, chosen: tuple[Oracle, ...], required: bool) -> tuple[list[Oracle], list[Row]]:
    """The oracles that can speak, and a visible row for each that cannot."""
    able, rows = [], []
    for oracle in chosen:
        missing = oracle.missing()
        try:
            reason = f"install {missing}" if missing else oracle.applies(under_test)
        except ModuleFault as fault:
            reason = under_test.plain(fault)
        if not reason:
            able.append(oracle)
            continue
        verdict = "not installed" if missing else "does not apply"
        rows.append(Row(under_test.name, "all", oracle.name, "", "", 0.0, 0.0, reason, verdict, note=reason, required=required))
    return able, rows


def _require_comparison(under_test: Subject, rows: list[Row], able: list[Oracle], dtypes: set[str]) -> None:
    """Raises UsageError where no oracle judged a gradient and no row says that something is wrong."""
    judges = {oracle.name for oracle in ORACLES.values() if oracle.judges != "contract"}
    if any(row.oracle in judges and row.verdict not in SILENT for row in rows):
        return
    if not all(row.ok or row.oracle == "dtype" for row in rows):
        return
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.oracle in judges:
            reasons.setdefault(f"{row.verdict} ({row.note})", []).append(row.oracle)
    for oracle in able:
        if oracle.name in judges:
            reasons.setdefault(f"compares in {' and '.join(oracle.dtypes)} alone", []).append(oracle.name)
    why = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items()) or "no size was given"
    cell = "" if under_test.cell is not None else " or the Cell it stands for, against='lstm' (CELL on the command line)"
    raise UsageError(
        f"{under_test.name}: no gradient was compared in {' and '.join(sorted(dtypes))}. {why}. "
        f"Give dtypes=['float64'] (--dtype float64){cell}"
    )


def draw(under_test: Subject, sizes: Mapping[str, int], seed: int, dtype: str) -> tuple[Sample, str]:
    """A point away from every kink where the states stay bounded, and "" or a note on a kink; the same for the same arguments.

    Where the states grow, all values are halved (a cell of squares or exponentials), or doubled (one that divides by a
    parameter), then quartered and so on, until they do not. Over LONG steps the draw is the one with the longest memory.
    """
    calm = _longest_memory(under_test, sizes, seed) if sizes.get("T", 0) >= LONG else None
    grown, scale = 0, 1.0
    for attempt in range(ATTEMPTS):
        point = under_test.draw(sizes, seed + _REDRAWN * attempt, scale, calm).cast(dtype)
        survey = _survey(under_test, point)
        if survey.largest > BOUND:
            grown += 1
            scale = 2.0 ** (-(grown + 1) // 2 if grown % 2 else grown // 2)
        elif survey.distance > REACH / point.steps:
            return point, ""
    return point, f"an argument of {survey.name} lies {survey.distance:.1e} from its kink" if survey.name else ""


def _longest_memory(under_test: Subject, sizes: Mapping[str, int], seed: int) -> Calm | None:
    """How to draw so that the last states depend most on the first step, but do not magnify it; None for the wide draw."""
    if under_test.module is None:
        return None
    memories: dict[Calm | None, float] = {}
    for calm in (None, *CALM):
        point = under_test.draw(sizes, seed, calm=calm)
        memory = _memory(under_test, point)
        memories[calm] = memory if np.isfinite(memory) else -1.0
    return max(memories, key=lambda calm: memories[calm])


def _memory(under_test: Subject, point: Sample) -> float:
    """The change of the last states for one of the first input and the initial states; inf where it is magnified on the way."""
    change = 1e-6
    leaves = {label: value for label, value in point.leaves().items() if label.startswith(("input", "initial "))}
    moved = {label: value + change * _first_step(label, value) for label, value in leaves.items()}
    with np.errstate(all="ignore"):
        before, after = (under_test.forward(at).states for at in (point, point.with_leaves({**point.leaves(), **moved})))
        changes = [np.abs(np.asarray(after[name]) - before[name]) / change for name in point.initial]
    if not all(np.max(values) <= MAGNIFIED for values in changes):  # or it is not finite
        return np.inf
    return max(float(np.max(values[-1])) for values in changes)


def _first_step(label: str, value: Array) -> Array:
    signs = np.where(np.arange(value.size).reshape(value.shape) % 2, 1.0, -1.0)
    if label.startswith("input"):
        signs[1:] = 0.0
    return signs


def _survey(under_test: Subject, point: Sample) -> interpreter.Survey:
    """What the equations meet at a point; without equations, how large the module's own states become."""
    if under_test.cell is not None:
        return interpreter.survey(under_test.cell, point)
    with np.errstate(all="ignore"):
        states = under_test.forward(point).states
    return interpreter.Survey(max(float(np.max(np.nan_to_num(np.abs(states[name]), nan=np.inf))) for name in point.initial))
