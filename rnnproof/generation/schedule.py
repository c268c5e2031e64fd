"""When each step runs: while packing parameters, for the whole sequence ahead of the loop, inside it, or after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rnnproof.calculus.operations import Matmul, Slice
from rnnproof.calculus.program import Program, Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.generation.lowered import Spread
from rnnproof.generation.passes import descendants

PHASES = ("pack", "before", "loop", "after")


@dataclass(frozen=True)
class Schedule:
    """A lowered Program with a phase for each step; `steps` stand in the order in which they run."""

    program: Program
    phase: dict[Var, str]
    steps: tuple[Step, ...]

    def of(self, phase: str) -> tuple[Step, ...]:
        """The steps of a phase."""
        return tuple(step for step in self.steps if self.phase[step.target] == phase)


def schedule(program: Program) -> Schedule:
    """Only what the next step waits for stays in the loop; products that can be made for all steps at once leave it.

    In a forward Program the loop carries the states, in a backward one their adjoints. What is only handed on to the next
    step is computed last, so that it can take the place of what arrived.
    """
    carried_in = {port.var for role in (Role.OLD, Role.CARRY) for port in program.ports(role)}
    carried_keys = {port.key for role in (Role.OLD, Role.CARRY) for port in program.ports(role)}
    carried_out = {port.var for port in program.outputs if port.role in (Role.NEW, Role.CARRY) and port.key in carried_keys}
    passing = {port.var for port in program.ports(Role.CARRY)}  # overwritten at each step, so read only inside the loop
    waiting = descendants(program, carried_in | carried_out)
    wanted = _ancestors(program, carried_out)
    data = descendants(program, {port.var for port in program.inputs if port.var.per_sample})
    users = program.users()
    phase: dict[Var, str] = {}
    for step in reversed(program.steps):
        target = step.target
        later = {phase[user.target] for user in users.get(target, [])}
        if target not in data and not target.per_sample:
            phase[target] = "pack"
        elif not passing.isdisjoint(step.args):
            phase[target] = "loop"
        elif target in waiting or target in carried_out:
            phase[target] = "loop" if target in wanted else "after"
        elif "loop" not in later and "before" not in later:
            phase[target] = "after" if program.ports(Role.CARRY) else "before"
        elif step.op == Spread() and "before" not in later:
            phase[target] = "loop"
        elif "before" in later or step.op == Matmul() or not program.ports(Role.CARRY):
            phase[target] = "before"
        else:
            phase[target] = "loop"
    handed_on = {var for var in carried_out if not users.get(var)}
    place = {step.target: (PHASES.index(phase[step.target]), step.target in handed_on) for step in program.steps}
    ordered = sorted(_views_first(program.steps), key=lambda step: place[step.target])
    return Schedule(program, phase, tuple(ordered))


def _views_first(steps: Iterable[Step]) -> list[Step]:
    """Parts are views and cost nothing: each stands right behind what it is a part of."""
    views: dict[Var, list[Step]] = {}
    unordered = tuple(steps)
    targets = {step.target for step in unordered}
    for step in unordered:
        if isinstance(step.op, Slice) and step.args[0] in targets:
            views.setdefault(step.args[0], []).append(step)
    ordered: list[Step] = []

    def place(step: Step) -> None:
        ordered.append(step)
        for view in views.get(step.target, []):
            place(view)

    for step in unordered:
        if not (isinstance(step.op, Slice) and step.args[0] in targets):
            place(step)
    return ordered


def _ancestors(program: Program, goals: Iterable[Var]) -> set[Var]:
    reached = set(goals)
    for step in reversed(program.steps):
        if step.target in reached:
            reached.update(step.args)
    return reached
