"""Mistakes within one line of the derived pass: derivatives of activations, factors, matrices, variables, sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import sympy as sp

from rnnproof.calculus.adjoint_operations import Outer, ReduceSum, Slope
from rnnproof.calculus.operations import Add, Hadamard, Map, Matmul, Transpose
from rnnproof.calculus.program import Port, Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.doctor.array_operations import Formula, OutputSlope, output_slope
from rnnproof.doctor.mistake import Edit, Mistake, marked, reading, rewritten, together
from rnnproof.doctor.plain_pass import BEFORE, EARLIER, LAST, NEXT, WRAPPED, Derived, Pass
from rnnproof.equations import activations
from rnnproof.equations.activations import Y

ONE = sp.S.One
# Derivatives that people write for another function's, and slips of the pen in tanh' and sigma', as formulas in the output.
_OTHER_FUNCTIONS = ("tanh", "sigmoid", "relu")
_SLIPS = (1 - Y, Y, 1 + Y**2, Y**2, 1 - 2 * Y)


@dataclass(frozen=True)
class Lines:
    """A derived pass with what its lines are: who is a gate, which values have one shape, which gradient belongs to what."""

    derived: Derived
    seeded: frozenset[str] = frozenset()  # the states that the loss reads

    @cached_property
    def whole(self) -> Pass:
        return self.derived.whole

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.target.name: step for step in self.whole.steps}

    @cached_property
    def maps(self) -> tuple[Step, ...]:
        """The forward's activations of a value."""
        return tuple(step for step in self.derived.forward.steps if isinstance(step.op, Map))

    @cached_property
    def values(self) -> tuple[Var, ...]:
        """The forward values that a person keeps: inputs, old and new states, activations, arguments of activations."""
        forward = self.derived.forward
        values = [port.var for role in (Role.INPUT, Role.OLD) for port in forward.ports(role)]
        values += [port.var for port in forward.ports(Role.NEW, out=True)]
        values += [var for step in self.maps for var in (step.target, *step.args)]
        values += [arg for step in self.whole.steps for arg in step.args if arg.name not in self.steps and arg.per_sample]
        gradients = {port.var.name for port in self.entering}
        return tuple(var for var in dict.fromkeys(values) if var.name not in gradients)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all values of the forward pass."""
        return frozenset(step.target.name for step in self.derived.forward.steps)

    @cached_property
    def entering(self) -> tuple[Port, ...]:
        backward = self.derived.backward
        return (*backward.ports(Role.SEED), *backward.ports(Role.CARRY))

    @cached_property
    def arriving(self) -> frozenset[Var]:
        """Every seed and carry."""
        return frozenset(port.var for port in self.entering)

    @cached_property
    def gradients(self) -> tuple[Var, ...]:
        """The gradients that have a name, seeds and carries."""
        named = [s.target for s in self.whole.steps if s.target.name.startswith("d_") and s.target.per_sample]
        silent = {p.var for p in self.derived.backward.ports(Role.SEED) if self.seeded and p.key not in self.seeded}
        return (*(port.var for port in self.entering if port.var not in silent), *named)

    @cached_property
    def old(self) -> dict[str, Var]:
        """The new value of a state by its old value's name."""
        forward = self.derived.forward
        return {port.var.name: forward.port(Role.NEW, port.key, out=True).var for port in forward.ports(Role.OLD)}

    @cached_property
    def state_pairs(self) -> dict[str, tuple[Var, Var]]:
        """(old, new) value of each state by its name."""
        forward = self.derived.forward
        return {p.key: (p.var, forward.port(Role.NEW, p.key, out=True).var) for p in forward.ports(Role.OLD)}

    def recurrent(self, matrix: Var) -> bool:
        """Whether a matrix is square and acts on what has the state's size, as recurrent matrices do."""
        if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1]:
            return False
        return any(isinstance(step.op, Matmul) for step in self.derived.forward.users().get(matrix, []))

    def through_matrix(self, gradient: Var) -> bool:
        """Whether a gradient has come through a recurrent matrix within this step."""
        step = self.steps.get(gradient.name)
        if step is None:
            return False
        if isinstance(step.op, Matmul):
            transposed = self.steps.get(step.args[0].name)
            return transposed is not None and any(self.recurrent(arg) for arg in transposed.args)
        return any(self.through_matrix(arg) for arg in step.args)

    @cached_property
    def gate_gradients(self) -> dict[str, str]:
        """The gate of each gradient of a gate: d_i and d_a_i are i's."""
        return {f"d_{name}": step.target.name for step in self.maps for name in (step.target.name, step.args[0].name)}

    def named_line(self, name: str) -> str:
        """The nearest line with a name that a step without one is written into."""
        if name not in self._named:
            self._named[name] = self._nearest(name)
        return self._named[name]

    @cached_property
    def _named(self) -> dict[str, str]:
        return {}

    def _nearest(self, name: str) -> str:
        while not name.startswith("d_"):
            user = next((step for step in self.whole.steps if any(arg.name == name for arg in step.args)), None)
            if user is None:
                return name
            name = user.target.name
        return name

    def gate_of(self, name: str) -> str:
        """The gate whose matrix or bias a parameter is, by the pre-activation it enters; "" for none."""
        users = self.derived.forward.users()
        var = next((port.var for port in self.derived.forward.ports(Role.PARAMETER) if port.var.name == name), None)
        while var is not None:
            step = next(iter(users.get(var, [])), None)
            if step is None:
                return ""
            if isinstance(step.op, Map):
                return step.target.name
            var = step.target
        return ""

    def mistake(self, kind: str, name: str, says: str, edit: Edit) -> Mistake:
        """A Mistake in the line that `name` is written into."""
        return Mistake(kind, self.named_line(name), says, edit)


