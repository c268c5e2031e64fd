"""From a case and a cell to the names of the mistakes: the layout, the passes that are varied, what they say of the arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rnnproof.doctor.array_axes import guessed
from rnnproof.doctor.case import Case, drawn, without_zeros
from rnnproof.doctor.conventions import conventions, other_activations, without_recurrent_term
from rnnproof.doctor.diagnosis import Diagnosis, Replay, diagnose, replay
from rnnproof.doctor.findings import Named
from rnnproof.doctor.layout import Layout
from rnnproof.doctor.layout_search import MOST, find_layout, fit
from rnnproof.doctor.line_mistakes import Lines
from rnnproof.doctor.mismatch import mismatched
from rnnproof.doctor.mistake import Mistake, text
from rnnproof.doctor.plain_pass import derived
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell

LACKS_RECURRENCE = "forward-lacks-recurrence"
CASES = ((1, 2), (2, 2), (3, 2), (4, 2), (8, 2), (3, 3))
FOUND_AT = (2, 2)
DRAWS = 3  # of the arrays, where one length is all there is
# Layouts that are tried for each guess of the lengths, and for each cell that the forward pass may be instead.
_FOR_EACH_GUESS, _OTHERS = 2000, 500

At = Callable[[int, int], Case]


@dataclass(frozen=True)
class Naming:
    """What was named: mistakes, the arrays they explain by kind, the arrays without a name, and how the cell was found."""

    mistakes: tuple[Named, ...] = ()
    explains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)  # the smallest T at which each kind changes a gradient
    unnamed: frozenset[str] = frozenset()
    covered: frozenset[str] = frozenset()
    layout: tuple[str, ...] = ()
    cell: str = ""
    notes: tuple[str, ...] = ()

    def arrays_of(self, mistake: Named) -> frozenset[str]:
        """The arrays whose gradients a mistake changes."""
        return self.explains.get(mistake.kind, frozenset())


@dataclass(frozen=True)
class Sample:
    """Where layouts are looked for and mistakes replayed: the case of the search with its arrays' axes, and all cases."""

    found_at: Case
    axes: Mapping[str, str]
    cases: Callable[[], Iterator[Case]]
    most: int = MOST


def of_lengths(at: At, axes: Mapping[str, str], seed: int) -> Sample:
    """A Sample of cases whose lengths can be chosen."""

    def cases() -> Iterator[Case]:
        for steps, batch in CASES:
            current = at(steps, batch)
            without_zeros(current, seed + steps)
            yield current

    return Sample(at(*FOUND_AT), axes, cases)


def of_one(case: Case, seed: int) -> Iterator[Sample]:
    """Samples of one case, for each length it may have; its arrays are drawn anew where the gradients can be computed anew."""
    for current, axes in guessed(case):

        def cases(current: Case = current) -> Iterator[Case]:
            yield current
            for draw in range(DRAWS if callable(current.given) else 0):
                yield drawn(current, seed + draw)

        yield Sample(current, axes, cases, _FOR_EACH_GUESS)


def name_mistakes(cell: Cell, samples: Iterable[Sample], wrong: bool) -> Naming:
    """The names of what is wrong with the gradients of a cell, where its layout is found."""
    everywhere = list(samples)
    for forward in _forwards(cell):
        for sample in everywhere:
            most = min(sample.most, _OTHERS) if forward.mistakes or forward.cell.name != cell.name else sample.most
            layout = find_layout(sample.found_at, forward.cell, sample.axes, most, forward.recurrent)
            if layout is not None:
                return _named(layout, forward, cell, sample, wrong)
    text = f"the arrays and the loss are no {cell.name} that the doctor recognises, so mistakes have no names; {_CURE}"
    return Naming(notes=(text,))


def _named(layout: Layout, forward: Forward, asked: Cell, sample: Sample, wrong: bool) -> Naming:
    base = Naming(forward.mistakes, layout=layout.lines(), cell=layout.cell.name, notes=forward.notes)
    arrays = _arrays_by_label(layout)
    if not wrong or forward.mistakes:
        every = frozenset(array for names in arrays.values() for array in names)
        return replace(base, explains=dict.fromkeys((m.kind for m in forward.mistakes), every), covered=every)
    programs = derived(layout.cell)
    lines = Lines(programs, frozenset(layout.head.outputs))
    replays = []
    for current in sample.cases():
        fitted = fit(current, layout, programs)
        replays += [replay(current, fitted, current.claimed())] if fitted is not None else []
    if not replays:
        text = "the cell was found, but the arrays are too large to name mistakes: make the case smaller, 4 units say"
        return replace(base, notes=(*base.notes, text))
    mismatch = mismatched(layout, programs, asked, replays)
    if mismatch is not None:
        every = frozenset(array for names in arrays.values() for array in names)
        return replace(base, mistakes=(mismatch,), explains={mismatch.kind: every}, covered=every)
    diagnosis = diagnose(lines, replays)
    mistakes, explains, since = _merged(diagnosis, lines, replays, arrays)
    labels = {name for one in replays for name in one.claimed}
    return replace(
        base,
        mistakes=tuple(mistakes),
        explains=explains,
        since=since,
        unnamed=frozenset(array for label in diagnosis.unnamed for array in arrays[label]),
        covered=frozenset(array for label in labels for array in arrays[label]),
    )


