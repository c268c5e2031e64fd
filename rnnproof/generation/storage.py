"""Where each value lives: a stored sequence (steps, rows, batch), a scratch array (rows, batch), or rows of one of them.

An elementwise step overwrites an argument that nobody reads any more; the parts of a stack are written straight into it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from typing import Any

import sympy as sp

from rnnproof.calculus.operations import Concat, Slice
from rnnproof.calculus.program import Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.generation.lowered import Columns, Copy, Erf, Fill, Normal, Rows, Select, Ufunc
from rnnproof.generation.schedule import Schedule

IN_PLACE = Ufunc | Select | Erf | Normal | Copy | Fill
VIEWS = Rows | Columns  # NumPy may hand out the argument's own memory: it must hold its value as long as they are read


@dataclass(frozen=True)
class Buffer:
    """`kind`: sequence, scratch, given (a caller's array), state (all steps of a state), carry (an adjoint between steps).

    It goes by the name of the first value it holds; "new h" and "work 1" have a blank, as no value's name can.

    A sequence `by_rows` lies in memory as (rows, steps, batch), so that a product after the loop reads it as one matrix.
    """

    name: str
    kind: str
    rows: Any
    by_rows: bool = False


@cache
def _ahead(stop: Any, start: Any) -> bool:
    """Whether rows that end at `stop` surely lie ahead of those that begin at `start`."""
    return bool(sp.expand(start - stop).is_nonnegative)


@cache
def _expanded(rows: Any) -> Any:
    return sp.expand(rows)


def _alike(rows: Any, other: Any) -> bool:
    """Whether two numbers of rows, sums of sizes, are the same."""
    return bool(_expanded(rows) == _expanded(other))


@dataclass(frozen=True)
class Region:
    """Rows start..stop of a buffer."""

    buffer: Buffer
    start: Any
    stop: Any

    def overlaps(self, other: Region) -> bool:
        """False only where the rows are surely disjoint."""
        if self.buffer != other.buffer:
            return False
        return not (_ahead(self.stop, other.start) or _ahead(other.stop, self.start))

    def part(self, start: Any, stop: Any) -> Region:
        """Rows start..stop of this region."""
        return replace(self, start=sp.expand(self.start + start), stop=sp.expand(self.start + stop))

    @property
    def whole(self) -> bool:
        return bool(self.start == 0 and _alike(self.stop, self.buffer.rows))


@dataclass
class Layout:
    """The region of every data variable, and the copies the loop must end with (from, to)."""

    regions: dict[Var, Region] = field(default_factory=dict)
    copies: list[tuple[Var, Region]] = field(default_factory=list)


def rows_of(var: Var) -> Any:
    """Rows of a value as an array: a scalar has one."""
    return var.shape[0] if var.shape else sp.S.One


def assign(plan: Schedule, stored: Iterable[Var]) -> Layout:
    """Give every data variable a region; what is `stored`, or is read after the loop, gets a stored sequence."""
    return _Assigner(plan, set(stored)).run()


class _Assigner:
    def __init__(self, plan: Schedule, stored: set[Var]) -> None:
        self.plan, self.program = plan, plan.program
        self.layout = Layout()
        self.preferred: dict[Var, Region] = {}
        self.pool: list[Buffer] = []
        self.position = {step.target: number for number, step in enumerate(plan.steps)}
        users = self.program.users()
        self.last: dict[Var, float] = {}
        self.stored: set[Var] = set()
        self.flat = {step.args[0] for step in plan.steps if step.op == Rows()}
        outputs = {port.var for port in self.program.outputs if port.role is not Role.CARRY}
        handed_on = {port.var for port in self.program.ports(Role.CARRY, out=True)}  # the loop ends with copying them
        self._enter_inputs()
        self.carry = {port.key: self.layout.regions[port.var] for port in self.program.ports(Role.CARRY)}
        for var in (*(port.var for port in self.program.inputs), *(step.target for step in plan.steps)):
            reads = [self.position[user.target] for user in users.get(var, [])]
            self.last[var] = inf if var in stored or var in outputs or var in handed_on else max(reads, default=-1)
            later = {plan.phase[user.target] for user in users.get(var, [])}
            if var in stored or var in outputs or "after" in later or plan.phase.get(var) in ("before", "after"):
                self.stored.add(var)
        for step in reversed(plan.steps):
            if isinstance(step.op, VIEWS):
                self.last[step.args[0]] = max(self.last[step.args[0]], self.last[step.target])
            if isinstance(step.op, Slice) and step.target in self.stored:
                self.stored.add(step.args[0])

    def _enter_inputs(self) -> None:
        """Whatever is there before the function runs has its place."""
        for port in self.program.inputs:
            kind = {Role.OLD: "state", Role.CARRY: "carry"}.get(port.role, "given")
            if port.var.per_sample:
                buffer = Buffer(port.var.name, kind, rows_of(port.var))
                self.layout.regions[port.var] = Region(buffer, sp.S.Zero, buffer.rows)

    def run(self) -> Layout:
        self._prefer_states()
        self._prefer_stacks()
        for step in self.plan.steps:
            if step.target.per_sample:
                self.layout.regions[step.target] = self._region(step)
        self._carry_copies()
        return self.layout

    def _prefer_states(self) -> None:
        """A state's new value is written where all its steps are stored; where that can't be, the loop ends with a copy."""
        recurrent = {port.key for port in self.program.ports(Role.OLD)}
        producer = self.program.producer()
        for port in self.program.ports(Role.NEW, out=True):
            if port.key not in recurrent:
                continue
            buffer = Buffer(f"new {port.key}", "state", rows_of(port.var))
            region = Region(buffer, sp.S.Zero, buffer.rows)
            step = producer.get(port.var)
            fits = step is not None and not isinstance(step.op, Slice) and self.plan.phase[port.var] == "loop"
            if fits and port.var not in self.preferred:
                self.preferred[port.var] = region
            else:
                self.layout.copies.append((port.var, region))

    def _prefer_stacks(self) -> None:
        producer = self.program.producer()
        for step in reversed(self.plan.steps):
            if not isinstance(step.op, Concat) or not step.target.per_sample or self.plan.phase[step.target] != "loop":
                continue
            buffer = Buffer(step.target.name, "scratch", rows_of(step.target))
            if step.target in self.stored:
                by_rows = not self.flat.isdisjoint((step.target, *step.args))
                buffer = Buffer(step.target.name, "sequence", rows_of(step.target), by_rows)
            region = self.preferred.setdefault(step.target, Region(buffer, sp.S.Zero, buffer.rows))
            start = sp.S.Zero
            for arg in step.args:
                stop = start + rows_of(arg)
                source = producer.get(arg)
                lost = arg in self.stored and region.buffer.kind == "scratch"  # read after the loop, the stack only inside
                fits = (
                    source is not None
                    and not isinstance(source.op, Slice)
                    and self.plan.phase[arg] == "loop"
                    and step.args.count(arg) == 1
                )
                if fits and not lost:
                    self.preferred.setdefault(arg, region.part(start, stop))
                start = stop

    def _region(self, step: Step) -> Region:
        target, regions = step.target, self.layout.regions
        if isinstance(step.op, Slice):
            return regions[step.args[0]].part(step.op.start, step.op.stop)
        if target in self.preferred:
            return self.preferred[target]
        for port in self.program.ports(Role.CARRY, out=True):
            mine = port.var == target and port.key in self.carry and target not in self.stored
            if mine and self._free(self.carry[port.key], step):
                if sum(other.var == target for other in self.program.ports(Role.CARRY, out=True)) == 1:
                    return self.carry[port.key]
        if isinstance(step.op, IN_PLACE):
            for arg in sorted(step.args, key=lambda arg: self._kind(arg) != "sequence"):
                if self._may_overwrite(arg, step):
                    return regions[arg]
        return self._fresh(target)

    def _kind(self, var: Var) -> str:
        return self.layout.regions[var].buffer.kind if var in self.layout.regions else ""

    def _may_overwrite(self, arg: Var, step: Step) -> bool:
        kind = self._kind(arg)
        if arg.shape != step.target.shape or kind not in ("sequence", "scratch", "carry"):
            return False
        if arg.tex or (kind != "sequence" and step.target in self.stored):
            return False
        if kind == "carry" and not any(self.carry[p.key] == self.layout.regions[arg] for p in self._carried_out()):
            return False
        return self._free(self.layout.regions[arg], step)

    def _carried_out(self) -> list[Any]:
        return [port for port in self.program.ports(Role.CARRY, out=True) if port.key in self.carry]

    def _free(self, region: Region, step: Step) -> bool:
        """Nobody reads these rows after `step`, and `step` itself at most elementwise, in the same rows."""
        now = self.position[step.target]
        for var, other in self.layout.regions.items():
            if region.overlaps(other):
                if self.last[var] > now:
                    return False
                if self.last[var] == now and (
                    not isinstance(step.op, IN_PLACE) or other != region or var.shape != step.target.shape
                ):
                    return False
        return True

    def _fresh(self, var: Var) -> Region:
        """A stored sequence, a scratch array of its own for a named value, or one from the pool for a nameless one."""
        if var in self.stored:
            buffer = Buffer(var.name, "sequence", rows_of(var), var in self.flat and self.plan.phase[var] == "loop")
            return Region(buffer, sp.S.Zero, buffer.rows)
        if var.tex:
            buffer = Buffer(var.name, "scratch", rows_of(var))
            return Region(buffer, sp.S.Zero, buffer.rows)
        for buffer in self.pool:
            region = Region(buffer, sp.S.Zero, buffer.rows)
            if self._idle(region, var):
                return region
        self.pool.append(Buffer(f"work {len(self.pool) + 1}", "scratch", rows_of(var)))
        return Region(self.pool[-1], sp.S.Zero, rows_of(var))

    def _idle(self, region: Region, var: Var) -> bool:
        if var not in self.position or not _alike(region.buffer.rows, rows_of(var)):
            return False
        now = self.position[var]
        return all(self.last[other] < now for other, used in self.layout.regions.items() if region.overlaps(used))

    def _carry_copies(self) -> None:
        for port in self._carried_out():
            if self.layout.regions[port.var] != self.carry[port.key]:
                self.layout.copies.append((port.var, self.carry[port.key]))
