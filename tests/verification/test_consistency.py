"""Promises beside the gradients: linear in the seeds, and missing seeds; and what a clip inside backward looks like."""

from __future__ import annotations

import numpy as np
import pytest

from rnnproof.errors import UsageError
from rnnproof.testing import assert_gradients
from rnnproof.verification import check
from rnnproof.verification.consistency import linearity
from rnnproof.verification.module_under_test import subject
from tests import zoo
from tests.verification.modules import LSTM, RNN, planted, rnn

SMALL = [{"T": 3, "B": 2, "input": 4, "hidden": 5}]
HERE = "        # d_a is done\n"


@pytest.mark.parametrize("limit", [5, 10, 100])
def test_a_clip_inside_the_recurrence_is_seen(limit: int) -> None:
    """Seeds of order one never reach it: every oracle that compares gradients agreed."""
    clipped = planted(LSTM, (HERE, f"        d_a = {{k: np.clip(v, -{limit}, {limit}) for k, v in d_a.items()}}\n"))
    evidence = check(clipped, against="lstm", sizes=SMALL, oracles=["autograd", "complex", "again", "linearity"])
    assert {row.oracle for row in evidence.failures} == {"linearity"}
    assert {row.gradient for row in evidence.failures} >= {"W_i", "R_f", "b_hbar", "inputs", "initial c"}
    text = str(evidence)
    assert "not linear in d_states" in text and "is not backward(d)" in text and text.count("by_hand") == 1


@pytest.mark.parametrize(
    ("right", "wrong", "spoilt"),
    [
        ('"W": d_W', '"W": np.clip(d_W, -1e2, 1e2)', "W"),
        ('"W": d_W', '"W": d_W * min(1, 1e2 / np.linalg.norm(d_W))', "W"),
        ('"b": d_b', '"b": np.where(abs(d_b) < 1e-4, 0, d_b)', "b"),
        ("total = d_h[t] + carry", "total = np.maximum(d_h[t] + carry, 0)", "R"),
        ("total = d_h[t] + carry", "total = d_h[t] + np.where(d_h[t] == 0, 0, carry)", "R"),
    ],
    ids=["by value", "by norm", "threshold", "positive part", "only where seeded"],
)
def test_what_is_not_linear_is_seen(right: str, wrong: str, spoilt: str) -> None:
    evidence = check(rnn(right, wrong), oracles=["linearity"], dtypes=["float64"], sizes=SMALL)
    assert spoilt in {row.gradient for row in evidence.failures}
    if "clip" in wrong:
        assert "no entry ever exceeds 100" in str(evidence)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_small_and_large_gradients_are_linear_too(dtype: str) -> None:
    """In float32 the products with 2^-20 fall among the subnormal numbers, those with 2^20 near the largest."""
    under_test = subject(rnn(), zoo.simple_rnn())
    for scale in (1e-34, 1e-20, 1.0, 1e15, 1e28):
        point = under_test.draw(SMALL[0], 0)
        point.d_states["h"][...] *= scale
        point = point.cast(dtype)
        reference = linearity(under_test, point)
        for label, values in reference.values.items():
            error = np.max(np.abs(reference.ours[label] - values)) / max(np.max(np.abs(values)), 1e-300)
            assert error <= reference.tolerances[label], (scale, label)
        assert not reference.notes


def test_only_a_promise_about_seeds_was_kept_in_float32() -> None:
    """Nothing knows a gradient in float32 without the equations: that is an error, and was a pass."""
    wrong = rnn("d_h[t] + carry", "d_h[t]")
    for judged in (check, assert_gradients):
        with pytest.raises(UsageError, match="no gradient was compared in float32.*against="):
            judged(wrong, dtypes=["float32"], sizes=SMALL)
    with pytest.raises(UsageError, match="complex: compares in float64 alone"):
        check(rnn(), against=zoo.simple_rnn(), oracles=["complex"], dtypes=["float32"], sizes=SMALL)
    with pytest.raises(UsageError, match="no gradient was compared.*autograd"):
        assert_gradients(wrong, oracles=["again"], sizes=SMALL)
    assert check(wrong, oracles=["again"], sizes=SMALL).ok
    assert not check(wrong, against=zoo.simple_rnn(), dtypes=["float32"], sizes=SMALL).ok


def test_a_backward_that_reads_every_key_is_right_and_told() -> None:
    evidence = assert_gradients(planted(LSTM), against=None, sizes=SMALL)
    (row,) = [row for row in evidence if row.oracle == "missing seeds"]
    assert row.verdict == "does not apply" and "KeyError: 'h'" in row.note and "yours need not" in row.note
    assert not check(planted(LSTM), against="lstm", oracles=["autograd", "missing seeds"], sizes=SMALL).ok


@pytest.mark.slow
def test_a_missing_seed_that_does_not_count_as_zero_is_seen() -> None:
    ones = planted(RNN, ("np.zeros_like(h[1:]))\n    if", "np.ones_like(h[1:]))\n    if"))
    evidence = check(ones, against=zoo.simple_rnn(), sizes=SMALL, dtypes=["float64"])
    assert {row.oracle for row in evidence.failures} == {"missing seeds"}
    assert "a state that d_states lacks does not count as zero" in str(evidence)
    assert all(row.verdict == "pass" for row in check("lstm", oracles=["missing seeds", "zero seeds"]))
