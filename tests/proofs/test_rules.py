"""The proof of the rules holds, and refutes a wrong row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sympy as sp

from rnnproof.derivation.operations import OPERATIONS
from rnnproof.equations import activations
from rnnproof.equations.activations import Activation, ScalarDerivative, X, Y
from rnnproof.proofs import prove_rules
from rnnproof.proofs.indices import difference, index, total
from rnnproof.proofs.rules import CASES
from rnnproof.proofs.slopes import slope_row


def test_every_rule_and_every_slope_is_proved() -> None:
    report = prove_rules()
    assert report.ok, report.table()
    said = " ".join(str(row.what) for row in report.rows)
    assert all(f"rule {op}:" in said for op in (*CASES, "total"))
    assert all(f"slope of {name}" in said for name in activations.names())


def _swapped(step: Any, d: Any, build: Any) -> tuple[Any, ...]:
    return build("hadamard", d, step.args[0]), build("hadamard", d, step.args[1])


def _negated(step: Any, d: Any, build: Any) -> tuple[Any, ...]:
    first, second = OPERATIONS["matmul"].adjoint(step, d, build)
    return build("add", first, attr=(-1,)), second


def _no_slope(step: Any, d: Any, build: Any) -> tuple[Any, ...]:
    return (d,)


def _same_for_all(step: Any, d: Any, build: Any) -> tuple[Any, ...]:
    return tuple(d for _ in step.args)


def _first_part_twice(step: Any, d: Any, build: Any) -> tuple[Any, ...]:
    return tuple(build("slice", d, attr=(step.attr, sp.S.Zero, arg.shape[step.attr])) for arg in step.args)


def _at_the_start(step: Any, d: Any, build: Any) -> tuple[Any, ...]:
    axis, _, _ = step.attr
    return (build("place", d, attr=(axis, sp.S.Zero, step.args[0].shape[axis])),)


def _forgotten(step: Any, d: Any, build: Any) -> tuple[Any, ...]:
    return tuple(None for _ in step.args)


@pytest.mark.parametrize(
    ("op", "wrong"),
    [
        ("hadamard", _swapped),
        ("matmul", _negated),
        ("map", _no_slope),
        ("add", _same_for_all),
        ("concat", _first_part_twice),
        ("slice", _at_the_start),
        ("transpose", _forgotten),
        ("scale", _forgotten),
        ("dot", _forgotten),
        ("apply", _forgotten),
    ],
)
def test_a_wrong_row_is_refuted(op: str, wrong: Callable[..., Any]) -> None:
    table = {**OPERATIONS, op: replace(OPERATIONS[op], adjoint=wrong)}
    report = prove_rules(table)
    failed = [row for row in report.rows if not row.ok]
    assert failed and all(str(row.what).startswith(f"rule {op}:") for row in failed)
    assert all(" is off by " in row.failure for row in failed)


def test_a_wrong_slope_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = activations.find("tanh")
    assert isinstance(entry, Activation) and slope_row(entry).ok
    for wrong in (ScalarDerivative(1 + sp.tanh(X) ** 2, None), ScalarDerivative(1 - sp.tanh(X) ** 2, 1 - Y)):
        monkeypatch.setattr(activations, "derivative", lambda function, wrong=wrong: wrong)
        assert not slope_row(entry).ok


def test_a_delta_keeps_its_sum_where_the_index_may_leave_the_range() -> None:
    n, m = sp.symbols("n m", integer=True, positive=True)
    d, x = sp.IndexedBase("d"), sp.IndexedBase("x")
    inside, outside, q = index(n + m), index(n), index(m)
    assert difference(total(sp.KroneckerDelta(inside, n + q) * d[inside] * x[q], inside, q), total(d[n + q] * x[q], q)) == 0
    kept = total(sp.KroneckerDelta(outside, 1 + q) * d[outside], outside)
    assert difference(kept, d[1 + q]) != 0  # 1 + q may be n or more, where d has no such entry


def test_sums_over_different_ranges_differ() -> None:
    n, m = sp.symbols("n m", integer=True, positive=True)
    x, i, j = sp.IndexedBase("x"), index(n), index(m)
    assert difference(total(x[i], i), total(x[j], j)) != 0
    k = index(n)
    assert difference(total(x[i], i), total(x[k], k)) == 0
