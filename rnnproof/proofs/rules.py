"""`prove_rules()`: every row of the adjoint table by itself, in index notation, for all sizes; every activation's slope.

For y = F(x) and every entry j: <dy, dF(x)[e_j]> is what the row says is added to dx_j. The left side is SymPy's derivative of
sum_i dy_i F_i(x) by x_j; the right side interprets the steps that the row itself writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnproof.derivation.adjoint import adjoint
from rnnproof.derivation.operations import OPERATIONS, Operation, Rule
from rnnproof.derivation.program import Port, Program, Step, Var
from rnnproof.derivation.shapes import SHAPES, Shape
from rnnproof.documents.message import Message, say
from rnnproof.proofs.indices import Index, difference, index, total
from rnnproof.proofs.report import ProofReport, ProofRow
from rnnproof.proofs.slopes import slope_rows

_N, _M, _K = sp.symbols("n m k", integer=True, positive=True)
_A, _B = sp.symbols("alpha beta", real=True)
_STEPS, _SAMPLES = sp.symbols("T B", integer=True, positive=True)

Entry = Callable[..., Any]


class _opaque_slope(sp.Function):  # noqa: N801 - printed as f'
    """f' of an arbitrary f."""


class _opaque(sp.Function):  # noqa: N801 - printed as f
    """An arbitrary differentiable f."""

    def fdiff(self, argindex: int = 1) -> Any:
        return _opaque_slope(self.args[0])


@dataclass(frozen=True)
class Case:
    """One use of an operation: its arguments' shapes and its attribute."""

    shapes: tuple[Shape, ...]
    attr: Any = None


CASES: dict[str, tuple[Case, ...]] = {
    "matmul": (Case(((_N, _M), (_M,))), Case(((_N, _M), (_M, _K)))),
    "transpose": (Case(((_N, _M),)),),
    "add": (Case(((_N,), (_N,), (_N,)), (sp.S.One, _A, -_B)), Case(((_N, _M), (_N, _M)), (_A, -1)), Case(((), ()), (_A, _B))),
    "scale": (Case(((), (_N,))), Case(((), (_N, _M)))),
    "hadamard": (Case(((_N,), (_N,))), Case(((_N, _M), (_N, _M))), Case(((), ()))),
    "map": (Case(((_N,),), "f"), Case(((_N, _M),), "f"), Case(((),), "f")),
    "concat": (Case(((_N,), (_M,)), 0), Case(((_N,), (_M,), (_K,)), 0), Case(((_N, _K), (_N, _M)), 1)),
    "slice": (Case(((_N + _M + _K,),), (0, _N, _N + _M)), Case(((_K, _N + _M),), (1, _N, _N + _M))),
    "dot": (Case(((_N,), (_N,))),),
    "apply": (Case(((_M,),), ("f", (_N,))),),
    "constant": (Case((), ("one", (_N,))),),
}
_FORWARD = {name for name, operation in OPERATIONS.items() if operation.adjoint is not None}
if set(CASES) != _FORWARD:
    raise AssertionError(f"rules without a proof: {set(CASES) ^ _FORWARD}")


class _Values:
    """Entries of the values of a list of steps, each a function of indices; steps and samples are indices too."""

    def __init__(self, steps: Mapping[Var, Step]) -> None:
        self.steps = steps

    def entry(self, var: Var, at: tuple[Index, ...], along: tuple[Index, Index]) -> Any:
        """One entry of a value, `along` being the step and the sample."""
        if var not in self.steps:
            where = (*(one for one, varies in zip(along, (var.per_step, var.per_sample), strict=True) if varies), *at)
            return sp.IndexedBase(var.name, real=True)[where] if where else sp.Symbol(var.name, real=True)
        step = self.steps[var]

        def argument(position: int) -> Entry:
            arg = step.args[position]
            if step.op != "total":
                return lambda *where: self.entry(arg, where, along)
            return lambda *where: self._over_all(arg, step.target, where, along)

        return ENTRIES[step.op](step, *(argument(position) for position in range(len(step.args))))(*at)

    def _over_all(self, arg: Var, target: Var, at: tuple[Index, ...], along: tuple[Index, Index]) -> Any:
        """The sum over the steps and samples along which only the argument varies."""
        t, b = index(_STEPS), index(_SAMPLES)
        summed = arg.per_step and not target.per_step, arg.per_sample and not target.per_sample
        where = (t if summed[0] else along[0], b if summed[1] else along[1])
        over = [one for one, yes in zip((t, b), summed, strict=True) if yes]
        return total(self.entry(arg, at, where), *over)


