"""`prove_rules()`: every row of the table of adjoints by itself, in index notation, for all sizes; every activation's slope.

For y = F(x) and every entry j: <dy, dF(x)[e_j]> is what the row says is added to dx_j. The left side is SymPy's derivative of
sum_i dy_i F_i(x) by x_j; the right side interprets the steps that the row itself writes, in which it may use y.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.adjoint_operations import ReduceSum
from rnnproof.calculus.adjoint_table import ADJOINTS, Rule, Value
from rnnproof.calculus.index_notation import Index, indices, sum_over
from rnnproof.calculus.operation_base import OPERATIONS, MathOperation, Operation
from rnnproof.calculus.operations import (
    Add,
    Call,
    Concat,
    Constant,
    Dot,
    Hadamard,
    Identity,
    Map,
    Matmul,
    Open,
    Quotient,
    Scale,
    Slice,
    Transpose,
)
from rnnproof.calculus.program import Port, Program, Role, Step
from rnnproof.calculus.variables import Expression, Shape, Var
from rnnproof.proofs.normal_form import difference
from rnnproof.proofs.proof_report import Kind, ProofReport, ProofRow
from rnnproof.proofs.slopes import slope_rows

_N, _M, _K = sp.symbols("n m k", integer=True, positive=True)
_A, _B = sp.symbols("alpha beta", real=True)
_STEPS, _SAMPLES = sp.symbols("T B", integer=True, positive=True)
_ALONG = (sp.Symbol("t", integer=True), sp.Symbol("b", integer=True))


class _opaque_slope(sp.Function):  # noqa: N801 - printed as f'
    """f' of an arbitrary f."""


class _opaque(sp.Function):  # noqa: N801 - printed as f
    """An arbitrary differentiable f."""

    def fdiff(self, argindex: int = 1) -> Any:
        return _opaque_slope(self.args[0])


@dataclass(frozen=True)
class Case:
    """One use of an operation: with these attributes, on arguments of these shapes."""

    op: MathOperation
    shapes: tuple[Shape, ...]


CASES: tuple[Case, ...] = (
    Case(Matmul(), ((_N, _M), (_M,))),
    Case(Matmul(), ((_N, _M), (_M, _K))),
    Case(Transpose(), ((_N, _M),)),
    Case(Add((sp.S.One, _A, -_B)), ((_N,), (_N,), (_N,))),
    Case(Add((_A, -1)), ((_N, _M), (_N, _M))),
    Case(Add((_A, _B)), ((), ())),
    Case(Scale(), ((), (_N,))),
    Case(Scale(), ((), (_N, _M))),
    Case(Hadamard(), ((_N,), (_N,))),
    Case(Hadamard(), ((_N, _M), (_N, _M))),
    Case(Hadamard(), ((), ())),
    Case(Map(_opaque), ((_N,),)),
    Case(Map(_opaque), ((_N, _M),)),
    Case(Map(_opaque), ((),)),
    Case(Concat(0), ((_N,), (_M,))),
    Case(Concat(0), ((_N,), (_M,), (_K,))),
    Case(Concat(1), ((_N, _K), (_N, _M))),
    Case(Slice(0, _N, _N + _M), ((_N + _M + _K,),)),
    Case(Slice(1, _N, _N + _M), ((_K, _N + _M),)),
    Case(Quotient(), ((_N,), (_N,))),
    Case(Quotient(), ((_N, _M), (_N, _M))),
    Case(Dot(), ((_N,), (_N,))),
    Case(Call(Open("f", _N)), ((_M,),)),
    Case(Constant(sp.S.One, (_N,)), ()),
    Case(Identity(_N), ()),
)
_PROVED = {case.op.name for case in CASES}
if _PROVED != {name for name, operation in OPERATIONS.items() if operation.in_equations}:
    raise AssertionError(f"rules without a proof: {ADJOINTS.keys() ^ _PROVED}")


@dataclass(frozen=True)
class _Entries:
    """The entries of one value at one step and one sample."""

    shape: Shape
    entry: Callable[..., Expression]

    def __call__(self, *at: Index) -> Expression:
        return self.entry(at)


