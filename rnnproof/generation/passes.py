"""Passes: each is one function from Program to Program that changes the schedule and no result.

The forward Program is optimised first and then transposed, so the fused products and stacked gates of the backward pass come
out of the same adjoint rules as everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import sympy as sp

from rnnproof.calculus.adjoint_operations import Pad, Slope
from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.operations import Add, Concat, Hadamard, Map, Matmul, Slice
from rnnproof.calculus.program import Names, Program, Role, Step, in_order, without_dead_steps
from rnnproof.calculus.variables import Expression, Var

Pass = Callable[[Program], Program]


def optimise(program: Program, *, fuse: bool = True) -> Program:
    """All forward passes, in order; without `fuse` every gate keeps a product and an activation of its own."""
    for change in FORWARD_PASSES:
        if fuse or change not in FUSING_PASSES:
            program = change(program)
    return program


def without_aliases(program: Program) -> Program:
    """`y = x` needs no step: read x instead (a state keeps a step of its own, because it is stored)."""
    stored = {port.var for port in program.outputs}
    mapping = {step.target: step.args[0] for step in program.steps if step.op == Add((1,)) and step.target not in stored}
    read = program.substitute(mapping)
    computed: dict[Var, tuple[str, ...]] = {}
    for step in reversed(program.steps):
        if step.target in mapping:
            computed[step.args[0]] = (*computed.get(step.args[0], ()), *step.of, *computed.get(step.target, ()))
    steps = (step for step in read.steps if step.target not in mapping)
    return read.with_steps(replace(step, of=(*step.of, *computed.get(step.target, ()))) for step in steps)


def split_concatenations(program: Program) -> Program:
    """A [a; b] becomes A_1 a + A_2 b, so that the part that does not wait for the state can be computed ahead."""
    producer = program.producer()
    write = _Writer(program)
    for step in program.steps:
        source = producer.get(step.args[1]) if step.op == Matmul() else None
        if source is None or not isinstance(source.op, Concat) or step.args[0].per_sample:
            write.keep(step)
            continue
        start, products, nameless = sp.S.Zero, [], replace(step, of=())
        for part in source.args:
            stop = start + part.shape[0]
            block = write(Slice(1, start, stop), step.args[0], name=f"{step.args[0].name}_{part.name}", like=nameless)
            products.append(write(Matmul(), block, part, name=f"{block.name}_{part.name}", like=nameless))
            start = stop
        write.keep(replace(step, op=Add((sp.S.One,) * len(products)), args=tuple(products)))
    return without_dead_steps(write.program())


def flatten_sums(program: Program) -> Program:
    """A sum used once, inside another sum, is merged into it."""
    producer, users = program.producer(), program.users()
    stored = {port.var for port in program.outputs}
    merged: dict[Var, Step] = {}
    for step in program.steps:
        if not isinstance(step.op, Add):
            continue
        args: list[Var] = []
        factors: list[Any] = []
        computed = step.of
        for arg, factor in zip(step.args, step.op.factors, strict=True):
            inner = merged.get(arg) or producer.get(arg)
            if inner is not None and isinstance(inner.op, Add) and len(users[arg]) == 1 and arg not in stored:
                args += inner.args
                computed += inner.of
                factors += [factor * inner_factor for inner_factor in inner.op.factors]
            else:
                args.append(arg)
                factors.append(factor)
        merged[step.target] = replace(step, args=tuple(args), op=Add(tuple(factors)), of=computed)
    return without_dead_steps(program.with_steps(merged.get(step.target, step) for step in program.steps))


def share_products(program: Program) -> Program:
    """Products with the same right operand become one: the matrices are stacked, the results are its parts."""
    groups: dict[tuple[Any, ...], list[Step]] = {}
    for step in program.steps:
        if step.op == Matmul() and len(step.args[1].shape) == 1 and not step.args[0].per_sample:
            left, right = step.args
            groups.setdefault((right, left.shape, left.per_step), []).append(step)
    write = _Writer(program)
    replaced: set[Step] = set()
    rank = _gate_order(program)
    for (right, _, _), members in groups.items():
        if len(members) < 2:
            continue
        members = sorted(members, key=lambda step: rank[step.target])
        stacked = write(Concat(0), *(step.args[0] for step in members), name=_common(program, (s.args[0] for s in members)))
        product = write(Matmul(), stacked, right, name=f"{stacked.name}_{right.name}", of=_computed(members))
        write.parts(product, members)
        replaced.update(members)
    for step in program.steps:
        if step not in replaced:
            write.keep(step)
    return write.program()


def stack_elementwise(program: Program) -> Program:
    """The same elementwise step on neighbouring parts becomes one step on the stack of them."""
    while (changed := _stack_once(program)) is not None:
        program = changed
    return program


def hoist_sums(program: Program) -> Program:
    """In a sum, what does not wait for the state of the step before is added up first, ahead of the loop."""
    waiting = descendants(program, {port.var for port in program.ports(Role.OLD)})
    write = _Writer(program)
    for step in program.steps:
        ahead = [position for position, arg in enumerate(step.args) if arg not in waiting]
        if not isinstance(step.op, Add) or len(ahead) < 2 or len(ahead) == len(step.args):
            write.keep(step)
            continue
        rest = [position for position in range(len(step.args)) if position not in ahead]
        factors = step.op.factors
        early = write(
            Add(tuple(factors[p] for p in ahead)),
            *(step.args[p] for p in ahead),
            name=f"{step.target.name}_ahead",
            like=replace(step, tex=""),
        )
        args = (early, *(step.args[p] for p in rest))
        write.keep(replace(step, args=args, op=Add((sp.S.One, *(factors[p] for p in rest)))))
    return write.program()


def gather_parts(program: Program) -> Program:
    """A sum of parts put into zeros that together tile the whole is their concatenation."""
    producer = program.producer()
    write = _Writer(program)
    for step in program.steps:
        makers = [(arg, producer[arg]) for arg in step.args if arg in producer]
        pads = [(arg, maker.op, maker.args[0]) for arg, maker in makers if isinstance(maker.op, Pad)]
        if not isinstance(step.op, Add) or not pads or any(factor != 1 for factor in step.op.factors):
            write.keep(step)
            continue
        axis = pads[0][1].axis
        parts: dict[Expression, list[Var]] = {}
        for _, pad, part in pads:
            parts.setdefault(pad.start, []).append(part)
        reached, pieces = sp.S.Zero, []
        while reached in parts:
            pieces.append(parts.pop(reached))
            reached = sp.expand(reached + pieces[-1][0].shape[axis])
        tiled = not parts and sp.expand(reached - step.target.shape[axis]) == 0
        if not tiled or any(piece.shape != group[0].shape for group in pieces for piece in group):
            write.keep(step)
            continue
        sums = [
            group[0] if len(group) == 1 else write(Add((sp.S.One,) * len(group)), *group, name="d_part", like=step)
            for group in pieces
        ]
        padded = {arg for arg, _, _ in pads}
        others = [arg for arg in step.args if arg not in padded]
        if not others:
            write.keep(replace(step, op=Concat(axis), args=tuple(sums)))
            continue
        whole = write(Concat(axis), *sums, name=f"{step.target.name}_parts", like=step)
        write.keep(replace(step, args=(whole, *others), op=Add((sp.S.One,) * (1 + len(others)))))
    return without_dead_steps(write.program())


FORWARD_PASSES: tuple[Pass, ...] = (
    without_aliases,
    split_concatenations,
    flatten_sums,
    share_products,
    stack_elementwise,
    hoist_sums,
)
FUSING_PASSES: tuple[Pass, ...] = (share_products, stack_elementwise)
BACKWARD_PASSES: tuple[Pass, ...] = (gather_parts, without_aliases)


def descendants(program: Program, roots: set[Var]) -> set[Var]:
    """Everything that is computed from `roots`, they included."""
    reached = set(roots)
    for step in program.steps:
        if not reached.isdisjoint(step.args):
            reached.add(step.target)
    return reached


class _Writer:
    """Collects the steps of a changed Program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._names = Names([port.var.name for port in program.inputs] + [step.target.name for step in program.steps])
        self._steps: list[Step] = []

    def __call__(self, op: Operation, *args: Var, name: str, like: Step | None = None, of: tuple[str, ...] = ()) -> Var:
        shape = op.shape(*(arg.shape for arg in args))
        varies = any(arg.per_step for arg in args), any(arg.per_sample for arg in args)
        target = Var(self._names.fresh(name), shape, *varies)
        rule, tex = (like.rule, like.tex) if like is not None else ("", "")
        computed = of or (like.of if like is not None else self._values(args) if isinstance(op, Concat) else ())
        self._steps.append(Step(target, op, args, rule, tex, computed))
        return target

    def _values(self, args: Iterable[Var]) -> tuple[str, ...]:
        """What stands in a stack: the values of its parts, or the parts where they enter the Program."""
        computed = {step.target: step.of for step in (*self._program.steps, *self._steps)}
        return tuple(name for arg in args for name in computed.get(arg, (arg.name,)))

    def keep(self, step: Step) -> None:
        self._steps.append(step)

    def parts(self, whole: Var, members: Iterable[Step]) -> None:
        """Each member's target becomes its part of `whole`, in order."""
        start = sp.S.Zero
        for member in members:
            stop = start + member.target.shape[0]
            self._steps.append(replace(member, op=Slice(0, sp.expand(start), sp.expand(stop)), args=(whole,)))
            start = stop

    def program(self) -> Program:
        return in_order(self._program, self._steps)


