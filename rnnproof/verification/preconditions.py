"""What has to be known before gradients are compared: is the module a function, and which of its arguments does it read?

Each fault found here is one row. Where something is left over to compare, the Subject handed back is what is to be judged: a
state that the module ignores is handed over as zeros from then on, so that one fault does not spoil every number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from rnnproof.verification import interpreter
from rnnproof.verification.comparison import relative_error
from rnnproof.verification.evidence import CONTRACT, Row
from rnnproof.verification.module_under_test import ModuleFault, Subject
from rnnproof.verification.purity import impurities
from rnnproof.verification.reference import ROUNDING
from rnnproof.verification.sample import Array, Sample


@dataclass(frozen=True)
class Examination:
    """The faults found, the Subject to go on with, and whether going on would mean nothing."""

    subject: Subject
    rows: tuple[Row, ...] = ()
    ends: bool = False


def examine(subject: Subject, point: Sample) -> Examination:
    """Purity first; then the precision inside, then what `forward` and `backward` ignore."""
    rows: list[Row] = []
    try:
        for impurity in impurities(subject, point):
            rows.append(broken(subject, "purity", point, impurity.text))
            if impurity.ends:
                return Examination(subject, tuple(rows), True)
        if _single(subject, point):
            subject = replace(subject, single=True)
            text = "forward computes in float32 whatever comes in: float64 gives states that are float32 to the last bit"
            cure = "make its arrays with the dtype of what comes in, as np.zeros_like does"
            rows.append(broken(subject, "dtype", point, f"{text}. The numbers were compared to that precision; {cure}"))
        for what, name in (("initial", _unread_initial(subject, point)), ("seeds", _unread_seeds(subject, point))):
            if name:
                rows.append(broken(subject, what, point, _ignores(what, name, subject)))
                subject = replace(subject, asked=subject.convention.without(what, name))
                point = subject.convention.apply(point)
    except ModuleFault as fault:
        return Examination(subject, (*rows, broken(subject, "call", point, subject.plain(fault))), True)
    return Examination(subject, tuple(rows))


def broken(subject: Subject, what: str, point: Sample, text: str) -> Row:
    """The row of a promise of the contract that does not hold; `what` stands where others name their oracle."""
    return Row(subject.name, "all", what, str(point.dtype), point.label, math.inf, 0.0, CONTRACT, "FAIL", note=text)


def _ignores(what: str, names: tuple[str, ...], subject: Subject) -> str:
    states = " and ".join(names)
    if what == "initial":
        rest = [name for name in subject.convention.initial if name not in names]
        asked = f"initial={rest!r}" if rest else "initial=False"
        option = " ".join(f"--initial {name}" for name in rest) or "--no-initial"
        return (
            f"forward ignores the initial {states}: with it and without it every state is the same, as if it were zero. Start "
            f"from initial, or, if it always starts from zero, say so: {asked} ({option}). All else was compared with it zero"
        )
    rest = [name for name in subject.convention.seeds if name not in names]
    option = " ".join(f"--seeds {name}" for name in rest)
    return (
        f"backward ignores d_states of {states}: with it and without it every gradient is the same. Add it to what comes back "
        f"through time, or, if no loss reads {states}, say so: seeds={rest!r} ({option}). All else was compared with it zero"
    )


def _single(subject: Subject, point: Sample) -> bool:
    states = subject.forward(point).states
    return all(np.array_equal(np.asarray(states[name], np.float32), states[name], equal_nan=True) for name in point.initial)


def _unread_initial(subject: Subject, point: Sample) -> tuple[str, ...]:
    """The states whose initial value changes the equations' states but not this module's."""
    if subject.cell is None:
        return ()

    def alike(first: dict[str, Array], second: dict[str, Array]) -> bool:
        return all(np.array_equal(first[name], second[name]) for name in point.initial)

    unread = []
    for state in subject.convention.initial:
        other = replace(point, initial={**point.initial, state: np.zeros_like(point.initial[state])})
        if alike(subject.forward(point).states, subject.forward(other).states) and not alike(
            interpreter.states(subject.cell, point), interpreter.states(subject.cell, other)
        ):
            unread.append(state)
    return tuple(unread)


def _unread_seeds(subject: Subject, point: Sample) -> tuple[str, ...]:
    """The states whose seeds change no gradient, though their values depend on what there are gradients for; never all."""
    if len(subject.convention.seeds) == 1:
        return ()
    whole = subject.gradients(point)
    moved = subject.forward(point.with_leaves({label: 0.9 * value for label, value in point.leaves().items()})).states
    unread = []
    for state in subject.convention.seeds:
        other = subject.gradients(replace(point, d_states={**point.d_states, state: np.zeros_like(point.d_states[state])}))
        if all(np.array_equal(other[label], whole[label]) for label in point.leaves()):
            unread.append(state)
    varied = [state for state in unread if not np.array_equal(moved[state], whole[f"output {state}"])]
    return tuple(varied) if len(varied) < len(subject.convention.seeds) else ()  # a backward that does nothing is just wrong


def wrong_forward(subject: Subject, point: Sample) -> list[Row]:
    """One row where the module's states are not the equations': the state that goes wrong first, and its first wrong step."""
    if subject.cell is None:
        return []
    ours = subject.forward(point).states
    theirs = interpreter.states(subject.cell, point)
    eps = float(np.finfo(np.float32 if subject.single else np.float64).eps)
    first = {name: _first_wrong(np.asarray(ours[name]), theirs[name], ROUNDING * eps) for name in theirs}
    wrong = {name: step for name, step in first.items() if step is not None}
    if not wrong:
        return []
    name = min(wrong, key=lambda state: wrong[state])
    step = wrong[name]
    error, index = relative_error(np.asarray(ours[name])[step], theirs[name][step])
    index = (step, *index)
    row = broken(subject, "forward", point, _otherwise(wrong, tuple(theirs)))
    row = replace(row, gradient=f"output {name}", index=index, step=step, error=error, tolerance=ROUNDING * eps)
    return [replace(row, ours=float(ours[name][index]), theirs=float(theirs[name][index]))]


def _first_wrong(ours: Array, theirs: Array, tolerance: float) -> int | None:
    largest = max(float(np.max(np.abs(theirs), initial=0.0)), 1e-300)
    with np.errstate(all="ignore"):
        wrong = ~(np.abs(ours - theirs).reshape(len(theirs), -1) <= tolerance * largest).all(axis=1)
    return int(np.argmax(wrong)) if wrong.any() else None


def _otherwise(wrong: dict[str, int], states: Iterable[str]) -> str:
    parts = [f"{name} from time step {step} on" for name, step in sorted(wrong.items(), key=lambda item: item[1])]
    right = [name for name in states if name not in wrong]
    return f"state {', '.join(parts)}" + (f" ({', '.join(right)} right)" if right else "")