def _each(shape: Shape) -> tuple[Index, ...]:
    return tuple(index(size) for size in shape)


def _matmul(step: Step, left: Entry, right: Entry) -> Entry:
    def entry(i: Index, *j: Index) -> Any:
        k = index(step.args[0].shape[1])
        return total(left(i, k) * right(k, *j), k)

    return entry


def _concat(step: Step, *parts: Entry) -> Entry:
    axis = step.attr

    def entry(*at: Index) -> Any:
        start, found = sp.S.Zero, sp.S.Zero
        for arg, part in zip(step.args, parts, strict=True):
            q = index(arg.shape[axis])
            found += total(sp.KroneckerDelta(at[axis], start + q) * part(*at[:axis], q, *at[axis + 1 :]), q)
            start += arg.shape[axis]
        return found

    return entry


def _slice(step: Step, value: Entry) -> Entry:
    axis, start, _ = step.attr
    return lambda *at: value(*at[:axis], start + at[axis], *at[axis + 1 :])


def _place(step: Step, value: Entry) -> Entry:
    axis, start, _ = step.attr

    def entry(*at: Index) -> Any:
        q = index(step.args[0].shape[axis])
        return total(sp.KroneckerDelta(at[axis], start + q) * value(*at[:axis], q, *at[axis + 1 :]), q)

    return entry


def _dot(step: Step, left: Entry, right: Entry) -> Entry:
    def entry() -> Any:
        at = _each(step.args[0].shape)
        return total(left(*at) * right(*at), *at)

    return entry


_J = sp.IndexedBase("J_f", real=True)


def _apply(step: Step, value: Entry) -> Entry:
    """An open function by the definition of J_f: its change is J_f times its argument's change."""

    def entry(i: Index) -> Any:
        j = index(step.args[0].shape[0])
        return total(_J[i, j] * value(j), j)

    return entry


def _pull(step: Step, value: Entry, d: Entry) -> Entry:
    def entry(j: Index) -> Any:
        i = index(step.args[1].shape[0])
        return total(_J[i, j] * d(i), i)

    return entry


ENTRIES: dict[str, Callable[..., Entry]] = {
    "matmul": _matmul,
    "transpose": lambda step, value: lambda i, j: value(j, i),
    "add": lambda step, *terms: lambda *at: sp.Add(*(k * term(*at) for k, term in zip(step.attr, terms, strict=True))),
    "scale": lambda step, factor, value: lambda *at: factor() * value(*at),
    "hadamard": lambda step, left, right: lambda *at: left(*at) * right(*at),
    "map": lambda step, value: lambda *at: _opaque(value(*at)),
    "concat": _concat,
    "slice": _slice,
    "dot": _dot,
    "apply": _apply,
    "constant": lambda step: lambda *at: sp.S.One,
    "slope": lambda step, before, after: lambda *at: _opaque_slope(before(*at)),
    "outer": lambda step, left, right: lambda i, j: left(i) * right(j),
    "place": _place,
    "pull": _pull,
    "total": lambda step, value: value,
}
if set(ENTRIES) != set(OPERATIONS):
    raise AssertionError(f"operations without a meaning in index notation: {set(ENTRIES) ^ set(OPERATIONS)}")