def _gate_order(program: Program) -> dict[Var, tuple[int, int]]:
    """Sorts products by the activation they end in, so that gates with the same one become neighbours."""
    users = program.users()
    kinds: dict[Any, int] = {}
    order = {}
    for step in program.steps:
        var, place = step.target, program.steps.index(step)
        while len(users.get(var, [])) == 1 and isinstance(users[var][0].op, Add):
            var = users[var][0].target
        following = users.get(var, [])
        op = following[0].op if len(following) == 1 else None
        kind = op.function if isinstance(op, Map) else None
        if kind is not None:
            place = program.steps.index(following[0])
        order[step.target] = (kinds.setdefault(kind, len(kinds)), place)
    return order


def _common(program: Program, variables: Iterable[Var]) -> str:
    """W for W_i, W_f, W_o (W_all where there is a W); otherwise the names joined."""
    heads = dict.fromkeys(var.name.split("_")[0] for var in variables)
    name = "_".join(heads)
    return f"{name}_all" if any(port.var.name == name for port in program.inputs) else name


def _stack_once(program: Program) -> Program | None:
    producer = program.producer()
    runs: dict[tuple[Any, ...], list[Step]] = {}
    for step in program.steps:
        step = _sorted_terms(step, producer)
        signature, starts = _signature(step, producer)
        if signature is not None:
            runs.setdefault(signature, []).append(step)
    for members in runs.values():
        for run in _neighbours(members, producer):
            if len(run) > 1 and not _depend(program, run):
                return _merge(program, run, producer)
    return None


