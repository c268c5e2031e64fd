"""`examine`: is a claimed gradient right, from which length on is it wrong, and which mistake is it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnproof.doctor import gradient_pair
from rnnproof.doctor.array_axes import axes_of
from rnnproof.doctor.behaviour import Behaviour, behaviour
from rnnproof.doctor.case import Array, Case, applied, case, fresh, from_make, without_zeros
from rnnproof.doctor.findings import ArrayReport, Named
from rnnproof.doctor.naming import LACKS_RECURRENCE, Naming, name_mistakes, of_lengths, of_one
from rnnproof.doctor.numerical_gradient import NumericalGradient, noise, numerical_gradients
from rnnproof.doctor.observed_values import raised_outside
from rnnproof.doctor.report import Report
from rnnproof.doctor.signature import signature
from rnnproof.equations.cell import Cell
from rnnproof.errors import RnnproofError, UsageError

STEPS = tuple(range(1, 9))
BATCH, OTHER_BATCHES, STEPS_OF_OTHERS = 2, (1, 3), 3
_STAGES = len(STEPS) + len(OTHER_BATCHES) + 2  # behaviour, each case, names
_EVALUATIONS = 20_000  # of the loss in each case

Progress = Callable[[int, int, str], None]
# What a fault of the loss or of the claimed gradients is called as a mistake.
_KINDS = {
    "stateful-loss": "check-is-stateful",
    "unrepeatable-loss": "check-is-stateful",
    "random-loss": "check-is-random",
    "loss-changes-array": "argument-mutated",
    "claimed-changes-array": "argument-mutated",
    "claimed-changes-loss": "argument-mutated",
    "gradient-shares-memory": "gradient-shares-memory",
    "gradients-accumulate": "gradients-accumulate-over-calls",
    "claimed-not-repeatable": "claimed-not-repeatable",
}
# Signatures that are mistakes by themselves, whatever the cell.
_SIGNED = ("scaled-by-time", "scaled-by-batch", "wrong-factor", "clipped-by-norm", "clipped-by-value")


def examine(
    loss: Any,
    arrays: Mapping[str, Array] | None = None,
    claimed: Any = None,
    *,
    cell: Cell | str | None = None,
    step: Callable[[], Any] | None = None,
    rate: float = 1.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Compare claimed gradients of a scalar loss with the right ones and name what is wrong with them.

    Either `examine(loss, arrays, claimed)`: `loss()` is a number, `arrays` the float arrays it reads by name, which are changed
    in place and put back, `claimed` their gradients by name (some may be None) or a function that returns them. Or
    `examine(make)` with `make(T, B, rng) -> loss, arrays, claimed`, so that lengths and batches can be varied. With `step`,
    which updates the arrays in place, the gradients are read as (old - new) / rate. Arrays of torch, JAX or TensorFlow need no
    `claimed`: the gradients are the framework's, so `loss` may be a torch.autograd.Function, a jax.custom_vjp or a
    tf.custom_gradient of the arrays, in their order.

    With `cell`, a Cell, a name of the catalogue or the path of a document, the layout is found and mistakes get their names.
    `progress(done, total, what)` is told what is being done. Raises UsageError for an argument that is none of these.
    """
    asked = _cell(cell)
    try:
        source = _source(loss, arrays, claimed, step, rate, seed)
        return _Examination(source, asked, seed, progress or (lambda done, total, what: None)).report()
    except RnnproofError:
        raise
    except Exception as error:
        where = raised_outside(error)
        if where is None:
            raise
        raise UsageError(f"what is examined raised {type(error).__name__}: {error} ({where}); mend it first") from error


def _cell(cell: Cell | str | None) -> Cell | None:
    if cell is None or isinstance(cell, Cell):
        return cell
    if not isinstance(cell, str):
        raise UsageError(f"cell is {type(cell).__name__}; give a Cell, a name of the catalogue or the path of a document")
    from rnnproof.equations import catalogue, reader

    if cell in catalogue.names():
        return catalogue.load(cell)
    cells = reader.read(cell)
    if len(cells) != 1:
        names = ", ".join(each.name for each in cells)
        raise UsageError(f"{cell} holds {len(cells)} cells ({names}); read it with rnnproof.read and give one of them")
    return cells[0]


