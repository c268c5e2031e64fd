"""The exact proof holds for every cell, and refutes what is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sympy as sp

import rnnproof as rp
from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.adjoint_operations import Slope
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.operations import Add, Constant, Hadamard, Transpose
from rnnproof.calculus.program import Program, Role, Step
from rnnproof.equations import activations, catalogue, expressions
from rnnproof.equations.cell import Cell
from rnnproof.proofs import prove
from rnnproof.proofs.exact import choices
from rnnproof.proofs.opaque import Opaque
from rnnproof.proofs.polynomial import Work
from tests.zoo import CELLS, shortcut


@pytest.mark.parametrize("name", catalogue.names())
def test_catalogue_cells_are_proved(name: str) -> None:
    cell = catalogue.load(name)
    report = prove(cell)
    assert report.proved, report.table()
    assert len(report.rows) == 3 ** len(cell.sizes)


@pytest.mark.parametrize("name", list(CELLS))
def test_zoo_cells_are_proved(name: str) -> None:
    report = prove(CELLS[name]())
    assert report.proved, report.table()


def test_open_functions_are_proved_by_their_jacobian() -> None:
    report = prove(shortcut(bound=False))
    assert report.ok and report.entries == 1 + 2 + 3


def test_every_entry_is_counted() -> None:
    """W (h, i), R (h, h), b (h), two inputs (i) and the initial state (h), over all sizes 1 to 3."""
    expected = sum(h * i + h * h + h + 2 * i + h for i in (1, 2, 3) for h in (1, 2, 3))
    assert prove(catalogue.load("simple_rnn")).entries == expected


def planted(cell: Cell, change: Callable[[Step], Step | None]) -> Any:
    """The proof's report where `change` was made to the first step it applies to."""
    backward = adjoint(flatten(cell))
    steps, changed = [], False
    for step in backward.steps:
        new = None if changed else change(step)
        changed = changed or new is not None
        steps.append(new or step)
    assert changed, "nothing was planted"
    return prove(cell, backward=Program(backward.name, backward.inputs, tuple(steps), backward.outputs))


def _sign(step: Step) -> Step | None:
    if not isinstance(step.op, Add) or len(step.args) < 2:
        return None
    return replace(step, op=_turned(step.op))


def _turned(op: Add) -> Add:
    """The last sign is another."""
    return Add((*op.factors[:-1], -op.factors[-1]))


def _no_slope(step: Step) -> Step | None:
    if not isinstance(step.op, Slope):
        return None
    return Step(step.target, Constant(sp.S.One, step.target.shape), (), step.rule)


def _twice(step: Step) -> Step | None:
    if step.op != Hadamard():
        return None
    return Step(step.target, Add((sp.Integer(2),)), (step.args[0],), step.rule)


def _not_transposed_back(step: Step) -> Step | None:
    """R where R^T belongs; at size 1 the two are the same, so the row of size 1 may not refute it."""
    if step.op != Transpose() or step.args[0].shape[0] != step.args[0].shape[1]:
        return None
    return Step(step.target, Add((sp.S.One,)), step.args, step.rule)


@pytest.mark.parametrize("change", [_sign, _no_slope, _twice, _not_transposed_back])
@pytest.mark.parametrize("name", ["simple_rnn", "lstm"])
def test_planted_faults_are_refuted(name: str, change: Callable[[Step], Step | None]) -> None:
    report = planted(catalogue.load(name), change)
    assert not report.ok
    failed = [row for row in report.rows if not row.ok]
    assert all("differs by" in row.failure and row.verdict.startswith("REFUTED: d loss / d ") for row in failed)


def test_a_dropped_carry_is_refuted() -> None:
    """The gradient handed to the step before is lost: only what crosses a step notices."""
    cell = catalogue.load("lstm")
    backward = adjoint(flatten(cell))
    (carry,) = (port.var for port in backward.ports(Role.CARRY) if port.key == "c")
    steps = tuple(
        replace(step, args=tuple(arg for arg in step.args if arg != carry), op=Add(step.as_op(Add).factors[1:]))
        if carry in step.args
        else step
        for step in backward.steps
    )
    report = prove(cell, backward=backward.with_steps(steps))
    assert not report.ok and not any(row.ok for row in report.rows)


def test_partial_derivatives_are_sympys() -> None:
    """A polynomial with powers, a fraction and an application: each partial derivative as SymPy's diff, written out."""
    opaque = Opaque(Work(10**6))
    a, b = opaque.fresh("a"), opaque.fresh("b")
    f = opaque.apply(sp.tanh, a * b + a)
    polynomial = (a + opaque.number(sp.Rational(2, 3)) * b) ** 3 * f * f - a * a * b + opaque.whole(5)
    x, y, z = sp.symbols("a b f")
    expected = (x + sp.Rational(2, 3) * y) ** 3 * z**2 - x**2 * y + 5
    by = {a: x, b: y, f: z}
    symbols = {next(iter(one.generators)): symbol for one, symbol in by.items()}

    def expression(value: Any) -> sp.Expr:
        terms = value.terms.items()
        return sp.Add(*(sp.Rational(number) * sp.Mul(*(symbols[g] for g in monomial)) for monomial, number in terms))

    assert sp.expand(expression(polynomial) - expected) == 0
    partials = dict(polynomial.partials())
    assert set(partials) == set(symbols)
    for generator, symbol in symbols.items():
        assert sp.expand(expression(partials[generator]) - sp.diff(expected, symbol)) == 0


