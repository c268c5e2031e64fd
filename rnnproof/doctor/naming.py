"""From a case and a cell to the names of the mistakes: the layout, the passes that are varied, what they say of the arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rnnproof.doctor.case import Case, without_zeros
from rnnproof.doctor.conventions import conventions, other_activations, without_recurrence
from rnnproof.doctor.diagnosis import Diagnosis, Replay, diagnose, replay
from rnnproof.doctor.layout import Layout
from rnnproof.doctor.layout_search import find_layout, fit
from rnnproof.doctor.line_mistakes import Lines
from rnnproof.doctor.mistake import Mistake, text
from rnnproof.doctor.plain_pass import derived
from rnnproof.doctor.report import Named
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell

CASES = ((1, 2), (2, 2), (3, 2), (4, 2), (8, 2), (3, 3))
FOUND_AT = (2, 2)
_OTHERS = 3.0  # seconds for each cell that was not asked for

At = Callable[[int, int], Case]


@dataclass(frozen=True)
class Naming:
    """What was named: mistakes, the arrays they explain by kind, the arrays without a name, and how the cell was found."""

    mistakes: tuple[Named, ...] = ()
    explains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unnamed: frozenset[str] = frozenset()
    covered: frozenset[str] = frozenset()
    layout: tuple[str, ...] = ()
    cell: str = ""
    notes: tuple[str, ...] = ()

    def arrays_of(self, mistake: Named) -> frozenset[str]:
        """The arrays whose gradients a mistake changes."""
        return self.explains.get(mistake.kind, frozenset())


def name_mistakes(cell: Cell, at: At, axes: Mapping[str, str], wrong: bool, seed: int) -> Naming:
    """The names of what is wrong with the gradients of a cell, where its layout is found."""
    layout, forward, note = _layout(cell, at, axes)
    if layout is None:
        text = f"the arrays and the loss are no {cell.name} that the doctor recognises, so mistakes have no names; {_CURE}"
        return Naming(notes=(text,))
    if not wrong:
        return Naming(forward, layout=layout.lines(), cell=layout.cell.name, notes=note)
    programs = derived(layout.cell)
    lines = Lines(programs)
    replays = []
    for steps, batch in CASES:
        current = at(steps, batch)
        without_zeros(current, seed + steps)
        replays.append(replay(current, fit(current, layout, programs), current.claimed()))
    if any(mistake.kind == "forward-lacks-recurrence" for mistake in forward):
        return Naming(forward, layout=layout.lines(), cell=layout.cell.name, notes=note)
    diagnosis = diagnose(lines, replays)
    arrays = _arrays_by_label(layout)
    named, explains = _merged(diagnosis, lines, replays, arrays)
    labels = {name for one in replays for name in one.claimed}
    return Naming(
        (*forward, *named),
        explains,
        frozenset(array for label in diagnosis.unnamed for array in arrays[label]),
        frozenset(array for label in labels for array in arrays[label]),
        layout.lines(),
        layout.cell.name,
        note,
    )


_CURE = "give the inputs among the arrays, or the cell's own equations as a document"


def _layout(cell: Cell, at: At, axes: Mapping[str, str]) -> tuple[Layout | None, tuple[Named, ...], tuple[str, ...]]:
    """The layout, and what is to be said first where the forward pass is another cell's."""
    current = at(*FOUND_AT)
    for variant, convention in conventions(cell):
        layout = find_layout(current, variant, axes)
        if layout is not None:
            return layout, (), (convention,) if convention else ()
    bare = without_recurrence(cell)
    layout = find_layout(current, bare, axes, _OTHERS)
    if layout is not None:
        says = f"the forward pass is {cell.name} without its recurrence: every step starts from zero"
        return layout, (Named("forward-lacks-recurrence", "the forward pass", says),), ()
    for variant, says in other_activations(cell):
        layout = find_layout(current, variant, axes, _OTHERS)
        if layout is not None:
            return layout, (), (f"the forward pass is {cell.name} but for one thing: {says}",)
    for name in catalogue.names():
        other = catalogue.load(name)
        for variant, convention in conventions(other) if name != cell.name else ():
            layout = find_layout(current, variant, axes, _OTHERS)
            if layout is not None:
                text = f"the forward pass is {name}, not {cell.name}" + (f" ({convention})" if convention else "")
                return layout, (), (text,)
    return None, (), ()


def _arrays_by_label(layout: Layout) -> dict[str, tuple[str, ...]]:
    arrays = {name: tuple(view.array for view in views) for name, views in layout.views.items()}
    for kind, places in (("input", layout.inputs), ("initial", layout.initial)):
        arrays |= {f"{kind} {name}": (where.path,) for name, where in places.items() if where.listed}
    return arrays


def _merged(
    diagnosis: Diagnosis, lines: Lines, replays: list[Replay], arrays: Mapping[str, tuple[str, ...]]
) -> tuple[list[Named], dict[str, frozenset[str]]]:
    """One Named for each kind, with all its lines; and the arrays that each kind changes."""
    kinds: dict[str, list[Mistake]] = {}
    for mistake in diagnosis.mistakes:
        kinds.setdefault(mistake.kind, []).append(mistake)
    named, explains = [], {}
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
    return named, explains


def _changed_lines(mistakes: list[Mistake], lines: Lines) -> list[tuple[str, str]]:
    """(as it is due, as it was written) of each line that mistakes change."""
    backward = lines.whole
    for mistake in mistakes:
        backward = mistake.apply(backward) or backward
    names = dict.fromkeys(name for mistake in mistakes for name in mistake.where.split(", "))
    pairs = [(text(lines.whole, name), text(backward, name)) for name in names if name in lines.steps]
    return [(due, written) for due, written in pairs if due != written]


def _changed_by(diagnosis: Diagnosis, rest: list[Mistake], lines: Lines, replays: list[Replay]) -> set[str]:
    """The labels that the mistakes not in `rest` change."""
    without = lines.whole
    for mistake in rest:
        without = mistake.apply(without) or without
    changed = set()
    for one in replays:
        whole, less = one.run(diagnosis.backward), one.run(without)
        changed |= {name for name in one.claimed if not one.same(whole[name], less[name])}
    return changed