@dataclass(frozen=True)
class Source:
    """Where cases come from: `at(T, B)`; `varies` where lengths can be chosen, `anew(T, B)` a case without memory."""

    at: Callable[[int, int], Case]
    varies: bool
    anew: Callable[[int, int], Case] | None = None


def _source(loss: Any, arrays: Any, claimed: Any, step: Any, rate: float, seed: int) -> Source:
    if arrays is None and claimed is None:
        if not callable(loss):
            raise UsageError(
                "examine(make) takes a function make(T, B, rng) -> loss, arrays, claimed; or give loss, arrays, claimed"
            )
        return Source(
            lambda steps, batch: from_make(loss, steps, batch, seed), True, lambda steps, batch: fresh(loss, steps, batch, seed)
        )
    if step is not None:
        if claimed is not None:
            raise UsageError("give claimed or step, not both: with step the gradients are read as (old - new) / rate")
        whole = applied(case(loss, arrays, {}), step, rate)
    else:
        whole = case(loss, arrays, claimed)
    return Source(lambda steps, batch: whole, False)


@dataclass(frozen=True)
class Visit:
    """One case with what was measured on it."""

    case: Case
    claimed: Mapping[str, Array | None]
    true: Mapping[str, NumericalGradient]
    steps: int
    batch: int

    def error(self, name: str) -> float:
        """The largest error of an array's gradient, relative to the right one's largest entry (absolute where that is zero)."""
        gradient, answer = self.claimed[name], self.true[name]
        if gradient is None or not answer.entries.any():
            return 0.0
        with np.errstate(all="ignore"):
            difference = np.abs(gradient - answer.values)[answer.entries]
        largest = float(np.max(np.abs(answer.values[answer.entries])))
        worst = float(np.max(np.where(np.isfinite(difference), difference, np.inf)))
        return worst / largest if largest > 0 else worst

    def wrong(self, name: str) -> bool:
        gradient = self.claimed[name]
        return gradient is not None and bool(self.true[name].differs(gradient).any())