def slopes(lines: Lines) -> Iterator[Mistake]:
    """Everything that goes wrong with f' of an activation."""
    alone: dict[str, list[tuple[Step, Edit, str]]] = {}
    for step in lines.whole.steps:
        if not isinstance(step.op, Slope):
            continue
        name = activations.of(step.op.function).name
        for kind, says, edit in _slope_edits(lines, step):
            alone.setdefault(f"{kind}: {says}", []).append((step, edit, name))
            yield lines.mistake(kind, step.target.name, says.format(f=name, y=step.args[1].name, x=step.args[0].name), edit)
    for key, edits in alone.items():
        kind, _, says = key.partition(": ")
        preactivations = {gate.args[0].name for gate in lines.maps if _affine(lines, gate.args[0])}
        for chosen in _groups(edits, preactivations):
            values = " and ".join(step.args[1].name for step, _, _ in chosen)
            function = chosen[0][2] if len({name for _, _, name in chosen}) == 1 else "f"
            sentence = says.format(f=function, y=values, x=values)
            together_edit = together(*(edit for _, edit, _ in chosen))
            where = ", ".join(dict.fromkeys(lines.named_line(step.target.name) for step, _, _ in chosen))
            yield Mistake(kind, where, sentence, together_edit)


def _affine(lines: Lines, var: Var) -> bool:
    producer = lines.derived.forward.producer().get(var)
    return producer is not None and isinstance(producer.op, Add)


def _groups(edits: list[tuple[Step, Edit, str]], preactivations: set[str]) -> Iterator[list[tuple[Step, Edit, str]]]:
    """All activations, those of gates, those of one function; only groups of two or more, each once."""
    names = sorted({name for _, _, name in edits})
    candidates = [edits, [e for e in edits if e[0].args[0].name in preactivations]]
    candidates += [[e for e in edits if e[2] == name] for name in names]
    candidates += [[e for e in edits if e[2] == name and e[0].args[0].name in preactivations] for name in names]
    seen: list[list[str]] = []
    for chosen in candidates:
        key = [step.target.name for step, _, _ in chosen]
        if len(chosen) > 1 and key not in seen:
            seen.append(key)
            yield chosen


