"""The direct ways of a step: from a state's old value to its own new one through elementwise operations only.

On such a way no matrix multiplies the gradient; it is the part of the state's Jacobian that is diagonal. Of several ways only
those with the fewest activation functions on them count: an LSTM's memory, not the peepholes beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rnnproof.calculus.operations import Add, Hadamard, Map, Quotient, Scale
from rnnproof.calculus.program import Program, Role, Step
from rnnproof.calculus.variables import Var


@dataclass(frozen=True)
class Ways:
    """`links`: (argument, result) pairs on a direct way; `pairs`: the (old, new) values joined by one."""

    links: frozenset[tuple[Var, Var]]
    pairs: tuple[tuple[Var, Var], ...]

    @property
    def ends(self) -> frozenset[Var]:
        """The new values that a direct way leads to."""
        return frozenset(new for _, new in self.pairs)


def elementwise(step: Step) -> tuple[Var, ...]:
    """The arguments by which the step's result has a diagonal Jacobian."""
    if isinstance(step.op, Add | Hadamard | Quotient | Map):
        return step.args
    return step.args[1:] if isinstance(step.op, Scale) else ()  # s x by x is s I, by s it is the column x


def direct(program: Program) -> Ways:
    """The direct ways of all states."""
    new = {port.key: port.var for port in program.ports(Role.NEW, out=True)}
    links: set[tuple[Var, Var]] = set()
    pairs = []
    for port in program.ports(Role.OLD):
        shortest = _shortest(program, port.var, new[port.key])
        if shortest:
            links |= shortest
            pairs.append((port.var, new[port.key]))
    return Ways(frozenset(links), tuple(pairs))


def _shortest(program: Program, start: Var, end: Var) -> set[tuple[Var, Var]]:
    """The links of the ways with the fewest activations."""
    cost = {start: 0}  # the fewest activations from the start
    for step in program.steps:
        before = [cost[arg] for arg in elementwise(step) if arg in cost]
        if before:
            cost[step.target] = min(before) + isinstance(step.op, Map)
    links: set[tuple[Var, Var]] = set()
    reached = {end} if end in cost else set()
    for step in reversed(program.steps):
        if step.target in reached:
            for arg in elementwise(step):
                if arg in cost and cost[arg] + isinstance(step.op, Map) == cost[step.target]:
                    links.add((arg, step.target))
                    reached.add(arg)
    return links
