"""The exact proof holds for every cell, and refutes what is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sympy as sp
from zoo import CELLS, shortcut

from rnnproof.derivation.adjoint import adjoint
from rnnproof.derivation.flatten import flatten
from rnnproof.derivation.program import Program, Step
from rnnproof.equations import activations, catalogue, expressions
from rnnproof.equations.cell import Cell
from rnnproof.proofs import prove
from rnnproof.proofs.opaque import Opaque

QUICK = ["simple_rnn", "relu_rnn", "hard_rnn", "shortcut", "odds"]


@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "shortcut", "gate"])
def test_catalogue_cells_are_proved(name: str) -> None:
    cell = catalogue.load(name)
    report = prove(cell)
    assert report.ok, report.table()
    assert len(report.rows) == 3 ** len(cell.sizes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "gru_reset_after"])
def test_large_catalogue_cells_are_proved(name: str) -> None:
    assert prove(catalogue.load(name)).ok


@pytest.mark.parametrize("name", QUICK)
def test_zoo_cells_are_proved(name: str) -> None:
    report = prove(CELLS[name]())
    assert report.ok, report.table()


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
    if step.op != "add" or len(step.args) < 2:
        return None
    return replace(step, attr=(*step.attr[:-1], -step.attr[-1]))


def _no_slope(step: Step) -> Step | None:
    if step.op != "slope":
        return None
    return Step(step.target, "constant", (), ("one", step.target.shape), step.rule)


def _twice(step: Step) -> Step | None:
    if step.op != "hadamard":
        return None
    return Step(step.target, "add", (step.args[0],), (sp.Integer(2),), step.rule)


def _not_transposed_back(step: Step) -> Step | None:
    """R where R^T belongs; at size 1 the two are the same, so the row of size 1 may not refute it."""
    if step.op != "transpose" or step.args[0].shape[0] != step.args[0].shape[1]:
        return None
    return Step(step.target, "add", step.args, (sp.S.One,), step.rule)


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
    (carry,) = (port.var for port in backward.ports("carry") if port.key == "c")
    steps = tuple(
        replace(step, args=tuple(arg for arg in step.args if arg != carry), attr=step.attr[1:]) if carry in step.args else step
        for step in backward.steps
    )
    report = prove(cell, backward=backward.with_steps(steps))
    assert not report.ok and not any(row.ok for row in report.rows)


def test_the_ring_differentiates_as_sympy_does() -> None:
    """One nested opaque expression by the ring and by SymPy's own diff on ordinary expressions."""
    opaque = Opaque(40)
    a, b = opaque.symbol("a"), opaque.symbol("b")
    inner = opaque.apply(sp.tanh, a * b + a)
    value = opaque.apply(sp.tanh, inner**2 * b) * inner
    x, y = sp.symbols("a b")
    f = sp.tanh
    expected = sp.diff(f(f(x * y + x) ** 2 * y) * f(x * y + x), x)
    at = {x: sp.Rational(1, 3), y: sp.Rational(2, 5)}
    generators = {opaque.ring.gens.index(a): at[x], opaque.ring.gens.index(b): at[y]}
    inner_at = f(at[x] * at[y] + at[x])
    known = {inner: inner_at, opaque.apply(sp.tanh, inner**2 * b): f(inner_at**2 * at[y])}
    known |= {opaque.slope(sp.tanh, a * b + a): 1 - inner_at**2}
    known |= {opaque.slope(sp.tanh, inner**2 * b): 1 - f(inner_at**2 * at[y]) ** 2}
    generators |= {opaque.ring.gens.index(generator): value for generator, value in known.items()}
    found = opaque.derivative(value, a).as_expr()
    number = found.subs({opaque.ring.symbols[position]: value for position, value in generators.items()})
    assert abs(sp.N(number - expected.subs(at), 30)) < 1e-25


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
