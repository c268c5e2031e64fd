"""Which formulas of a derivation each line of the generated module computes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rnnproof.calculus.lines import Lines
from rnnproof.calculus.operations import Slice
from rnnproof.calculus.program import Program
from rnnproof.calculus.variables import Var
from rnnproof.generation.numpy.module import print_module
from rnnproof.generation.pipeline import pipeline
from rnnproof.generation.target import Mark


@dataclass(frozen=True)
class Annotated:
    """A module's text, and for a line of it (from 1) the numbers of the derivation's formulas that it computes."""

    text: str
    marks: tuple[tuple[int, tuple[int, ...]], ...]


def annotate(derivation: Lines) -> Annotated:
    """What `generate` makes of the derivation's cell, its lines marked. Raises what `generate` raises."""
    lowered = pipeline(derivation.cell)
    source = print_module(lowered)
    formulas: dict[str, list[int]] = {}
    for step in derivation.steps:
        for name in step.of:
            formulas.setdefault(name, []).append(step.number)
    programs = {"forward": lowered.forward.program, "backward": lowered.backward.program}
    owned = {way: owners(program, formulas.keys()) for way, program in programs.items()}
    marks = []
    for line, computes in source.marks:
        names = [name for mark in computes for name in _names(mark, owned)]
        numbers = {number for name in names for number in formulas.get(name, ())}
        if numbers:
            marks.append((line, tuple(sorted(numbers))))
    return Annotated(source.text, tuple(marks))


def _names(mark: Mark, owned: dict[str, dict[Var, tuple[str, ...]]]) -> tuple[str, ...]:
    way, what = mark
    return (what,) if isinstance(what, str) else owned[way].get(what, ())


def owners(program: Program, named: Iterable[str]) -> dict[Var, tuple[str, ...]]:
    """For each value the named values it is computed for: those it holds, or else those of the steps that read it.

    Of a stack, which may hold some parts with a name and some without, that goes for each part.
    """
    wanted = set(named)
    users = program.users()
    owners: dict[Var, tuple[str, ...]] = {}
    for step in reversed(program.steps):
        own = [name for name in step.of if name in wanted]
        readers = users.get(step.target, [])
        nameless = [user for user in readers if isinstance(user.op, Slice) and wanted.isdisjoint(user.of)] if own else readers
        owners[step.target] = tuple(dict.fromkeys([*own, *(name for user in nameless for name in owners[user.target])]))
    return owners
