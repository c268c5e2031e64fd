"""`check` and `assert_gradients` on a module written by hand: right ones pass, planted faults are caught with both numbers."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from rnnproof.equations.cell import Cell
from rnnproof.errors import BindError, UsageError
from rnnproof.testing import assert_gradients
from rnnproof.verification import ORACLES, check, load_module, oracles
from rnnproof.verification.evidence import Evidence, Row
from tests import zoo
from tests.verification.modules import FAULTS, RNN, rnn

SMALL = [{"T": 3, "B": 2, "input": 4, "hidden": 5}]
EQUATIONS = ("autograd", "jax")
OWN_FORWARD = ("central", "complex")
CONTRACT = ("linearity", "zero seeds", "missing seeds", "again", "step")


@pytest.fixture(scope="module")
def cell() -> Cell:
    return zoo.simple_rnn()


@pytest.mark.slow
def test_a_right_module_passes_every_oracle_at_every_size(cell: Cell) -> None:
    evidence = check(rnn(), against=cell, oracles=(*EQUATIONS, *OWN_FORWARD))
    assert evidence.ok, evidence.failures
    assert {row.oracle for row in evidence} == {*EQUATIONS, *OWN_FORWARD}
    assert {row.gradient for row in evidence} == {"W", "R", "b", "inputs", "initial h", "output h"}
    assert {row.dtype for row in evidence} == {"float64", "float32"}
    exact = [row.error for row in evidence if row.oracle in ("jax", "complex") and row.dtype == "float64"]
    assert max(exact) <= 1e-12
    assert min(row.tolerance for row in evidence if row.oracle == "central") > max(exact)


@pytest.mark.parametrize("oracle", [*EQUATIONS, *OWN_FORWARD])
@pytest.mark.parametrize(("what", "right", "wrong", "spoilt"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_each_oracle_alone_catches_a_planted_fault(
    cell: Cell, oracle: str, what: str, right: str, wrong: str, spoilt: str
) -> None:
    evidence = check(rnn(right, wrong), against=cell, oracles=[oracle], dtypes=["float64"], sizes=SMALL)
    assert spoilt in {row.gradient for row in evidence.failures}


def test_the_failure_text_has_both_numbers_parameter_step_and_oracle(cell: Cell) -> None:
    with pytest.raises(AssertionError) as failure:
        assert_gradients(rnn("d_a @ W", "-d_a @ W"), against=cell, oracles=["autograd"], sizes=SMALL)
    text = str(failure.value)
    found = re.search(r"gradient inputs\[(\d), \d, \d\] at time step (\d): FAIL: (\S+) here, (\S+) by autograd", text)
    assert found is not None, text
    assert found[1] == found[2]
    assert float(found[3]) == pytest.approx(-float(found[4]), rel=1e-12)
    assert "float64" in text and "T=3 B=2 input=4 hidden=5" in text


def test_a_module_alone_is_compared_with_its_own_forward() -> None:
    evidence = check(rnn(), sizes=SMALL)
    assert evidence.ok
    assert {row.oracle for row in evidence if row.verdict == "pass"} == {*OWN_FORWARD, *CONTRACT[:-1]}
    assert not check(rnn("d_h[t] + carry", "d_h[t]"), sizes=SMALL).ok


def test_a_wrong_forward_is_caught_by_the_equations_and_not_by_its_own_differences(cell: Cell) -> None:
    shifted = rnn("+ h[t] @ R.T + b", "+ h[t] @ R + b")
    evidence = check(shifted, against=cell, oracles=EQUATIONS, dtypes=["float64"], sizes=SMALL)
    assert "output h" in {row.gradient for row in evidence.failures}


@pytest.mark.slow
def test_wrong_shapes_and_dtypes_fail(cell: Cell) -> None:
    transposed = check(rnn('"W": d_W', '"W": d_W.T'), against=cell, sizes=SMALL)
    assert any(row.gradient == "W" and "shape (4, 5) where (5, 4)" in row.note for row in transposed.failures)
    widened = check(rnn('"W": d_W', '"W": d_W.astype("float64")'), against=cell, oracles=["jax"], sizes=SMALL)
    assert [(row.gradient, row.dtype) for row in widened.failures] == [("W", "float32")]
    assert "dtype float64 where float32" in widened.failures[0].note


def test_non_finite_gradients_fail(cell: Cell) -> None:
    evidence = check(rnn("d_b = d_a", "d_b = np.nan * d_a"), against=cell, oracles=["autograd"], sizes=SMALL)
    assert [row.gradient for row in evidence.failures] == ["b"]
    assert json.loads(evidence.json())[0]["cell"] == "rnn_by_hand"


def test_gradients_are_of_the_backward_alone_and_reproducible(cell: Cell) -> None:
    first, second = (check(rnn(), against=cell, oracles=["autograd"], sizes=SMALL, seed=3) for _ in range(2))
    assert first == second
    assert first != check(rnn(), against=cell, oracles=["autograd"], sizes=SMALL, seed=4)


def test_a_forward_that_loses_the_imaginary_part_is_shown_not_failed(cell: Cell) -> None:
    module = rnn("xs.dtype)", "np.float64)")
    row = next(row for row in check(module, dtypes=["float64"], sizes=SMALL) if row.oracle == "complex")
    assert row.verdict == "does not apply" and row.ok
    asked = check(module, oracles=["complex"], sizes=SMALL)
    assert not asked.ok and not asked[0].ok


def test_an_oracle_that_is_not_installed_is_a_visible_row(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracles.Oracle, "missing", lambda self: "jax" if self.name == "jax" else "")
    evidence = check(rnn(), against=cell, dtypes=["float64"], sizes=SMALL)
    assert [row.verdict for row in evidence if row.oracle == "jax"] == ["not installed"]
    assert evidence.ok
    assert not check(rnn(), against=cell, oracles=["jax"], sizes=SMALL).ok


def test_bad_arguments_are_usage_errors(cell: Cell, tmp_path: Path) -> None:
    for bad, message in [
        (lambda: check(rnn(), oracles=["jaxx"]), "jaxx.*autograd"),
        (lambda: check(rnn(), dtypes=["float16"]), "float16"),
        (lambda: check(object()), "PARAMETERS"),
        (lambda: check(rnn('"W": ("hidden", "input")', '"V": ("hidden", "input")'), against=cell), "V.*W"),
        (lambda: load_module(tmp_path / "absent.py"), "absent.py"),
        (lambda: load_module("os"), "explicit|not a Python file"),
    ]:
        with pytest.raises(UsageError, match=message):
            bad()


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('"b": d_b}', "}", "backward's answer lacks 'b'"),
        ("d_b = d_a", "d_b = d_absent", "backward raised NameError"),
        ("h[0] = 0", "h[0] = h[99] = 0", "forward raised IndexError"),
    ],
)
def test_a_module_that_raises_or_answers_otherwise_fails_with_the_reason(right: str, wrong: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_gradients(rnn(right, wrong), sizes=SMALL)


def test_a_trace_that_backward_uses_up_is_caught(cell: Cell) -> None:
    module = rnn("d_xs = d_a @ W", "d_xs = d_a @ W\n    trace.xs = 0 * xs")
    assert check(module, against=cell, oracles=["autograd"], sizes=SMALL).ok
    assert not check(module, against=cell, oracles=["again"], sizes=SMALL).ok


def test_an_open_function_is_a_bind_error() -> None:
    with pytest.raises(BindError, match="bind"):
        check(zoo.shortcut(bound=False))


def test_a_module_file_can_be_loaded(cell: Cell, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(RNN)
    assert check(load_module(path), against=cell, oracles=["autograd"], sizes=SMALL).ok
    path.write_text("1 / 0")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        load_module(path)


@pytest.mark.slow
def test_progress_counts_to_the_end(cell: Cell) -> None:
    seen: list[tuple[int, int]] = []
    check(rnn(), against=cell, oracles=["autograd"], progress=lambda done, total, what: seen.append((done, total)))
    assert seen == [(done, len(seen) - 1) for done in range(len(seen))]


def test_tables_show_the_worst_row_of_a_group() -> None:
    rows = [Row("c", g, "jax", "float64", "T=1", e, 1e-12, "b", v) for g, e, v in [("W", 1e-13, "pass"), ("b", 0.5, "FAIL")]]
    evidence = Evidence(tuple(rows))
    assert [row.gradient for row in evidence.worst("cell")] == ["b"]
    assert evidence.table("github").count("\n") == 3
    assert not Evidence(()).ok


def test_oracles_share_nothing_with_the_derivation_or_the_generator() -> None:
    """No file of this package but the one that builds a Cell's module, and mutation, reads either of those packages.

    What compares an author's printed gradients with the derived ones reads them too; it is no oracle, and no oracle reads it.
    """
    printed = {"gradient_comparison", "gradient_formulas", "derived_run"}
    folder = Path(oracles.__file__).parent
    readers = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [str(node.value)] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
            if any(name.startswith(("rnnproof.calculus", "rnnproof.generation")) for name in names):
                readers.add(path.name)
            if path.stem not in printed:
                assert not any(name.endswith(tuple(printed)) for name in names), path.name
    assert readers <= {"module_under_test.py", "mutation.py", *(f"{name}.py" for name in printed)}
    assert set(ORACLES) == {"autograd", "jax", "central", "complex", "keras", "torch", *CONTRACT}