def _slope_edits(lines: Lines, step: Step) -> Iterator[tuple[str, str, Edit]]:
    """(kind, sentence with {f}, {x}, {y}, edit) of one derivative of an activation."""
    op = step.as_op(Slope)
    x, y = step.args
    name, target = activations.of(op.function).name, step.target.name
    twice = replace(y, name=f"{name}_of_{y.name}")
    yield (
        "derivative-of-activated-value",
        "{f}' is taken at {y}, which {f} has been applied to already, instead of at its argument",
        rewritten(target, op, (y, twice), (Step(twice, Map(op.function), (y,)),), step),
    )
    if output_slope(op.function) is not None:
        yield (
            "derivative-of-preactivation",
            "the formula of {f}' in terms of its value is evaluated at the argument {x}",
            rewritten(target, OutputSlope(op.function), (x,), (), step),
        )
    yield "activation-derivative-missing", "the derivative of {f} is missing", _without_slope(lines, step)
    for other in _OTHER_FUNCTIONS:
        if other != name:
            function = activations.named(other)
            yield (
                "wrong-derivative-function",
                f"the derivative of {other} stands where that of {{f}} is due",
                rewritten(target, OutputSlope(function), (y,), (), step),
            )
            value = replace(y, name=f"{other}_of_{x.name}")
            yield (
                "wrong-derivative-function",
                f"the derivative of {other} at {{x}} stands where that of {{f}} is due",
                rewritten(target, Slope(function), (x, value), (Step(value, Map(function), (x,)),), step),
            )
    for slip in _SLIPS:
        yield (
            "wrong-derivative-function",
            f"{slip} of y = {{y}} is not the derivative of {{f}}",
            _formula(target, slip, y, step),
        )
    for gate in lines.maps:
        if gate.target != y and gate.target.shape == y.shape:
            yield (
                "copy-paste-other-gate",
                f"the derivative is taken with {gate.target.name} in the place of {{y}}",
                rewritten(target, op, (gate.args[0], gate.target), (), step),
            )
    for bias, another in _other_biases(lines, x):
        moved = replace(x, name=f"{x.name}_with_{another.name}")
        value = replace(y, name=f"{y.name}_with_{another.name}")
        extra = (Step(moved, Add((ONE, -ONE, ONE)), (x, bias, another)), Step(value, Map(op.function), (moved,)))
        yield (
            "copy-paste-other-gate",
            f"the derivative is taken at a pre-activation with the bias {another.name} in the place of its own",
            rewritten(target, op, (moved, value), extra, step),
        )
    for mark, kind, when in ((LAST, "stale-cache", "last"), (BEFORE, "off-by-one", "previous"), (NEXT, "off-by-one", "next")):
        edit = rewritten(target, op, (marked(x, mark), marked(y, mark)), (), step)
        yield kind, f"the derivative is taken at the {when} step's {{y}}", edit


def _formula(target: str, expression: sp.Expr, y: Var, step: Step) -> Edit:
    return rewritten(target, Formula(expression), (y,), (), step)


def _without_slope(lines: Lines, step: Step) -> Edit:
    user = next(other for other in lines.whole.steps if step.target in other.args)
    rest = tuple(arg for arg in user.args if arg != step.target)
    return rewritten(user.target.name, Add((ONE,)), rest, (), user)


def _other_biases(lines: Lines, x: Var) -> Iterator[tuple[Var, Var]]:
    """(own bias, another gate's) of a pre-activation."""
    forward = lines.derived.forward
    vectors = {port.var for port in forward.ports(Role.PARAMETER) if len(port.var.shape) == 1}
    producer = forward.producer().get(x)
    own = [arg for arg in producer.args if arg in vectors] if producer is not None else []
    for bias in own:
        for other in vectors:
            if other != bias and other.shape == bias.shape:
                yield bias, other