class _Recorder:
    """The Builder a rule writes its steps with."""

    def __init__(self) -> None:
        self.steps: dict[Var, Step] = {}

    def __call__(self, op: str, *args: Var, attr: Any = None, name: str = "") -> Var:
        shape = SHAPES[op](tuple(arg.shape for arg in args), attr)
        target = Var(f"_{len(self.steps)}", shape)
        self.steps[target] = Step(target, op, args, attr)
        return target


_ALONG = (sp.Symbol("t", integer=True), sp.Symbol("b", integer=True))


def _case_differences(operation: Operation, op: str, case: Case) -> Iterator[tuple[str, Any]]:
    """(argument, what the rule is off by) for each argument of one case."""
    args = tuple(Var(f"x{position + 1}", shape) for position, shape in enumerate(case.shapes))
    y = Var("y", operation.shape(case.shapes, case.attr))
    step, d, build = Step(y, op, args, case.attr), Var("dy", y.shape), _Recorder()
    if operation.adjoint is None:
        raise AssertionError(f"{op} has no adjoint to prove")
    contributions = operation.adjoint(step, d, build)
    i = _each(y.shape)
    forward, backward = _Values({y: step}), _Values(build.steps)
    pairing = total(forward.entry(d, i, _ALONG) * forward.entry(y, i, _ALONG), *i)
    for arg, contribution in zip(args, contributions, strict=True):
        j = _each(arg.shape)
        claimed = backward.entry(contribution, j, _ALONG) if contribution is not None else sp.S.Zero
        yield arg.name, difference(sp.diff(pairing, forward.entry(arg, j, _ALONG)), claimed)


def _row(operation: Operation, op: str, case: Case) -> ProofRow:
    started = time.perf_counter()
    shapes = " ".join(str(shape).replace(",)", ")") for shape in case.shapes) or "-"
    count, failure = 0, ""
    for name, gap in _case_differences(operation, op, case):
        count += 1
        if gap != 0:
            failure = failure or f"d {name} is off by {gap}"
    return ProofRow(_named(op, operation.rule), shapes, count, time.perf_counter() - started, failure)


def _named(op: str, rule: Rule) -> Message:
    return say("rule {name}: {words}", name=op, words=rule.says)


def _shared_row() -> ProofRow:
    """A parameter shared by steps and samples: its gradient is the sum over both (the adjoint of using it everywhere)."""
    started = time.perf_counter()
    p, x, y = Var("p", (_N,)), Var("x", (_N,), True, True), Var("y", (_N,), True, True)
    ports = (Port("parameter", "p", p), Port("input", "x", x))
    forward = Program("shared", ports, (Step(y, "hadamard", (p, x)),), (Port("new", "y", y),))
    backward = adjoint(forward)
    (seed,) = (port.var for port in backward.ports("seed"))
    (gradient,) = (port.var for port in backward.ports("gradient", out=True))
    along, (i,), (j,) = (index(_STEPS), index(_SAMPLES)), _each((_N,)), _each((_N,))
    before, after = _Values(forward.producer()), _Values(backward.producer())
    pairing = total(after.entry(seed, (i,), along) * before.entry(y, (i,), along), i, *along)
    gap = difference(sp.diff(pairing, before.entry(p, (j,), along)), after.entry(gradient, (j,), along))
    failure = f"d p is off by {gap}" if gap != 0 else ""
    return ProofRow(_named("total", OPERATIONS["total"].rule), "(T, B, n) (n)", 1, time.perf_counter() - started, failure)


def prove_rules(operations: Mapping[str, Operation] | None = None) -> ProofReport:
    """Prove every row of the adjoint table (or of another table of the same operations) and every activation's slope.

    Sizes are symbols, so each row holds for all sizes; f is arbitrary in `map`, and in `apply` known by its Jacobian alone.
    """
    table = OPERATIONS if operations is None else operations
    rows = [_row(table[op], op, case) for op, cases in CASES.items() for case in cases]
    return ProofReport(say("The rules, for all sizes"), (*rows, _shared_row(), *slope_rows()))
