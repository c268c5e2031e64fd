"""One choice of sizes, proved equation by equation.

Forward: where an equation and the Program give a value the same polynomial, the value gets a name, and everything after it is
written in names (where two sides agree only once the names are written out, that is done). Backward, from the last value to
the first: the loss's derivative by a value is the sum, over all that is made of it, of the derivative by that times the
polynomials' own partial derivative; where the Program's adjoint of the value is the same polynomial, it gets a name too. So
every identity speaks of one value and its uses, and by induction over the values (later ones first) all of them together say
that the derivative of the loss is the Program's. The work grows with the cell, not with the number of paths through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.operations import Call, Map
from rnnproof.calculus.program import Program, Role
from rnnproof.calculus.variables import Var
from rnnproof.equations.cell import Cell
from rnnproof.equations.entries import Entries
from rnnproof.proofs.opaque import Array, Opaque, place
from rnnproof.proofs.polynomial import Polynomial, Work
from rnnproof.proofs.program_side import Run

_OUT = {Role.PARAMETER: Role.GRADIENT, Role.OLD: Role.CARRY, Role.INPUT: Role.INPUT}


class Differs(Exception):
    """An identity that does not hold; its text says which one and by how much."""


class Induction:
    """Both sides at one choice of sizes. `prove()` counts the gradient entries proved, or raises Differs or TooLarge."""

    def __init__(
        self, cell: Cell, forward: Program, backward: Program, sizes: Mapping[Any, sp.Integer], steps: int, work: Work
    ) -> None:
        self.cell = cell
        self.steps = steps
        self.opaque = Opaque(work)
        self.run = Run(forward, backward, self.opaque, sizes, steps, self.given)
        self.entries = Entries(self.opaque, sizes, {body.name: body for body in cell.bodies}, {})
        self.ports = {(port.role, port.key): port.var for port in forward.inputs}
        self.new = {port.key: port.var for port in forward.ports(Role.NEW, out=True)}
        self.equations = {step.target.name: step.target for step in forward.steps if step.target.tex}
        self.adjoints = {name: step.target for step in backward.steps for name in step.of}
        self.named: dict[tuple[Var, int], Array] = {}
        self.slopes: dict[int, Polynomial] = {}

    def given(self, role: Role, key: str, t: int) -> Array:
        """The symbols of a parameter, input, initial state or seed."""
        var = self.new[key] if role is Role.SEED else self.ports[(role, key)]
        varies = var.per_step and role is not Role.OLD
        label = {Role.SEED: "seed of ", Role.OLD: "initial "}.get(role, "") + key
        return self.opaque.array(f"{label} at step {t + 1}" if varies else label, self.run.shape(var))

    def prove(self) -> int:
        """Forward, backward, and every gradient that comes out."""
        for t in range(self.steps):
            self._enter(t)
            for equation in self.cell.equations:
                self._equation(equation.symbol, self.entries.value(equation.expression), t)
            self._applications(t)
            self._seed(t)
        self._backward()
        count = 0
        for name, derived, symbol in self._gradients():
            self._same(f"d loss / d {name}", derived, self._slope(symbol))
            count += 1
        return count

    def _enter(self, t: int) -> None:
        """Parameters, inputs and old states of a step."""
        cell, values = self.cell, self.entries.values
        for state in cell.states:
            if state.old is not None:
                values[state.old] = values[state.new] if t else _matrix(self.given(Role.OLD, state.name, 0))
        values.update({p.symbol: _matrix(self.given(Role.PARAMETER, p.name, t)) for p in cell.parameters})
        values.update({x: _matrix(self.given(Role.INPUT, x.name, t)) for x in cell.inputs})

    def _equation(self, symbol: Any, value: Array, t: int) -> None:
        """Compare an equation's value on both sides and name it."""
        var = self.equations.get(symbol.name)
        if var is not None and not var.per_step and t:
            return  # the same at every step, named at the first
        label = f"{symbol.name} at step {t + 1}"
        if var is not None:
            program = self.run.value(var, t)
            self._same_entries(label, _matrix(program), value)
            value = program
        value = self.opaque.named(label, value, inside=True)
        if var is not None:
            self.named[var, t] = value
            self.run.name(var, t, value)
        self.entries.values[symbol] = _matrix(value)

    def _applications(self, t: int) -> None:
        """Functions applied inside an equation have a name already; note those that one line of the Program makes."""
        for step in self.run.forward.steps:
            if isinstance(step.op, Map | Call) and (step.target, t) not in self.named and (step.target.per_step or not t):
                self.named[step.target, t] = self.run.value(step.target, t)

    def _seed(self, t: int) -> None:
        """The loss is the sum of seed times state over states and steps: its derivative by each state."""
        for state in self.cell.states:
            seeds = _matrix(self.given(Role.SEED, state.name, t))
            for value, seed in zip(np.ravel(self.entries.values[state.new]), np.ravel(seeds), strict=True):
                for generator, slope in value.partials():
                    self._add(generator, slope * seed)

    def _add(self, generator: int, slope: Polynomial) -> None:
        self.slopes[generator] = self.slopes[generator] + slope if generator in self.slopes else slope

    def _slope(self, symbol: Polynomial) -> Polynomial:
        (generator,) = symbol.generators
        return self.slopes.get(generator, self.opaque.whole(0))

    def _backward(self) -> None:
        """From the newest generator to the oldest: the derivative by one is complete when its turn comes."""
        arrays = self._arrays()
        for generator in sorted(self.opaque.inside, reverse=True):
            if generator in arrays:
                self._adjoint(*arrays[generator])
            slope = self.slopes.get(generator)
            if slope:
                for inner, argument in self.opaque.inside[generator]:
                    for other, partial in argument.partials():
                        self._add(other, slope * inner * partial)

    def _arrays(self) -> dict[int, tuple[Var, Var, int]]:
        """The named arrays whose adjoint the Program has, by the newest generator of each.

        One whose generators several lines of the Program share, or that were not made in one go, is left as it is: its
        derivative is then written out in the identities of what it is made of.
        """
        generated = sorted(self.opaque.inside)
        where = {generator: position for position, generator in enumerate(generated)}
        owners: dict[int, int] = {}
        members = {}
        for key, array in self.named.items():
            generators = [generator for entry in np.ravel(array) for generator in entry.generators]
            members[key] = generators
            for generator in set(generators):
                owners[generator] = owners.get(generator, 0) + 1
        arrays = {}
        for (var, t), generators in members.items():
            adjoint = self.adjoints.get(f"d_{var.name}")
            if adjoint is None or not generators or any(owners[g] > 1 or g not in where for g in generators):
                continue
            if where[max(generators)] - where[min(generators)] == len(generators) - 1:
                arrays[max(generators)] = (var, adjoint, t)
        return arrays

    def _adjoint(self, var: Var, adjoint: Var, t: int) -> None:
        """Compare a value's adjoint on both sides and name it."""
        values, derived = self.named[var, t], self.run.value(adjoint, t)
        label = f"d loss / d {var.name} at step {t + 1}"
        expected = _each(values, self._slope)
        self._same_entries(label, derived, expected)
        if all(entry.is_monomial for entry in np.ravel(expected)):
            return
        name = self.opaque.named(label, expected)
        self.run.name(adjoint, t, name)
        for entry, slope in zip(np.ravel(values), np.ravel(name), strict=True):
            (generator,) = entry.generators
            self.slopes[generator] = slope

    def _gradients(self) -> Iterator[tuple[str, Polynomial, Polynomial]]:
        """(name, derived gradient, symbol) of every entry of every quantity."""
        outputs = {(port.role, port.key): port.var for port in self.run.backward.outputs}
        for (role, key), var in self.ports.items():
            out = outputs.get((_OUT[role], key))
            varies = var.per_step and role is not Role.OLD
            for t in range(self.steps if varies else 1):
                symbols = self.given(role, key, t)
                derived = self.run.value(out, t) if out is not None else self.run.zeros(var)
                where = f" at step {t + 1}" if varies else ""
                label = f"initial {key}" if role is Role.OLD else key
                for at in np.ndindex(*self.run.shape(var)):
                    pair = (derived[at], symbols[at]) if at else (derived, symbols)
                    yield f"{label}{place(at)}{where}", *pair

    def _same_entries(self, label: str, left: Array, right: Array) -> None:
        for at in np.ndindex(*np.shape(left)):
            self._same(f"{label}{place(at)}", left[at] if at else left, right[at] if at else right)

    def _same(self, label: str, left: Polynomial, right: Polynomial) -> None:
        difference = left - right
        if difference and self.opaque.written_out(left) - self.opaque.written_out(right):
            raise Differs(f"{label} differs by {self.opaque.shown(difference)}")


def _each(values: Array, change: Any) -> Array:
    if not isinstance(values, np.ndarray):
        return change(values)
    results = np.empty(values.shape, dtype=object)
    for at in np.ndindex(*values.shape):
        results[at] = change(values[at])
    return results


def _matrix(value: Array) -> Array:
    """A column as a matrix, as the equations have it."""
    return value[:, None] if isinstance(value, np.ndarray) and value.ndim == 1 else value