def factors(lines: Lines) -> Iterator[Mistake]:
    """A product of a gradient with a forward value: another value, its gradient, one minus it, nothing."""
    for step in lines.whole.steps:
        if not isinstance(step.op, Hadamard):
            continue
        for position, arg in enumerate(step.args):
            producer = lines.steps.get(arg.name)
            if producer is not None and isinstance(producer.op, Slope):
                continue
            if (
                arg in lines.gradients
                or arg in lines.arriving
                or (producer is not None and arg.per_sample and arg not in lines.values)
            ):
                yield from _other_gradients(lines, step, position, arg)
                continue
            yield from _other_values(lines, step, position, arg)
            yield from _gradient_for_value(lines, step, position, arg)
            complement = replace(arg, name=f"complement_of_{arg.name}")
            extra = (Step(complement, Formula(1 - Y), (arg,)),)
            says = f"1 - {arg.name} stands where {arg.name} is due"
            plain = arg.name.removeprefix("one_minus_")
            kind = "wrong-variable" if f"one_minus_{plain}" in lines.names else "wrong-factor"  # a value of its own there
            yield lines.mistake(kind, step.target.name, says, reading(step.target.name, position, complement, extra))
            alone = rewritten(step.target.name, Add((ONE,)), (step.args[1 - position],), (), step)
            yield lines.mistake("wrong-factor", step.target.name, f"the factor {arg.name} is missing", alone)


def _other_values(lines: Lines, step: Step, position: int, arg: Var) -> Iterator[Mistake]:
    """Another forward value in one place: another variable, or the same of another time step."""
    name = step.target.name
    for other in lines.values:
        if other == arg or other.shape != arg.shape:
            continue
        neighbours = (lines.old.get(arg.name), lines.old.get(other.name))
        neighbour = isinstance(step.op, Outer) and (other == neighbours[0] or arg == neighbours[1])
        kind = "off-by-one" if neighbour else "wrong-variable"  # people index histories in sums, and name variables in products
        says = f"{other.name} stands where {arg.name} is due"
        yield lines.mistake(kind, name, says, reading(name, position, other))
    yield from _other_steps(lines, name, position, arg)


def _other_steps(lines: Lines, name: str, position: int, arg: Var) -> Iterator[Mistake]:
    if arg.name in lines.old:
        says = f"{arg.name} at the first step is [-1], which is the last step, instead of the initial state"
        yield lines.mistake("index-wraps-to-last", name, says, reading(name, position, marked(arg, WRAPPED)))
    rows = (
        (LAST, "stale-cache", f"{arg.name} is the last step's at every step"),
        (NEXT, "off-by-one", f"{arg.name} is the next step's"),
        (BEFORE, "off-by-one", f"{arg.name} is the previous step's"),
        (EARLIER, "off-by-one", f"{arg.name} is the previous step's, or its own at the first"),
    )
    for mark, kind, says in rows:
        yield lines.mistake(kind, name, says, reading(name, position, marked(arg, mark)))


def _gradient_for_value(lines: Lines, step: Step, position: int, arg: Var) -> Iterator[Mistake]:
    """The gradient of a value in the place of the value, whole or what was added to it so far; of a state's new value too."""
    name, shape = step.target.name, arg.shape
    says = f"a gradient of {arg.name} stands where {arg.name} itself is due"
    argument = next((gate.args[0].name for gate in lines.maps if gate.target == arg), "")
    for of in dict.fromkeys((arg.name, argument, getattr(lines.old.get(arg.name), "name", ""))):
        gradient = lines.steps.get(f"d_{of}")
        if gradient is None or gradient.target.shape != shape:
            continue
        yield lines.mistake("gradient-used-for-value", name, says, reading(name, position, gradient.target))
        if not isinstance(gradient.op, Add) or len(gradient.args) < 2:
            continue
        for number in range(1, len(gradient.args)):
            for parts in combinations(range(len(gradient.args)), number):
                partial = replace(gradient.target, name=f"part_of_d_{of}_{'_'.join(map(str, parts))}")
                terms = tuple(gradient.args[part] for part in parts)
                extra = (Step(partial, Add(tuple(gradient.op.factors[part] for part in parts)), terms),)
                yield lines.mistake("gradient-used-for-value", name, says, reading(name, position, partial, extra))