@dataclass
class _Examination:
    source: Source
    cell: Cell | None
    seed: int
    progress: Progress

    def report(self) -> Report:
        """Behaviour, sweep, layout and mistakes, in this order."""
        self.progress(0, _STAGES, "is the loss a function")
        first = self.source.at(STEPS_OF_OTHERS, BATCH)
        manner = behaviour(first.loss, first.arrays, first.given, self.seed)
        faults = _faults(manner)
        changes = any(fault.name == "claimed-changes-loss" for fault in manner.faults)
        if changes and self.source.anew is not None:
            self.source = replace(self.source, at=self.source.anew)
        if not manner.repeatable:
            if self.source.anew is None or not _repeats(self.source.anew(STEPS_OF_OTHERS, BATCH)):
                return _ended(first, faults)
            self.source = replace(self.source, at=self.source.anew)
        visits = self._visits()
        axes = axes_of(self.source.at) if self.source.varies else {}
        wrong = self._wrong(visits)
        signatures = self._signatures(visits, wrong, axes)
        naming = self._naming(visits, wrong, axes)
        return self._written(visits, wrong, signatures, naming, faults, manner)

    def _visits(self) -> list[Visit]:
        if not self.source.varies:
            return [self._visit(self.source.at(0, 0), 0, 0)]
        cases = [(steps, BATCH) for steps in STEPS] + [(STEPS_OF_OTHERS, batch) for batch in OTHER_BATCHES]
        visits = []
        for number, (steps, batch) in enumerate(cases, start=1):
            self.progress(number, _STAGES, f"T = {steps}, B = {batch}")
            current = self.source.at(steps, batch)
            visits.append(self._visit(current, steps, batch))
            if without_zeros(current, self.seed + steps):
                visits.append(self._visit(current, steps, batch))
        return visits

    def _visit(self, current: Case, steps: int, batch: int) -> Visit:
        level = noise(current.loss, current.arrays, self.seed)
        true = numerical_gradients(current.loss, current.arrays, evaluations=_EVALUATIONS, seed=self.seed, noise_level=level)
        return Visit(current, current.claimed(), true, steps, batch)

    def _wrong(self, visits: list[Visit]) -> dict[str, int]:
        """The smallest T at which each array is wrong; 1 where there is but one case."""
        wrong: dict[str, int] = {}
        for visit in visits:
            for name in visit.case.arrays:
                if visit.wrong(name):
                    wrong[name] = min(wrong.get(name, 10**9), visit.steps or 1)
        return {name: wrong[name] for name in visits[0].case.arrays if name in wrong}

    def _signatures(self, visits: list[Visit], wrong: Mapping[str, int], axes: Mapping[str, str]) -> dict[str, Any]:
        times = {name: letters.index("T") for name, letters in axes.items() if "T" in letters}
        runs = [
            gradient_pair.Observation(dict(v.claimed), dict(v.true), v.steps or None, v.batch or None, times) for v in visits
        ]
        return {name: signature(name, runs) for name in wrong}

    def _naming(self, visits: list[Visit], wrong: Mapping[str, int], axes: Mapping[str, str]) -> Naming:
        if self.cell is None:
            return Naming()
        self.progress(_STAGES - 1, _STAGES, "layout and mistakes")
        if self.source.varies:
            return name_mistakes(self.cell, [of_lengths(self.source.at, axes, self.seed)], bool(wrong))
        return name_mistakes(self.cell, of_one(visits[0].case, self.seed), bool(wrong))

    def _written(
        self,
        visits: list[Visit],
        wrong: Mapping[str, int],
        signatures: Mapping[str, Any],
        naming: Naming,
        faults: list[Named],
        manner: Behaviour,
    ) -> Report:
        mistakes = [*faults, *naming.mistakes]
        covered = naming.covered
        for kind in _SIGNED:
            names = [n for n, s in signatures.items() if s is not None and s.name == kind and n not in covered]
            if names:
                says = "; ".join(signatures[name].says for name in names)
                mistakes.append(Named(kind, ", ".join(names), says, entry=_entry(visits, names)))
        if not any(mistake.kind == LACKS_RECURRENCE for mistake in mistakes):
            mistakes += _unused(visits, manner, wrong, covered)
        mistakes = [replace(m, entry=m.entry or _entry_of(m, visits, wrong, naming)) for m in mistakes]
        arrays = {name: _array(name, visits, wrong, signatures, naming, mistakes) for name in visits[0].case.arrays}
        explained = {name for m in mistakes for name in m.where.split(", ")}
        unnamed = tuple(n for n in wrong if n in naming.unnamed or (n not in covered and n not in explained))
        precision = "float32" if any(t.precision > 1e-10 for v in visits for t in v.true.values()) else "float64"
        return Report(
            wrong=wrong,
            arrays=arrays,
            mistakes=tuple(mistakes),
            unnamed=unnamed,
            layout=naming.layout,
            cell=naming.cell or (self.cell.name if self.cell is not None else ""),
            notes=(*naming.notes, *_notes(visits, precision)),
            steps=tuple(sorted({v.steps for v in visits})) if self.source.varies else (),
            batches=tuple(sorted({v.batch for v in visits})) if self.source.varies else (),
            precision=precision,
        )


def _faults(manner: Behaviour) -> list[Named]:
    faults = manner.faults
    if any(fault.name == "claimed-changes-loss" for fault in faults):  # which is why its gradients differ from call to call
        faults = tuple(f for f in faults if f.name not in ("gradients-accumulate", "claimed-not-repeatable"))
    return [Named(_KINDS.get(fault.name, fault.name), fault.array or "loss", fault.says) for fault in faults]


