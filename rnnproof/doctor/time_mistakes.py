"""Mistakes in how gradients go back through time, and in what is summed, kept, scaled and returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

import sympy as sp

from rnnproof.calculus.adjoint_operations import Slope
from rnnproof.calculus.operations import Add, Hadamard, Matmul, Transpose
from rnnproof.calculus.program import Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.doctor.array_operations import Clip, ClipNorm
from rnnproof.doctor.line_mistakes import Lines
from rnnproof.doctor.mistake import Edit, Mistake, marked, reading, rewritten, together
from rnnproof.doctor.plain_pass import (
    BEFORE,
    EARLIER,
    LAST,
    NEXT,
    ONLY_LAST,
    OVERWRITTEN,
    OVERWRITTEN_LATER,
    WITHOUT_FIRST,
    WITHOUT_LAST,
    WRAPPED,
    Pass,
    label,
)

ONE = sp.S.One


def _without(step: Step, dropped: tuple[Var, ...]) -> Edit:
    """The edit that leaves these terms out of a sum."""

    def edit(backward: Pass) -> Pass | None:
        now = backward.step(step.target.name)
        if now is None or not isinstance(now.op, Add) or not set(dropped) & set(now.args):
            return None
        rest = [(k, arg) for k, arg in zip(now.op.factors, now.args, strict=True) if arg not in dropped]
        terms = rest or [(sp.S.Zero, now.args[0])]
        return rewritten(now.target.name, Add(tuple(k for k, _ in terms)), tuple(arg for _, arg in terms))(backward)

    return edit


def _sums_with(lines: Lines, var: Var) -> list[Step]:
    return [step for step in lines.whole.steps if isinstance(step.op, Add) and var in step.args]


def carries(lines: Lines) -> Iterator[Mistake]:
    """A carry dropped, added elsewhere, without its matrix, by some of its ways alone."""
    ports = lines.derived.backward.ports(Role.CARRY)
    output = lines.derived.cell.states[0].name
    edits = {}
    for port in ports:
        sums = _sums_with(lines, port.var)
        if sums:
            edits[port.key] = (sums[0], _without(sums[0], (port.var,)))
    if edits:
        step = next(iter(edits.values()))[0]
        says = "nothing comes back from the next step" + (
            f": {' and '.join(edits)} are both dropped" if len(edits) == 2 else ""
        )
        yield lines.mistake("carry-dropped", step.target.name, says, together(*(edit for _, edit in edits.values())))
    if len(edits) > 1:
        for key, (step, edit) in edits.items():
            kind = {output: "hidden-carry-dropped", "c": "cell-carry-dropped"}.get(key, f"{key}-carry-dropped")
            yield lines.mistake(kind, step.target.name, f"the gradient of {key} from the next step is dropped", edit)
    yield from _nothing_leaves(lines)
    yield from _all_untransposed(lines)
    for port in ports:
        yield from _ways(lines, port.key)
        yield from _misplaced(lines, port.var)
        yield from _bare(lines, port.key)


def _nothing_leaves(lines: Lines) -> Iterator[Mistake]:
    """Zero goes back to the step before, and so to the initial state as well."""
    leaving = {port.key: port.var.name for port in lines.whole.outputs if port.role is Role.CARRY}
    edits = {key: _followed_by(name, Add((sp.S.Zero,))) for key, name in leaving.items() if name in lines.steps}
    output = lines.derived.cell.states[0].name
    for key, edit in edits.items() if len(edits) > 1 else ():
        kind = {output: "hidden-carry-dropped", "c": "cell-carry-dropped"}.get(key, f"{key}-carry-dropped")
        yield lines.mistake(kind, leaving[key], f"nothing goes back to {key} of the step before", edit)
    if edits:
        says = f"nothing goes back to {' and '.join(edits)} of the step before"
        yield lines.mistake("carry-dropped", next(iter(leaving.values())), says, together(*edits.values()))


def _all_untransposed(lines: Lines) -> Iterator[Mistake]:
    """Every recurrent matrix in the place of its transpose."""
    edits, where = [], []
    for step in lines.whole.steps:
        transposed = lines.steps.get(step.args[0].name) if isinstance(step.op, Matmul) else None
        if transposed is not None and isinstance(transposed.op, Transpose) and lines.recurrent(transposed.args[0]):
            edits.append(reading(step.target.name, 0, transposed.args[0]))
            where.append(lines.named_line(step.target.name))
    if len(edits) > 1:
        says = "every recurrent matrix stands where its transpose is due"
        yield Mistake("carry-untransposed", ", ".join(dict.fromkeys(where)), says, together(*edits))


def _leaving(lines: Lines, key: str) -> Step | None:
    name = next((p.var.name for p in lines.whole.outputs if p.role is Role.CARRY and p.key == key), "")
    return lines.steps.get(name)


def _ways(lines: Lines, key: str) -> Iterator[Mistake]:
    """Some of the ways back to a state of the step before left out."""
    step = _leaving(lines, key)
    if step is None or not isinstance(step.op, Add) or len(step.args) < 2:
        return
    through = tuple(arg for arg in step.args if lines.through_matrix(arg))
    if 0 < len(through):
        says = f"nothing goes back to {key} of the step before through the recurrent matrices"
        yield lines.mistake("hidden-carry-dropped", step.target.name, says, _without(step, through))
    direct = tuple(a for a in step.args if a not in through)
    if through and direct:
        says = f"only the recurrent matrices bring a gradient back to {key} of the step before"
        yield lines.mistake("direct-carry-dropped", step.target.name, says, _without(step, direct))
    for number in (1, 2):
        for dropped in combinations(step.args, number):
            if 0 < len(step.args) - number and dropped not in (through, direct):
                names = " and ".join(_way(lines, arg) for arg in dropped)
                says = f"the way back to {key} of the step before through {names} is left out"
                yield lines.mistake("path-dropped", step.target.name, says, _without(step, dropped))


def _way(lines: Lines, arg: Var) -> str:
    step = lines.steps[arg.name] if arg.name in lines.steps else None
    if step is None:
        return arg.name
    if isinstance(step.op, Matmul):
        return lines.steps[step.args[0].name].args[0].name if step.args[0].name in lines.steps else step.args[0].name
    return " * ".join(other.name for other in step.args)


def _misplaced(lines: Lines, carry: Var) -> Iterator[Mistake]:
    """The carry added behind the derivative of an activation instead of before it, or the other way round."""
    for step in _sums_with(lines, carry):
        away = _without(step, (carry,))
        for user in lines.whole.steps:
            if isinstance(user.op, Hadamard) and step.target in user.args and _has_slope(lines, user):
                says = "what comes from the next step is added after the derivative of the activation instead of before it"
                late = _also_adds(user, carry)
                kind = "carry-added-on-the-wrong-side-of-an-activation"
                yield lines.mistake(kind, user.target.name, says, together(away, late))
        for arg in step.args:
            source = lines.steps.get(arg.name)
            if source is None or not isinstance(source.op, Hadamard) or not _has_slope(lines, source):
                continue
            inner = next(a for a in source.args if not isinstance(getattr(lines.steps.get(a.name), "op", None), Slope))
            chain = [inner] + [a for a in _sources(lines, inner) if a.shape == carry.shape]
            for target in chain:
                if target.name in lines.steps and target.per_sample:
                    says = "what comes from the next step is added before the derivative of the activation instead of after it"
                    early = _also_adds(lines.steps[target.name], carry)
                    kind = "carry-added-on-the-wrong-side-of-an-activation"
                    yield lines.mistake(kind, target.name, says, together(away, early))


def _sources(lines: Lines, var: Var) -> list[Var]:
    step = lines.steps.get(var.name)
    return [arg for arg in step.args if arg in lines.gradients] if step is not None and isinstance(step.op, Hadamard) else []


def _has_slope(lines: Lines, step: Step) -> bool:
    return any(isinstance(getattr(lines.steps.get(arg.name), "op", None), Slope) for arg in step.args)


def _also_adds(step: Step, carry: Var) -> Edit:
    """The edit that adds the carry to what a line computes, for all that read it."""

    def edit(backward: Pass) -> Pass | None:
        now = backward.step(step.target.name)
        if now is None or backward.step(f"{now.target.name}_with_carry") is not None:
            return None
        total = replace(now.target, name=f"{now.target.name}_with_carry")
        steps: list[Step] = []
        for other in backward.steps:
            steps.append(replace(other, args=tuple(total if arg == now.target else arg for arg in other.args)))
            steps += [Step(total, Add((ONE, ONE)), (now.target, carry))] if other is now else []
        return replace(backward, steps=tuple(steps))

    return edit


def _bare(lines: Lines, key: str) -> Iterator[Mistake]:
    """What leaves for the step before is the gradient itself, without the recurrent matrix."""
    leaving = next((p for p in lines.whole.outputs if p.role is Role.CARRY and p.key == key), None)
    new = lines.derived.forward.port(Role.NEW, key, out=True).var
    step = lines.steps.get(f"d_{new.name}")
    if leaving is None or step is None:
        return
    rows = [
        (
            step.target,
            "carry-missing-weight-and-derivative",
            "neither the recurrent matrix nor the derivative of the activation",
        )
    ]
    after = lines.steps.get(f"d_a_{new.name}")
    if after is not None:
        rows.append((after.target, "carry-missing-weight", "the recurrent matrix not"))
    for var, kind, what in rows:

        def edit(backward: Pass, var: Var = var, port: object = leaving) -> Pass | None:
            outputs = tuple(replace(p, var=var) if p == port else p for p in backward.outputs)
            return replace(backward, outputs=outputs) if outputs != backward.outputs else None

        says = f"{var.name} itself goes back to the step before: {what} applied"
        yield Mistake(kind, leaving.var.name, says, edit)


def sums(lines: Lines) -> Iterator[Mistake]:
    """A seed ignored, a use left out or counted twice."""
    for port in lines.derived.backward.ports(Role.SEED):
        for step in _sums_with(lines, port.var):
            says = f"what the loss sends to {port.key} is ignored"
            yield lines.mistake("seed-of-an-output-ignored", step.target.name, says, _without(step, (port.var,)))
    arriving = {port.var for port in lines.entering}
    leaving = {p.var.name for p in lines.whole.outputs if p.role is Role.CARRY}
    for step in lines.whole.steps:
        if not isinstance(step.op, Add) or len(step.args) < 2:
            continue
        for position, arg in enumerate(step.args):
            factors = list(step.op.factors)
            factors[position] = 2 * factors[position]
            twice = rewritten(step.target.name, Add(tuple(factors)), step.args, (), step)
            says = f"{_way(lines, arg)} is added twice to {step.target.name}"
            yield lines.mistake("accumulated-twice", step.target.name, says, twice)
            if arg not in arriving and step.target.name not in leaving:
                says = f"what comes through {_way(lines, arg)} is left out of {step.target.name}"
                yield lines.mistake("path-dropped", step.target.name, says, _without(step, (arg,)))


_SEEDS = (
    (LAST, "output-gradient-at-every-step", "the last step's loss is sent back at every step"),
    (ONLY_LAST, "seed-of-an-output-ignored", "only the last step's loss is sent back"),
    (WITHOUT_LAST, "seed-of-an-output-ignored", "the last step's loss is not sent back"),
    (WITHOUT_FIRST, "seed-of-an-output-ignored", "the first step's loss is not sent back"),
    (EARLIER, "off-by-one", "each step gets the loss of the step before it"),
    (NEXT, "off-by-one", "each step gets the loss of the step after it"),
)


def losses(lines: Lines) -> Iterator[Mistake]:
    """The losses of other steps sent back, through the output layer too, whose own gradient may well be right."""
    for mark, kind, says in _SEEDS:
        edits = []
        for port in lines.derived.backward.ports(Role.SEED):
            for step in lines.whole.steps:
                if isinstance(step.op, Add) and port.var in step.args:
                    edit = reading(step.target.name, step.args.index(port.var), marked(port.var, mark))
                    edits.append((step.target.name, edit))
                    yield lines.mistake(kind, step.target.name, f"{says}, to {port.key}", edit)
                    yield from _through_output_layer(lines, port.var, step, mark, kind, says)
        if len(edits) > 1:
            yield lines.mistake(kind, edits[0][0], says, together(*(edit for _, edit in edits)))


def _through_output_layer(lines: Lines, seed: Var, total: Step, mark: str, kind: str, says: str) -> Iterator[Mistake]:
    for step in lines.whole.steps:
        if total.args == (seed,) and isinstance(step.op, Matmul) and step.args[1] == total.target:
            edit = reading(step.target.name, 1, marked(seed, mark))
            yield lines.mistake(kind, step.target.name, f"{says}, through the output layer", edit)


def scaled_lines(lines: Lines) -> Iterator[Mistake]:
    """A factor too many in one line, which goes on to all that is computed from it."""
    for step in lines.whole.steps:
        if step.target.name.startswith("d_") and step.target.per_sample:
            for factor, how in (
                (-1, "has the wrong sign"),
                (2, "is twice what it should be"),
                (sp.Rational(1, 2), "is halved"),
            ):
                says = f"{step.target.name} {how}"
                yield lines.mistake(
                    "wrong-factor", step.target.name, says, _followed_by(step.target.name, Add((sp.S(factor),)))
                )


def _followed_by(name: str, op: Add | Clip | ClipNorm) -> Edit:
    """The edit that applies an operation to what a line computes, for all that read it."""

    def edit(backward: Pass) -> Pass | None:
        now = backward.step(name)
        if now is None or backward.step(f"{name}_after") is not None:
            return None
        after = replace(now.target, name=f"{name}_after")
        steps: list[Step] = []
        for step in backward.steps:
            steps.append(replace(step, args=tuple(after if arg == now.target else arg for arg in step.args)))
            steps += [Step(after, op, (now.target,))] if step is now else []
        outputs = tuple(replace(port, var=after) if port.var == now.target else port for port in backward.outputs)
        return replace(backward, steps=tuple(steps), outputs=outputs)

    return edit


def clips(lines: Lines) -> Iterator[tuple[str, str, Callable[[float], Edit]]]:
    """(line, what is clipped how, the edit at a limit) for everything that may be clipped on its way back through time."""
    carries_ = [port.var for port in lines.derived.backward.ports(Role.CARRY)]
    for operation, how in ((Clip, "entry by entry"), (ClipNorm, "by its norm")):

        def every(limit: float, operation: type[Clip | ClipNorm] = operation) -> Edit:
            return together(*(_carry_through(lines, var, operation(limit)) for var in carries_))

        yield "the carries", f"what comes back from the next step is clipped {how}", every
        for step in lines.whole.steps:
            name = step.target.name
            if name.startswith("d_") and step.target.per_sample:

                def one(limit: float, name: str = name, operation: type[Clip | ClipNorm] = operation) -> Edit:
                    return _followed_by(name, operation(limit))

                yield name, f"{name} is clipped {how}", one


def _carry_through(lines: Lines, carry: Var, op: Clip | ClipNorm) -> Edit:
    """The edit that applies an operation to a carry where it is added."""

    def edit(backward: Pass) -> Pass | None:
        changed = backward
        for step in _sums_with(lines, carry):
            now = changed.step(step.target.name)
            if now is None or carry not in now.args:
                return None
            limited = replace(carry, name=f"{carry.name}_limited")
            args = tuple(limited if arg == carry else arg for arg in now.args)
            changed = changed.with_step(now.target.name, Step(limited, op, (carry,)), replace(now, args=args))
        return changed

    return edit


def tapes(lines: Lines) -> Iterator[Mistake]:
    """A forward value of another step wherever it is read; the whole tape of the last step."""
    values = [var for var in lines.values if any(var in step.args for step in lines.whole.steps)]
    for var in values:
        rows = [(EARLIER, "off-by-one", f"{var.name} is the previous step's, or its own at the first, wherever it is read")]
        rows += [(LAST, "stale-cache", f"{var.name} is the last step's wherever it is read")]
        rows += [(NEXT, "off-by-one", f"{var.name} is the next step's wherever it is read")]
        rows += [(BEFORE, "off-by-one", f"{var.name} is the previous step's wherever it is read")]
        if var.name in lines.old:
            rows += [
                (WRAPPED, "index-wraps-to-last", f"{var.name} at the first step is [-1], the last step, wherever it is read")
            ]
        for mark, kind, says in rows:
            yield Mistake(kind, var.name, says, _everywhere({var: marked(var, mark)}))
    for names in dict.fromkeys((*((key,) for key in lines.state_pairs), tuple(lines.state_pairs))):
        pairs = [lines.state_pairs[name] for name in names]
        for mark, start in ((OVERWRITTEN, ""), (OVERWRITTEN_LATER, " but for the initial one")):
            says = f"every kept {' and '.join(names)}{start} is the last one, as where a list holds one array many times"
            instead = {var: marked(var, mark if var is pair[0] else LAST) for pair in pairs for var in pair}
            yield Mistake("tape-overwritten", " and ".join(names), says, _everywhere(instead))
            again = {step.target: marked(step.target, LAST) for step in lines.maps if step.args[0] in instead}
            if again:  # what backward computes of it once more, such as tanh(c)
                yield Mistake("tape-overwritten", " and ".join(names), says, _everywhere(instead | again))
    says = "all that forward kept is the last step's: each step overwrote what the one before had kept"
    yield Mistake("tape-overwritten", "the tape", says, _everywhere({var: marked(var, LAST) for var in values}))


def _everywhere(instead: dict[Var, Var]) -> Edit:
    def edit(backward: Pass) -> Pass | None:
        steps = tuple(replace(s, args=tuple(instead.get(arg, arg) for arg in s.args)) for s in backward.steps)
        return replace(backward, steps=steps) if steps != backward.steps else None

    return edit


def loops(lines: Lines, longest: int) -> Iterator[Mistake]:
    """The loop over time cut short, with the gradients of the output layer or without, and what each gradient holds of it."""
    heads = _computed_apart(lines)
    for apart in dict.fromkeys((frozenset[str](), heads)):
        yield _set("step-skipped", "the loop", "the loop leaves out the first time step", skipped=(0,), apart=apart)
        yield _set("step-skipped", "the loop", "the loop leaves out the last time step", skipped=(-1,), apart=apart)
        for steps in range(longest):
            yield _set("truncated", "the loop", f"each loss is sent back {steps} steps at most", window=steps, apart=apart)
        for steps in range(2, longest):
            says = f"the loop goes through the last {steps} steps alone"
            yield _set("truncated", "the loop", says, visited=steps, apart=apart)
    for steps in range(2, longest):
        yield _set("truncated", "the loop", f"what comes back is forgotten at every {steps} steps", chunk=steps)
    gradients = [port.key for port in lines.whole.outputs if port.role is Role.GRADIENT]
    inner = tuple(name for name in gradients if name not in heads)
    for which in ("last", "first"):
        for names in dict.fromkeys((*((name,) for name in gradients), tuple(gradients), inner)):
            says = f"{_listed(names)} holds the {which} step's part alone: it is not summed over time"
            yield Mistake("not-accumulated-over-time", _listed(names), says, _summed(names, which))


def _computed_apart(lines: Lines) -> frozenset[str]:
    """The gradients of the output layer: nothing that comes back through time is in them."""
    depends = {port.var.name for port in lines.derived.backward.ports(Role.CARRY)}
    for step in lines.whole.steps:
        if any(arg.name in depends for arg in step.args):
            depends.add(step.target.name)
    return frozenset(label(p) for p in lines.whole.outputs if p.role is Role.GRADIENT and p.var.name not in depends)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else "every parameter's gradient"


def _set(kind: str, where: str, says: str, **fields: object) -> Mistake:
    def edit(backward: Pass) -> Pass | None:
        changed = replace(backward, **fields)  # type: ignore[arg-type]
        return changed if changed != backward else None

    return Mistake(kind, where, says, edit)


def _summed(names: tuple[str, ...], which: str) -> Edit:
    def edit(backward: Pass) -> Pass | None:
        if any(name in backward.sums for name in names):
            return None
        return replace(backward, sums={**backward.sums, **dict.fromkeys(names, which)})

    return edit


_FACTORS = (
    ("scaled-by-time", "is divided by the number of steps", (-1, 0, 1.0)),
    ("scaled-by-time", "is multiplied by the number of steps", (1, 0, 1.0)),
    ("scaled-by-batch", "is divided by the number of samples", (0, -1, 1.0)),
    ("scaled-by-batch", "is multiplied by the number of samples", (0, 1, 1.0)),
    ("scaled-by-time", "is divided by the numbers of steps and samples", (-1, -1, 1.0)),
    ("wrong-factor", "is twice what it should be", (0, 0, 2.0)),
    ("wrong-factor", "is half of what it should be", (0, 0, 0.5)),
    ("wrong-factor", "has the wrong sign", (0, 0, -1.0)),
)


def returned(lines: Lines) -> Iterator[Mistake]:
    """What happens to a gradient after the loop: scaled, zero, without what comes back."""
    labels = [label(port) for port in lines.whole.outputs]
    parameters = [label(port) for port in lines.whole.outputs if port.role is Role.GRADIENT]
    for kind, how, factor in _FACTORS:
        for names in (*((name,) for name in labels), tuple(parameters), tuple(labels)):
            what = {1: names[0]}.get(
                len(names), "every gradient" if len(names) == len(labels) else "every parameter's gradient"
            )
            yield Mistake(kind, what, f"{what} {how}", _scaled(names, factor))
    for port in lines.whole.outputs:
        name = label(port)
        if port.role is Role.INPUT:
            says = f"the gradient of {port.key} holds nothing that comes back from later steps"
            yield Mistake("input-gradient-without-recurrence", name, says, _local(name))
            yield Mistake("input-gradient-zero", name, f"the gradient of {port.key} is returned as zero", _zero(name))
        elif port.role is Role.CARRY:
            yield Mistake(
                "initial-gradient-zero", name, f"the gradient of the initial {port.key} is returned as zero", _zero(name)
            )
        else:
            says = f"the gradient of {name} stays zero: what is added to it is not its own gradient (d{name} += d{name})"
            yield Mistake("wrong-variable-accumulated", name, says, _zero(name))


def _scaled(names: tuple[str, ...], factor: tuple[int, int, float]) -> Edit:
    def edit(backward: Pass) -> Pass | None:
        if any(name in backward.factors for name in names):
            return None
        return replace(backward, factors={**backward.factors, **dict.fromkeys(names, factor)})

    return edit


def _local(name: str) -> Edit:
    return lambda backward: None if name in backward.local else replace(backward, local=backward.local | {name})


def _zero(name: str) -> Edit:
    return lambda backward: None if name in backward.zero else replace(backward, zero=backward.zero | {name})


def clipped(everything: tuple[str, ...], values: tuple[float, ...], norms: tuple[float, ...]) -> Iterator[Mistake]:
    """What is returned clipped, by value or by norm, at one of these limits; `everything` are the claimed gradients."""
    parameters = tuple(name for name in everything if " " not in name)
    for names in dict.fromkeys((parameters, everything)):
        what = "every gradient" if names == everything else "every parameter's gradient"
        for limit in values:
            yield _set("clipped-by-value", what, f"{what} is clipped to +-{limit:g}", clip_value=(names, limit))
        for limit in norms:
            says = f"{what} is scaled so that their joint norm is at most {limit:g}"
            yield _set("clipped-by-norm", what, says, clip_norm=(names, limit))
    for name in parameters:
        for limit in norms:
            says = f"{name} is scaled so that its norm is at most {limit:g}"
            yield _set("clipped-by-norm", name, says, clip_norm=((name,), limit))
