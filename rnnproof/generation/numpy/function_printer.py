"""A scheduled Program -> the lines of a NumPy function body."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from rnnproof.calculus.operations import Matmul, Slice
from rnnproof.calculus.program import Step
from rnnproof.calculus.variables import Var
from rnnproof.generation.numpy.names import bounds, comment, identifier, plain, size_text
from rnnproof.generation.numpy.operation_text import IN_LOOP, expression, in_place
from rnnproof.generation.numpy.statement import Statement, statements
from rnnproof.generation.pipeline import Direction
from rnnproof.generation.storage import Region


@dataclass
class Body:
    """Statements of a function, by place; `arrays` are the sequences it allocates, with their shapes."""

    arrays: dict[str, tuple[str, ...]] = field(default_factory=dict)
    before: list[Statement] = field(default_factory=list)
    loop: list[Statement] = field(default_factory=list)
    after: list[Statement] = field(default_factory=list)


class Printer:
    """Prints one direction, `way`; `given` says how the arrays that exist already are called: {buffer's name: text}."""

    def __init__(self, direction: Direction, given: dict[str, str], way: str) -> None:
        self.plan, self.layout, self.way = direction.plan, direction.layout, way
        self.says = "back through " if way == "backward" else ""
        self.given = given
        self.body = Body()
        self.names = self._region_names()
        self.made: set[str] = set(given.values())
        self.iterated: dict[str, str] = {}
        self.said: set[str] = set()
        self.place = "before"

    # names

    def _region_names(self) -> dict[Region, str]:
        names: dict[Region, str] = {}
        named: set[Region] = set()
        for var, region in self.layout.regions.items():
            if region.buffer.name.startswith("work ") and region.whole:
                names[region] = region.buffer.name.replace(" ", "_")
            elif region not in named and not (region in names and var.name.startswith("tmp_")):
                names[region] = identifier(var.name)
            if var.tex:
                named.add(region)
        states = {identifier(name.removeprefix("new ")): name for name in self.given if name.startswith("new ")}
        taken: dict[str, Region] = {}
        for region, name in names.items():
            while states.get(name, region.buffer.name) != region.buffer.name or taken.setdefault(name, region) != region:
                name += "_"
            names[region] = name
        return names

    def rows(self, region: Region) -> str:
        return bounds(region.start, region.stop, region.buffer.rows)

    def sequence(self, var: Var) -> str:
        """The array over all steps that holds `var`."""
        if not var.per_sample:
            return self.parameter(var)
        region = self.layout.regions[var]
        name = f"{self.names[region]}_seq"
        base = self.base(region)
        if base == name or name in self.made:
            return name
        if region.whole:
            return base
        target = self.body.after if self.place == "after" else self.body.before
        axis = "" if base.endswith("]") else ":, "
        text = f"{base[:-1]}, {self.rows(region)}]" if base.endswith("]") else f"{base}[{axis}{self.rows(region)}]"
        target.append(Statement(f"{name} = {text}"))
        self.made.add(name)
        return name

    def base(self, region: Region) -> str:
        """The text of a whole stored buffer, allocated on first sight."""
        buffer = region.buffer
        if buffer.name in self.given:
            return self.given[buffer.name]
        whole = Region(buffer, sp.S.Zero, buffer.rows)
        name = f"{self.names.get(whole, identifier(buffer.name))}_seq"
        if name not in self.made:
            self.made.add(name)
            extent = ("steps", size_text(buffer.rows), "batch")
            self.body.arrays[name] = (extent[1], extent[0], extent[2]) if buffer.by_rows else extent
            if buffer.by_rows:
                self.body.before.append(Statement(f"{name} = {name}.swapaxes(0, 1)"))
        return name

    def parameter(self, var: Var) -> str:
        return f"{identifier(var.name)}_seq" if var.per_step else identifier(var.name)

    def here(self, var: Var) -> str:
        """The array of one step inside the loop."""
        if not var.per_sample:
            if var.per_step:
                self.iterated.setdefault(identifier(var.name), self.parameter(var))
            return identifier(var.name)
        region = self.layout.regions[var]
        name = self.names[region]
        if region.buffer.kind in ("sequence", "state", "given"):
            self.iterated.setdefault(name, self.sequence(var))
        else:
            self.scratch(region)
        return name

    def scratch(self, region: Region) -> None:
        buffer, name = region.buffer, self.names[region]
        whole = Region(buffer, sp.S.Zero, buffer.rows)
        base = self.given.get(buffer.name) or self.names.get(whole, identifier(buffer.name))
        if base not in self.made:
            self.made.add(base)
            self.body.before.append(Statement(f"{base} = np.empty(({size_text(buffer.rows)}, batch), dtype)"))
        if name not in self.made:
            self.made.add(name)
            part = base if region.whole else f"{base}[{self.rows(region)}]"
            self.body.before.append(Statement(f"{name} = {part}"))

    def text(self, var: Var) -> str:
        return self.here(var) if self.place == "loop" else self.sequence(var)

    # steps

    def run(self) -> Body:
        for place, body in (("before", self.body.before), ("loop", self.body.loop), ("after", self.body.after)):
            self.place = place
            for step in self.plan.of(self.place):
                written = self._step(step)
                if written and self.place != "before":
                    equations = [line for line in step.tex.split("\n") if line and line not in self.said]
                    body += statements(part for line in equations for part in comment(f"{self.says}{plain(line)}"))
                    self.said.update(equations)
                body += statements(written, ((self.way, step.target),))
            if self.place == "loop":
                body += self._copies()
        return self.body

    def _copies(self) -> list[Statement]:
        lines: list[Statement] = []
        several = len(self.layout.copies) > 1
        for number_, (var, _) in enumerate(self.layout.copies):
            if several:
                lines.append(Statement(f"kept_{number_} = {self.here(var)}.copy()"))
        for number_, (var, region) in enumerate(self.layout.copies):
            source = f"kept_{number_}" if several else self.here(var)
            if region.buffer.kind == "carry":
                self.scratch(region)
                target = self.names[region]
            else:
                target = f"{identifier(region.buffer.name.removeprefix('new '))}_new"
                self.iterated.setdefault(target, self.given[region.buffer.name])
            lines.append(Statement(f"{target}[...] = {source}", ((self.way, var),)))
        return lines

    def _step(self, step: Step) -> list[str]:
        if isinstance(step.op, Slice) and step.target.per_sample:
            return []
        if not step.target.per_sample:
            return [f"{self.parameter(step.target)} = {expression(step, self.text)}"]
        region = self.layout.regions[step.target]
        if self.place == "loop":
            args = [self.here(arg) for arg in step.args]
            return IN_LOOP[step.op.name](step, args, self.here(step.target), self.layout)
        args = [self.sequence(arg) for arg in step.args]
        fresh = f"{self.names[region]}_seq" not in self.made and region.whole and region.buffer.kind == "sequence"
        fresh = fresh and self.base_unmade(region)
        if fresh and step.op == Matmul() and self.place == "before":
            return [f"np.matmul({', '.join(args)}, out={self.base(region)})"]
        if fresh:
            out = f"{self.names[region]}_seq"
            self.made.add(out)
            if step.op == Matmul() and self._by_rows(step.args[1]) and not step.args[0].per_step:
                return [f"{out} = _sequence({args[0]} @ _rows({args[1]}), steps, batch)"]
            return [f"{out} = {expression(step, self.sequence)}"]
        out = self.sequence(step.target)
        return in_place(step, args, out, self.layout) or [f"{out}[...] = {expression(step, self.sequence)}"]

    def _by_rows(self, var: Var) -> bool:
        return var in self.layout.regions and self.layout.regions[var].buffer.by_rows

    def base_unmade(self, region: Region) -> bool:
        whole = Region(region.buffer, sp.S.Zero, region.buffer.rows)
        return f"{self.names.get(whole, identifier(region.buffer.name))}_seq" not in self.made

    def straight(self, steps: int) -> list[Statement]:
        """The loop written out: each step's arrays are taken, then its lines follow; comments stand in the first alone."""
        lines: list[Statement] = []
        silent = [line for line in self.body.loop if not line.is_comment]
        for count in range(steps):
            number = steps - 1 - count if self.backward else count
            lines.append(Statement(f"# step {number + 1}"))
            lines += [Statement(f"{name} = {_taken(text, number)}") for name, text in self.iterated.items()]
            lines += silent if count else self.body.loop
        return lines

    def loop(self) -> list[Statement]:
        """The loop over the steps."""
        return [Statement(self._header()), *(statement.indented() for statement in self.body.loop)]

    @property
    def backward(self) -> bool:
        """Whether the steps come in reverse."""
        return self.way == "backward"

    def _header(self) -> str:
        pairs = list(self.iterated.items())
        if not pairs:
            return "for _ in range(steps):"
        names = ", ".join(name for name, _ in pairs)
        values = [f"{text}[::-1]" if self.backward else text for _, text in pairs]
        if len(pairs) == 1:
            return f"for {names} in {values[0]}:"
        line = f"for {names} in zip({', '.join(values)}, strict=True):"
        if len(line) <= 110:
            return line
        targets = "".join(f"    {name},\n" for name, _ in pairs)
        return f"for (\n{targets}) in zip(\n" + "".join(f"    {value},\n" for value in values) + "    strict=True,\n):"


def _taken(sequence: str, number: int) -> str:
    """One step of a sequence as text; the sequences of states hold the initial value ahead of the first step."""
    for ending, shift in (("[:-1]", 0), ("[1:]", 1)):
        if sequence.endswith(ending):
            return f"{sequence.removesuffix(ending)}[{number + shift}]"
    return f"{sequence}[{number}]"
