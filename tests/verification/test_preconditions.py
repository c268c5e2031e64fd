"""A wrong forward is told first and once; a dtype is one row; faults of large sizes are seen."""

from __future__ import annotations

import pytest

from rnnproof.equations.cell import Cell
from rnnproof.testing import assert_gradients
from rnnproof.verification import check
from rnnproof.verification.checking import LONG, _memory, draw
from rnnproof.verification.module_under_test import subject
from rnnproof.verification.sample import DEFAULT_SIZES
from tests import zoo
from tests.verification.modules import COURSE_RNN, LSTM, RNN, planted, rnn

SMALL = [{"T": 3, "B": 2, "input": 4, "hidden": 5}, {"T": 5, "B": 3, "input": 4, "hidden": 6}]


@pytest.fixture(scope="module")
def cell() -> Cell:
    return zoo.simple_rnn()


def test_a_wrong_forward_with_its_right_gradients_is_one_fact(cell: Cell) -> None:
    """The gradients are those of the forward that is there; those of the equations prove nothing about them."""
    other = planted(RNN, ("h[t] @ R.T + b)", "h[t] @ R.T + 2 * b)"), ("d_b = d_a.sum", "d_b = 2 * d_a.sum"))
    with pytest.raises(AssertionError) as failure:
        assert_gradients(other, against=cell, sizes=SMALL)
    text = str(failure.value)
    assert text.startswith("by_hand: wrong: its forward; right: the gradients of ")
    assert text.count("computes something else than these equations: state h from time step 0 on; h[0, ") == 1
    assert " here, " in text and " by the equations" in text and "at every size" in text and len(text.splitlines()) == 2
    evidence = check(other, against=cell, sizes=SMALL[:1])
    assert {row.oracle for row in evidence.failures} == {"forward"}
    assert not {row.oracle for row in evidence} & {"autograd", "jax"}


def test_a_wrong_forward_with_wrong_gradients_is_judged_by_its_own_differences(cell: Cell) -> None:
    other = planted(RNN, ("h[t] @ R.T + b)", "h[t] @ R.T + 2 * b)"))
    evidence = check(other, against=cell, oracles=["autograd"], sizes=SMALL)
    assert {row.gradient for row in evidence.failures} == {"output h", "b"}
    assert {row.oracle for row in evidence.failures} == {"forward", "central", "complex"}


@pytest.mark.slow
def test_the_first_wrong_step_and_state_are_named() -> None:
    late = planted(LSTM, ("        c_new = f * c + i * g\n", "        c_new = f * c + i * g + (t == 2)\n"))
    evidence = check(late, against="lstm", sizes=[{"T": 5, "B": 3}], oracles=["autograd"], dtypes=["float64"])
    (row,) = [row for row in evidence if row.oracle == "forward"]
    assert (row.step, row.index[0]) == (2, 2) and "h from time step 2 on, c from time step 2 on" in row.note
    only_c = planted(LSTM, ("        cs.append(c)\n", "        cs.append(c + (t == 1))\n"))
    (row,) = [row for row in check(only_c, against="lstm", sizes=SMALL[:1]) if row.oracle == "forward"]
    assert row.note == "state c from time step 1 on (h right)" and row.ours == pytest.approx(row.theirs + 1)


@pytest.mark.slow
def test_float64_inside_is_one_row_and_the_numbers_are_compared(cell: Cell) -> None:
    """75 of 311 rows failed with "nan here, nan by jax"."""
    evidence = check(planted(COURSE_RNN), against=cell, sizes=SMALL[:1])
    (row,) = evidence.failures
    assert (row.oracle, row.dtype) == ("dtype", "float32")
    assert "dtype float64 where float32 is due: " in row.note and "np.zeros_like" in row.note and "--dtype float64" in row.note
    assert {row.gradient for row in evidence if row.oracle == "jax" and row.dtype == "float32"} >= {"W", "R", "b", "inputs"}
    assert "no number is wrong; right: the gradients of " in str(evidence) and "nan" not in str(evidence)
    assert check(planted(COURSE_RNN), against=cell, dtypes=["float64"], sizes=SMALL).ok
    wrong = planted(COURSE_RNN, ("dh[:, t] + dprev", "dh[:, t]"))
    failing = {(row.oracle, row.dtype) for row in check(wrong, against=cell, sizes=SMALL[:1]).failures}
    assert failing >= {("autograd", "float64"), ("jax", "float32"), ("dtype", "float32")}
    assert not {oracle for oracle, _ in failing} & {"linearity", "complex"}


@pytest.mark.slow
def test_float32_inside_is_told_and_judged_in_float32(cell: Cell) -> None:
    single = planted(
        RNN, ("np.empty((steps + 1, batch, len(b)), xs.dtype)", "np.empty((steps + 1, batch, len(b)), np.float32)")
    )
    evidence = check(single, against=cell, sizes=SMALL[:1])
    assert [row.oracle for row in evidence.failures] == ["dtype"]
    assert "forward computes in float32 whatever comes in" in str(evidence)
    assert next(row for row in evidence if row.oracle == "central").verdict == "does not apply"
    wrong = planted(
        RNN,
        ("np.empty((steps + 1, batch, len(b)), xs.dtype)", "np.empty((steps + 1, batch, len(b)), np.float32)"),
        ("d_a[t] @ R\n", "d_a[t] @ R.T\n"),
    )
    assert {row.gradient for row in check(wrong, against=cell, sizes=SMALL[:1]).failures} >= {"W", "R", "b"}


BACK = RNN[RNN.index("    for t in range(steps - 1") : RNN.index("    d_W = np")]
WINDOW = """    d_a[...] = 0
    for t in range(steps):  # every seed goes back through 64 steps at most
        delta = d_h[t]
        for s in range(t, max(-1, t - 64), -1):
            delta = delta * (1 - h[s + 1] * h[s + 1])
            d_a[s] += delta
            delta = delta @ R
        carry += delta if t < 64 else 0
"""
LARGE = {
    "hidden >= 32": ("    d_W = np", "    d_a[..., 32:] = 0\n    d_W = np", "right up to "),
    "B >= 8": ("d_b = d_a.sum", "d_b = d_a[:, :8].sum", "B=7"),
    "T >= 64": (BACK, WINDOW, "right up to T=9"),
}


@pytest.mark.parametrize(("right", "wrong", "said"), LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("equations", [True, False])
@pytest.mark.slow
def test_faults_of_large_sizes_are_seen(cell: Cell, right: str, wrong: str, said: str, equations: bool) -> None:
    """They passed the sizes there were; with equations and, in random directions, without."""
    oracles = ["autograd", "central"] if equations else ["central", "complex"]
    evidence = check(rnn(right, wrong), against=cell if equations else None, oracles=oracles, dtypes=["float64"])
    assert {row.oracle for row in evidence.failures} == set(oracles)
    assert all("hidden=33" in row.sizes or "T=200" in row.sizes for row in evidence.failures)
    assert said in str(evidence)


@pytest.mark.parametrize("name", ["lstm", "gru", "simple_rnn", "shortcut"])
def test_the_largest_size_is_drawn_to_remember(name: str) -> None:
    """A sum over time that is cut off after 64 steps would not be seen where a state forgets in ten."""
    under_test, largest = subject(name), DEFAULT_SIZES[-1]
    assert largest["T"] >= LONG
    assert _memory(under_test, draw(under_test, largest, 0, "float64")[0]) > 1e-3
