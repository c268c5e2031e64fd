"""Program -> formulas: the SymPy expression of each value as a person would write it, unnamed values written out in place.

The symbols of a formula are named by their printed TeX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rnnproof.calculus.matrix_expressions import symbol
from rnnproof.calculus.operations import Call, Concat, Map
from rnnproof.calculus.program import Program, Step
from rnnproof.calculus.variables import Expression, Var


class Reader:
    """Reads a Program's values as formulas; a value in `names` is its printed symbol, any other is written out."""

    def __init__(self, steps: Mapping[Var, Step], names: Mapping[Var, str]) -> None:
        self.steps = steps
        self.names = names

    def value(self, var: Var) -> Expression:
        """The formula of a value, its symbol where it has one."""
        return symbol(self.names[var], var.shape) if var in self.names else self.definition(var)

    def definition(self, var: Var) -> Expression:
        """The right side of the line that defines a value."""
        step = self.steps[var]
        return step.math.formula(*map(self.value, step.args))

    def rules(self, var: Var) -> tuple[str, ...]:
        """The rules that made a line: its own and those of the values written out in it, each once."""
        return self._collected(var, lambda step: "" if step.rule == "equation" else step.rule)

    def operations(self, var: Var) -> tuple[str, ...]:
        """The operations of a line: its own and those of the values written out in it, each once."""
        return self._collected(var, lambda step: step.op.name)

    def _collected(self, var: Var, what: Callable[[Step], str]) -> tuple[str, ...]:
        collected = {what(self.steps[var]): None}
        for arg in self.steps[var].args:
            if arg not in self.names:
                collected.update(dict.fromkeys(self._collected(arg, what)))
        return tuple(word for word in collected if word)


def printed_names(forward: Program) -> dict[Var, str]:
    """The printed symbol of every forward value that has one; what an activation is applied to gets one, such as a_{o_t}."""
    steps = forward.producer()
    names = {port.var: port.var.tex for port in forward.inputs}
    names |= {step.target: step.target.tex for step in forward.steps if step.target.tex}
    goes_into: dict[Var, str] = {}
    for step in reversed(forward.steps):
        for arg in step.args:
            goes_into[arg] = step.target.tex or goes_into.get(step.target, "")
    taken = set(names.values())
    for step in forward.steps:
        before = step.args[0] if isinstance(step.op, Map | Call) else step.target
        if before in names or isinstance(steps[before].op, Concat) or before == step.target:
            continue
        below, base = step.target.tex or goes_into[step.target], "a"
        while f"{base}_{{{below}}}" in taken:
            base += "'"
        names[before] = f"{base}_{{{below}}}"
        taken.add(names[before])
    return names