def test_fractions_stay_exact() -> None:
    """h = h_prev / 3 + h_prev / 6: the carry is exactly one half."""
    n = sp.Symbol("hidden", integer=True, positive=True)
    h, old = sp.MatrixSymbol("h", n, 1), sp.MatrixSymbol("h_prev", n, 1)
    thirds = expressions.add(
        expressions.multiply(sp.Rational(1, 3), old),
        expressions.multiply(sp.Rational(1, 6), old),
        expressions.apply(activations.find("relu").function, old),
    )
    assert prove(Cell.from_sympy("halves", {h: thirds}, previous={h: old})).ok


def test_progress_is_told() -> None:
    told: list[tuple[int, int, str]] = []
    prove(shortcut(bound=False), progress=lambda done, total, what: told.append((done, total, what)))
    assert told == [(0, 3, "prove shortcut"), (1, 3, "prove shortcut"), (2, 3, "prove shortcut")]


def everywhere(cell: Cell, change: Callable[[Step], Step | None]) -> tuple[int, int]:
    """(refuted, planted) over `change` made to each step of the adjoint in turn."""
    backward = adjoint(flatten(cell))
    refuted = count = 0
    for place, step in enumerate(backward.steps):
        if (new := change(step)) is not None:
            count += 1
            refuted += not prove(
                cell, backward=backward.with_steps((*backward.steps[:place], new, *backward.steps[place + 1 :]))
            ).ok
    return refuted, count


def _dropped(step: Step) -> Step | None:
    if not isinstance(step.op, Add) or len(step.args) < 2:
        return None
    return replace(step, args=step.args[1:], op=Add(step.op.factors[1:]))


@pytest.mark.parametrize("change", [_sign, _no_slope, _twice, _dropped])
@pytest.mark.parametrize("name", catalogue.names())
@pytest.mark.slow
def test_a_fault_is_refuted_wherever_it_is_planted(name: str, change: Callable[[Step], Step | None]) -> None:
    refuted, count = everywhere(catalogue.load(name), change)
    assert refuted == count


def test_a_forward_that_is_not_the_equations_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Program's own forward step is compared too: here the sign of one sum is turned."""

    def wrong(cell: Cell) -> Program:
        program = flatten(cell)
        return program.with_steps(
            replace(step, op=_turned(step.op)) if isinstance(step.op, Add) and step.target.name == "a_h" else step
            for step in program.steps
        )

    monkeypatch.setattr("rnnproof.proofs.exact.flatten", wrong)
    report = prove(catalogue.load("simple_rnn"))
    assert not report.ok and all(row.failure.startswith("h at step 1") for row in report.rows)


def stack(depth: int, line: str) -> Cell:
    """h_{t-1} and x_t through `line`, `depth` times; P is the value below, and {i} the number."""
    lines = [r"a^{(0)}_t &= \tanh(W x_t + R h_{t-1})"]
    for i in range(1, depth + 1):
        lines.append(rf"a^{{({i})}}_t &= " + line.replace("P", rf"a^{{({i - 1})}}_t").replace("{i}", str(i)))
    lines.append(rf"h_t &= Q a^{{({depth})}}_t")
    return rp.read_text(r"\begin{align} " + r" \\ ".join(lines) + r" \end{align}")[0]


@pytest.mark.parametrize(
    "line", [r"\tanh(R_{i} P)", r"R_{i} P", r"P \odot P", r"\sigma(P) \odot P + P", r"\tanh(\tanh(\tanh(P)))"]
)
@pytest.mark.slow
def test_the_work_grows_with_the_depth(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as deep costs twice as much (and a little for the steps at both ends), not the square of it."""

    def spent(depth: int) -> int:
        work = Work(10**9)
        monkeypatch.setattr("rnnproof.proofs.exact.Work", lambda bound: work)
        assert prove(stack(depth, line)).proved
        return 10**9 - work.left

    assert spent(24) < 2.2 * spent(12)


def test_what_is_too_large_says_so() -> None:
    """Thirty different factors of two terms each, in one equation, have 2^30 terms: no row is proved, none refuted."""
    names = [f"u_{{{number}}}" for number in range(30)]
    factors = r" \odot ".join(rf"(h_{{t-1}} + {name})" for name in names)
    report = prove(rp.read_text(rf"$h_t = {factors}$, where ${', '.join(names)} \in \mathbb{{R}}^n$")[0])
    assert report.ok and not any(row.proved for row in report.rows)
    assert report.rows[-1].verdict == "not proved (too large)"


def test_the_sizes_of_many_symbols_all_take_every_value() -> None:
    for count in range(1, 12):
        rows = choices(count)
        assert all({row[place] for row in rows} >= ({1, 2, 3} if count <= 2 or count > 4 else {1, 2}) for place in range(count))
        assert len(rows) <= 16
