"""The proof of the rules holds, and refutes a wrong row of the table."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

from rnnproof.calculus.adjoint_table import ADJOINTS, Rule, Value, dot, vjp
from rnnproof.calculus.index_notation import Index, sum_over
from rnnproof.calculus.operation_base import OPERATIONS, MathOperation
from rnnproof.equations import activations
from rnnproof.equations.activations import Activation, ScalarDerivative, X, Y
from rnnproof.proofs import Kind, prove_rules
from rnnproof.proofs.normal_form import difference
from rnnproof.proofs.slopes import slope_row


def test_every_rule_and_every_slope_is_proved() -> None:
    report = prove_rules()
    assert report.ok, report.table()
    proved = {(row.kind, row.name) for row in report.rows}
    rules, slopes = {*ADJOINTS, "reduce_sum"}, set(activations.names())
    assert proved == {(Kind.RULE, op) for op in rules} | {(Kind.SLOPE, name) for name in slopes}


def _first_part_twice(op: Any, d: Value, y: Value, *parts: Value) -> tuple[Value, ...]:
    return tuple(d.split(op.axis, (part,))[0] for part in parts)


WRONG: dict[str, Rule] = {
    "hadamard": lambda op, d, y, a, b: (d * a, d * b),
    "quotient": lambda op, d, y, a, b: (d / b, d * y / b),
    "matmul": lambda op, d, y, A, x: (-1 * (d @ x.T), A.T @ d),
    "map": lambda op, d, y, x: (d,),
    "add": lambda op, d, y, *terms: tuple(d for _ in terms),
    "concat": _first_part_twice,
    "slice": lambda op, d, y, x: (d.pad(op.axis, sp.S.Zero, x.shape[op.axis]),),
    "transpose": lambda op, d, y, A: (0 * d.T,),
    "scale": lambda op, d, y, s, x: (0 * dot(d, x), s * d),
    "dot": lambda op, d, y, a, b: (d * a, d * b),
    "call": lambda op, d, y, x: (0 * vjp(op.function, x, d),),
}


@pytest.mark.parametrize("op", WRONG)
@pytest.mark.slow
def test_a_wrong_row_is_refuted(op: str) -> None:
    report = prove_rules({**ADJOINTS, op: WRONG[op]})
    failed = [row for row in report.rows if not row.ok]
    assert failed and all(row.name == op for row in failed)
    assert all(" is off by " in row.failure for row in failed)


def test_every_row_that_hands_something_back_has_a_wrong_one_here() -> None:
    assert WRONG.keys() == ADJOINTS.keys() - {"constant", "identity"}


@pytest.mark.slow
def test_a_row_may_use_its_own_result() -> None:
    """y is known to be what the operation makes it: adding nothing of it changes nothing, adding it is seen."""
    for rule, right in (
        (lambda op, d, y, *terms: tuple(k * d + 0 * y for k in op.factors), True),
        (lambda op, d, y, *terms: tuple(k * d + y for k in op.factors), False),
    ):
        assert prove_rules({**ADJOINTS, "add": rule}).ok is right


def test_an_operation_without_one_of_its_meanings_is_refused() -> None:
    with pytest.raises(TypeError, match="nameless lacks its formula"):
        type("Nameless", (MathOperation,), {"shape": lambda self, x: x, "entry": lambda self, at, x: x(*at)})
    assert "nameless" not in OPERATIONS


def test_a_wrong_slope_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = activations.find("tanh")
    assert isinstance(entry, Activation) and slope_row(entry).ok
    for wrong in (ScalarDerivative(1 + sp.tanh(X) ** 2, None), ScalarDerivative(1 - sp.tanh(X) ** 2, 1 - Y)):
        monkeypatch.setattr(activations, "derivative", lambda function, wrong=wrong: wrong)
        assert not slope_row(entry).ok


def test_a_delta_keeps_its_sum_where_the_index_may_leave_the_range() -> None:
    n, m = sp.symbols("n m", integer=True, positive=True)
    d, x = sp.IndexedBase("d"), sp.IndexedBase("x")
    inside, outside, q = Index(n + m), Index(n), Index(m)
    assert (
        difference(sum_over(sp.KroneckerDelta(inside, n + q) * d[inside] * x[q], inside, q), sum_over(d[n + q] * x[q], q)) == 0
    )
    kept = sum_over(sp.KroneckerDelta(outside, 1 + q) * d[outside], outside)
    assert difference(kept, d[1 + q]) != 0  # 1 + q may be n or more, where d has no such entry


def test_sums_over_different_ranges_differ() -> None:
    n, m = sp.symbols("n m", integer=True, positive=True)
    x, i, j = sp.IndexedBase("x"), Index(n), Index(m)
    assert difference(sum_over(x[i], i), sum_over(x[j], j)) != 0
    k = Index(n)
    assert difference(sum_over(x[i], i), sum_over(x[k], k)) == 0