def _repeats(current: Case) -> bool:
    return current.loss() == current.loss()


def _ended(first: Case, faults: list[Named]) -> Report:
    """The report of a loss that is no function: nothing can be compared with it."""
    arrays = {name: ArrayReport("not claimed", 0.0) for name in first.arrays}
    note = "no gradient was compared: differences of a loss that is no function mean nothing"
    return Report({}, arrays, tuple(faults), (), (), "", (note,), (), ())


def _array(
    name: str,
    visits: list[Visit],
    wrong: Mapping[str, int],
    signatures: Mapping[str, Any],
    naming: Naming,
    mistakes: list[Named],
) -> ArrayReport:
    errors: dict[tuple[int, int], float] = {}
    for visit in visits:
        if visit.claimed[name] is not None:
            key = (visit.steps, visit.batch)
            errors[key] = max(errors.get(key, 0.0), visit.error(name))
    if not errors:
        return ArrayReport("not claimed", 0.0)
    mine = [m for m in mistakes if name in m.where.split(", ") or name in naming.arrays_of(m)]
    verdict = "wrong" if name in wrong else "right"
    if name in wrong and name not in naming.unnamed and mine and all(m.intended for m in mine):
        verdict = "truncated" if any(m.kind == "truncated" for m in mine) else "clipped"
    mark = signatures.get(name)
    sign, says = (mark.name, mark.says) if mark is not None else ("", "")
    return ArrayReport(verdict, max(errors.values()), sign, says, errors)


def _entry_of(mistake: Named, visits: list[Visit], wrong: Mapping[str, int], naming: Naming) -> tuple[str, float, float] | None:
    """An entry that a named mistake changes, in the shortest case in which it changes any."""
    since = naming.since.get(mistake.kind, 1)
    names = [name for name in wrong if name in naming.arrays_of(mistake)]
    return _entry([visit for visit in visits if visit.steps >= since or not visit.steps], names)


def _entry(visits: list[Visit], names: list[str]) -> tuple[str, float, float] | None:
    """The entry that is most wrong in the shortest case: its name, what is claimed, what is due."""
    for visit in visits:
        for name in names:
            gradient, answer = visit.claimed[name], visit.true[name]
            if gradient is None or not visit.wrong(name):
                continue
            distance = np.where(answer.entries, np.abs(gradient - np.nan_to_num(answer.values)), -1.0)
            at = np.unravel_index(int(np.argmax(distance)), gradient.shape)
            where = f"{name}[{', '.join(map(str, at))}]" + (f" at T = {visit.steps}" if visit.steps else "")
            return where, float(gradient[at]), float(answer.values[at])
    return None


def _unused(visits: list[Visit], manner: Behaviour, wrong: Mapping[str, int], covered: frozenset[str]) -> list[Named]:
    """Gradients claimed for arrays that the loss does not read."""
    names = [
        name
        for name in wrong
        if name not in covered
        and not manner.depends.get(name, True)
        and all(not np.any(np.nan_to_num(visit.true[name].values)) for visit in visits)
    ]
    if not names:
        return []
    says = f"the loss does not depend on {', '.join(names)}, but a gradient that is not zero is claimed"
    return [Named("gradient-of-unused-parameter", ", ".join(names), says)]


def _notes(visits: list[Visit], precision: str) -> list[str]:
    notes = []
    kinks = {name: sum(int(v.true[name].kinks.sum()) for v in visits) for name in visits[0].case.arrays}
    at_kinks = {name: number for name, number in kinks.items() if number}
    if at_kinks:
        listed = ", ".join(f"{number} of {name}" for name, number in at_kinks.items())
        notes.append(f"entries at a kink of the loss, where there is no gradient, were left out: {listed}")
    if precision == "float32":
        notes.append("the loss computes in float32, so gradients were compared to that precision; this is no fault")
    return notes