def _other_gradients(lines: Lines, step: Step, position: int, arg: Var) -> Iterator[Mistake]:
    """Another gradient in one place."""
    name = step.target.name
    for other in lines.gradients:
        if other == arg or other.shape != arg.shape or other.name == name:
            continue
        kind = _kind_of_gradient(lines, arg.name, other.name)
        says = f"{other.name} stands where {arg.name} is due"
        if kind == "activation-derivative-missing":
            says = f"{other.name}, before the derivative of the activation, stands where {arg.name} is due"
        yield lines.mistake(kind, name, says, reading(name, position, other))


def _kind_of_gradient(lines: Lines, due: str, other: str) -> str:
    ours, theirs = lines.gate_gradients.get(due), lines.gate_gradients.get(other)
    if ours is not None and theirs is not None:
        if ours != theirs:
            return "copy-paste-other-gate"
        return "activation-derivative-missing" if due.startswith("d_a_") else "wrong-variable"
    step = lines.steps.get(other)
    rebound = step is not None and (other == f"{due}_prev" or any(arg.name == due for arg in step.args))
    return "variable-rebound" if rebound else "wrong-variable"


def rebound(lines: Lines) -> Iterator[Mistake]:
    """A gradient overwritten by a product of it, dh = dh * z, and read as if it were still itself in other lines."""
    for due in lines.gradients:
        readers = [step for step in lines.whole.steps if due in step.args and isinstance(step.op, Hadamard)]
        if len(readers) > 5:
            continue
        for other in readers:
            rest = [step for step in readers if step is not other and step.target.shape == other.target.shape]
            for number in range(1, len(rest) + 1):
                for some in combinations(rest, number):
                    edits = [reading(step.target.name, step.args.index(due), other.target) for step in some]
                    where = ", ".join(dict.fromkeys(lines.named_line(step.target.name) for step in some))
                    says = f"{due.name} has been overwritten with {_product(other)} before it is read here"
                    yield Mistake("variable-rebound", where, says, together(*edits))


def _product(step: Step) -> str:
    return " * ".join(arg.name for arg in step.args)


def products(lines: Lines) -> Iterator[Mistake]:
    """A matrix by a gradient, a gradient by a row, a sum of gradients of a bias."""
    for step in lines.whole.steps:
        name = step.target.name
        if isinstance(step.op, Matmul):
            yield from _matrices(lines, step)
            yield from _other_gradients(lines, step, 1, step.args[1])
        elif isinstance(step.op, Outer):
            yield from _other_gradients(lines, step, 0, step.args[0])
            yield from _other_values(lines, step, 1, step.args[1])
            yield from _gradient_for_value(lines, step, 1, step.args[1])
        elif isinstance(step.op, ReduceSum) and len(step.target.shape) == 1:
            yield from _other_gradients(lines, step, 0, step.args[0])
        elif isinstance(step.op, Add) and len(step.args) == 1 and step.op.factors != (ONE,):
            flipped = rewritten(name, Add((ONE,)), step.args, (), step)
            yield lines.mistake("wrong-factor", name, "a minus sign is missing", flipped)


def _matrices(lines: Lines, step: Step) -> Iterator[Mistake]:
    """The matrix untransposed, or another one."""
    name = step.target.name
    transposed = lines.steps.get(step.args[0].name)
    if transposed is None or not isinstance(transposed.op, Transpose):
        return
    (matrix,) = transposed.args
    if matrix.shape[0] == matrix.shape[1]:
        kind = "carry-untransposed" if lines.recurrent(matrix) else "wrong-matrix"
        says = f"{matrix.name} itself stands where its transpose is due"
        yield lines.mistake(kind, name, says, reading(name, 0, matrix))
    for other in lines.whole.steps:
        if isinstance(other.op, Transpose) and other.target != step.args[0] and other.target.shape == step.args[0].shape:
            says = f"{other.args[0].name} stands where {matrix.name} is due"
            yield lines.mistake("wrong-matrix", name, says, reading(name, 0, other.target))