_CURE = "give the inputs among the arrays, or the cell's own equations as a document"


@dataclass(frozen=True)
class Forward:
    """What a forward pass may be: a cell, with or without its recurrence, and what is to be said of it first."""

    cell: Cell
    mistakes: tuple[Named, ...] = ()
    notes: tuple[str, ...] = ()
    recurrent: bool = True


def _forwards(cell: Cell) -> Iterator[Forward]:
    """The cell, then what else its forward pass may be."""
    for variant, convention in conventions(cell):
        yield Forward(variant, notes=(convention,) if convention else ())
    for variant, _ in conventions(cell):
        says = f"the forward pass is {cell.name} without its recurrence: every step starts from the initial state"
        yield Forward(variant, (Named(LACKS_RECURRENCE, "the forward pass", says),), recurrent=False)
        says = f"the forward pass is {cell.name} without what comes through the recurrent matrices"
        yield Forward(without_recurrent_term(variant), (Named(LACKS_RECURRENCE, "the forward pass", says),))
    for name in catalogue.names():
        if name != cell.name:
            for variant, convention in conventions(catalogue.load(name)):
                text = f"the forward pass is {name}, not {cell.name}" + (f" ({convention})" if convention else "")
                yield Forward(variant, notes=(text,))
    for variant, says in other_activations(cell):
        yield Forward(variant, notes=(f"the forward pass is {cell.name} but for one thing: {says}",))


def _arrays_by_label(layout: Layout) -> dict[str, tuple[str, ...]]:
    arrays = {name: tuple(view.array for view in views) for name, views in layout.views.items()}
    for kind, places in (("input", layout.inputs), ("initial", layout.initial)):
        arrays |= {f"{kind} {name}": (where.path,) for name, where in places.items() if where.listed}
    return arrays


def _merged(
    diagnosis: Diagnosis, lines: Lines, replays: list[Replay], arrays: Mapping[str, tuple[str, ...]]
) -> tuple[list[Named], dict[str, frozenset[str]], dict[str, int]]:
    """One Named for each kind, with all its lines; the arrays that each kind changes; from which T on it changes any."""
    kinds: dict[str, list[Mistake]] = {}
    for mistake in diagnosis.mistakes:
        kinds.setdefault(mistake.kind, []).append(mistake)
    named, explains, since = [], {}, {}
    for kind, mistakes in kinds.items():
        changed = _changed_lines(mistakes, lines)
        named.append(
            Named(
                kind,
                ", ".join(dict.fromkeys(mistake.where for mistake in mistakes)),
                "; ".join(dict.fromkeys(mistake.says for mistake in mistakes)),
                tuple(due for due, _ in changed),
                tuple(written for _, written in changed),
            )
        )
        rest = [mistake for mistake in diagnosis.mistakes if mistake.kind != kind]
        labels = _changed_by(diagnosis, rest, lines, replays)
        explains[kind] = frozenset(array for label in labels for array in arrays.get(label, ()))
        since[kind] = min(labels.values(), default=1)
    return named, explains, since


def _changed_lines(mistakes: list[Mistake], lines: Lines) -> list[tuple[str, str]]:
    """(as it is due, as it was written) of each line that mistakes change."""
    backward = lines.whole
    for mistake in mistakes:
        backward = mistake.apply(backward) or backward
    names = dict.fromkeys(name for mistake in mistakes for name in mistake.where.split(", "))
    pairs = [(text(lines.whole, name), text(backward, name)) for name in names if name in lines.steps]
    return [(due, written) for due, written in pairs if due != written]


def _changed_by(diagnosis: Diagnosis, rest: list[Mistake], lines: Lines, replays: list[Replay]) -> dict[str, int]:
    """The labels that the mistakes not in `rest` change, each with the smallest T at which they do."""
    without = lines.whole
    for mistake in rest:
        without = mistake.apply(without) or without
    changed: dict[str, int] = {}
    for one in replays:
        whole, less = one.run(diagnosis.backward), one.run(without)
        for name in one.claimed:
            if not one.same(whole[name], less[name]):
                changed[name] = min(changed.get(name, one.steps), one.steps)
    return changed