class _Values:
    """Entries of the values of a list of steps, each a function of indices; steps and samples are indices too."""

    def __init__(self, steps: Mapping[Var, Step]) -> None:
        self.steps = steps

    def entry(self, var: Var, at: tuple[Index, ...], along: tuple[Index, Index]) -> Expression:
        """One entry of a value, `along` being the step and the sample."""
        if var not in self.steps:
            where = (*(index for index, varies in zip(along, (var.per_step, var.per_sample), strict=True) if varies), *at)
            return sp.IndexedBase(var.name, real=True)[where] if where else sp.Symbol(var.name, real=True)
        step = self.steps[var]
        if isinstance(step.op, ReduceSum):
            return self._over_all(step.op, step.args[0], at, along)
        return step.math.entry(at, *(self._entries(arg, along) for arg in step.args))

    def _entries(self, var: Var, along: tuple[Index, Index]) -> _Entries:
        return _Entries(var.shape, lambda at: self.entry(var, at, along))

    def _over_all(self, op: ReduceSum, var: Var, at: tuple[Index, ...], along: tuple[Index, Index]) -> Expression:
        """The sum over the steps, the samples, or both."""
        summed = [
            (Index(size) if yes else index, yes)
            for size, yes, index in zip((_STEPS, _SAMPLES), (op.over_steps, op.over_samples), along, strict=True)
        ]
        where = (summed[0][0], summed[1][0])
        return sum_over(self.entry(var, at, where), *(index for index, yes in summed if yes))


class _Recorder:
    """The steps that a row writes."""

    def __init__(self) -> None:
        self.steps: dict[Var, Step] = {}

    def __call__(self, op: Operation, *arguments: Var, name: str = "") -> Var:
        target = Var(f"_{len(self.steps)}", op.shape(*(argument.shape for argument in arguments)))
        self.steps[target] = Step(target, op, arguments)
        return target


def _differences(rule: Rule, case: Case) -> Iterator[tuple[str, Expression]]:
    """(argument, what the row is off by) for each argument of one case."""
    args = tuple(Var(f"x{position}", shape) for position, shape in enumerate(case.shapes, start=1))
    y = Var("y", case.op.shape(*case.shapes))
    d, recorder = Var("dy", y.shape), _Recorder()
    contributions = rule(case.op, *(Value(var, recorder) for var in (d, y, *args)))
    step, i = Step(y, case.op, args), indices(y.shape)
    values = _Values({y: step, **recorder.steps})
    pairing = sum_over(values.entry(d, i, _ALONG) * values.entry(y, i, _ALONG), *i)
    for arg, contribution in zip(args, contributions, strict=True):
        j = indices(arg.shape)
        claimed = values.entry(contribution.var, j, _ALONG)
        yield arg.name, difference(sp.diff(pairing, values.entry(arg, j, _ALONG)), claimed)


def _row(rule: Rule, case: Case) -> ProofRow:
    started = time.perf_counter()
    shapes = " ".join(str(shape).replace(",)", ")") for shape in case.shapes) or "-"
    count, failure = 0, ""
    for name, gap in _differences(rule, case):
        count += 1
        if gap != 0:
            failure = failure or f"d {name} is off by {gap}"
    return ProofRow(Kind.RULE, case.op.name, shapes, count, time.perf_counter() - started, failure)


def _shared_row() -> ProofRow:
    """A parameter shared by steps and samples: its gradient is the sum over both (the adjoint of using it everywhere)."""
    started = time.perf_counter()
    p, x, y = Var("p", (_N,)), Var("x", (_N,), True, True), Var("y", (_N,), True, True)
    ports = (Port(Role.PARAMETER, "p", p), Port(Role.INPUT, "x", x))
    forward = Program("shared", ports, (Step(y, Hadamard(), (p, x)),), (Port(Role.NEW, "y", y),))
    backward = adjoint(forward)
    seed, gradient = backward.port(Role.SEED, "y").var, backward.port(Role.GRADIENT, "p", out=True).var
    along, (i,), (j,) = (Index(_STEPS), Index(_SAMPLES)), indices((_N,)), indices((_N,))
    before, after = _Values(forward.producer()), _Values(backward.producer())
    pairing = sum_over(after.entry(seed, (i,), along) * before.entry(y, (i,), along), i, *along)
    gap = difference(sp.diff(pairing, before.entry(p, (j,), along)), after.entry(gradient, (j,), along))
    failure = f"d p is off by {gap}" if gap != 0 else ""
    return ProofRow(Kind.RULE, ReduceSum.name, "(T, B, n) (n)", 1, time.perf_counter() - started, failure)


def prove_rules(table: Mapping[str, Rule] | None = None) -> ProofReport:
    """Prove every row of the table of adjoints (or of another one for the same operations) and every activation's slope.

    Sizes are symbols, so each row holds for all sizes; f is arbitrary in `map`, and in `call` known by its Jacobian alone.
    """
    rules = ADJOINTS if table is None else table
    rows = [_row(rules[case.op.name], case) for case in CASES]
    return ProofReport("The rules, for all sizes", (*rows, _shared_row(), *slope_rows()))