def _sorted_terms(step: Step, producer: dict[Var, Step]) -> Step:
    """A sum with its terms in an order that does not depend on how the equation was printed."""
    if not isinstance(step.op, Add):
        return step

    def key(position: int) -> tuple[str, int]:
        source = producer.get(step.args[position])
        return (source.args[0].name if source is not None and isinstance(source.op, Slice) else "", position)

    order = sorted(range(len(step.args)), key=key)
    return replace(step, args=tuple(step.args[p] for p in order), op=Add(tuple(step.op.factors[p] for p in order)))


def _signature(step: Step, producer: dict[Var, Step]) -> tuple[tuple[Any, ...] | None, list[Any]]:
    """What members of a stack share: operation, attribute, shape, and for each argument where it comes from."""
    if not isinstance(step.op, Add | Hadamard | Map | Slope) or len(step.target.shape) != 1:
        return None, []
    kinds: list[Any] = []
    starts: list[Any] = []
    for arg in step.args:
        source = producer.get(arg)
        if source is not None and isinstance(source.op, Slice) and source.op.axis == 0:
            kinds.append(("part", source.args[0]))
            starts.append(source.op.start)
        elif not arg.per_sample:
            kinds.append(("shared", arg.per_step))
        else:
            return None, []
    if not starts:
        return None, []
    return (step.op, step.target.shape, tuple(kinds)), starts


def _neighbours(members: list[Step], producer: dict[Var, Step]) -> Iterable[list[Step]]:
    """Runs of members whose parts follow one another in every argument."""
    members = sorted(members, key=lambda step: [sp.default_sort_key(start) for start in _signature(step, producer)[1]])
    ordered = {tuple(_signature(step, producer)[1]): step for step in members}
    begun: set[tuple[Any, ...]] = set()
    size = members[0].target.shape[0]
    follows = {tuple(sp.expand(start + size) for start in starts) for starts in ordered}
    for starts in ordered:
        if starts in follows or starts in begun:
            continue
        run, here = [], starts
        while here in ordered:
            run.append(ordered[here])
            begun.add(here)
            here = tuple(sp.expand(start + size) for start in here)
        yield run


def _depend(program: Program, run: list[Step]) -> bool:
    """Whether one member is computed from another."""
    return any(not descendants(program, {step.target}).isdisjoint(other.args) for step in run for other in run)


def _merge(program: Program, run: list[Step], producer: dict[Var, Step]) -> Program:
    write = _Writer(program)
    args = []
    for column in zip(*(step.args for step in run), strict=True):
        source = producer.get(column[0])
        if source is not None and isinstance(source.op, Slice) and source.op.axis == 0:
            base, start, stop = source.args[0], source.op.start, producer[column[-1]].as_op(Slice).stop
            whole = start == 0 and sp.expand(stop - base.shape[0]) == 0
            args.append(base if whole else write(Slice(0, start, stop), base, name=_joined(column), of=_made(column, producer)))
        elif len(set(column)) == 1 and column[0].shape == ():
            args.append(column[0])
        else:
            args.append(write(Concat(0), *column, name=_common(program, column)))
    tex = "\n".join(dict.fromkeys(step.tex for step in run))
    like = replace(run[0], tex=tex, of=_computed(run))
    merged = write(run[0].op, *args, name=_joined(s.target for s in run), like=like)
    write.parts(merged, run)
    targets = {step.target for step in run}
    for step in program.steps:
        if step.target not in targets:
            write.keep(step)
    return without_dead_steps(write.program())


def _made(variables: Iterable[Var], producer: dict[Var, Step]) -> tuple[str, ...]:
    return _computed(producer[var] for var in variables)


def _computed(steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(name for step in steps for name in step.of)


def _joined(variables: Iterable[Var]) -> str:
    names = [var.name for var in variables]
    heads = [name.rsplit("_", 1)[0] for name in names]
    if len(set(heads)) == 1 and all("_" in name for name in names):
        return "_".join([heads[0], *(name.rsplit("_", 1)[1] for name in names)])
    return "_".join(names)
