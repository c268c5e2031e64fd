"""The tester tested: which faults are planted, that they are caught, and that equivalence is not claimed lightly."""

from __future__ import annotations

import pytest

from rnnproof.equations import catalogue
from rnnproof.errors import UsageError
from rnnproof.verification import reference
from rnnproof.verification.module_under_test import subject
from rnnproof.verification.mutants import mutants
from rnnproof.verification.mutation import score, score_table, shapes_seen
from tests import zoo
from tests.verification.modules import RNN, rnn

pytestmark = [pytest.mark.slow]

MODULE = """
def scale(a, k):
    return a.T * k

def backward(trace, d_states):
    \"\"\"Not mutated.\"\"\"
    if trace is None:
        raise ValueError(7 + 7)
    total = 0.0
    for t in range(trace.steps - 1, -1, -1):
        total += d_states[t]
        np.add(total, trace.h[1:], out=total)
    return scale(total, 2.0)

def elsewhere(a):
    return a + 1
"""


def test_every_kind_of_mistake_is_planted_in_backward_and_its_helpers_alone() -> None:
    found = {mutant.description for mutant in mutants(MODULE)}
    assert found >= {
        "dropped: total += d_states[t]",
        "total += d_states[t]  ->  total -= d_states[t]",
        "total += d_states[t]  ->  total = d_states[t]",
        "a.T  ->  a",
        "a.T * k  ->  a.T",
        "a.T * k  ->  a.T + k",
        "d_states[t]  ->  d_states[t + 1]",
        "1:  ->  :-1",
        "np.add(total, trace.h[1:], out=total)  ->  np.subtract(total, trace.h[1:], out=total)",
        "np.add(total, trace.h[1:], out=total)  ->  np.add(total, trace.h[1:])",
        "for t in range(trace.steps - 1, -1, -1):  in reversed order",
    }
    assert not any("7" in text or "Not mutated" in text or text.startswith("a + 1") for text in found)


def test_a_mutant_changes_its_own_text_and_leaves_no_trace() -> None:
    texts = [mutant.source for mutant in mutants(MODULE)]
    assert len(set(texts)) > 0.9 * len(texts)
    assert texts == [mutant.source for mutant in mutants(MODULE)]


def test_a_loop_that_might_not_end_is_refused() -> None:
    with pytest.raises(UsageError, match="while"):
        mutants("def backward(trace, d_states):\n    while True:\n        pass\n")
    with pytest.raises(UsageError, match="no function backward"):
        mutants("x = 1")


def test_variables_of_one_shape_are_exchanged_but_not_two_names_of_one_array() -> None:
    seen = shapes_seen(subject(rnn()), subject(rnn()).layout.draw({"T": 3, "B": 2, "input": 4, "hidden": 5}, 0))
    described = {mutant.description for mutant in mutants(RNN, seen)}
    assert {"total  ->  carry", "d_a  ->  d_h"} <= described
    assert "total  ->  d_a" not in described
    kinds = {"total": ((2,), "float64", 1), "alias": ((2,), "float64", 1), "other": ((2,), "float64", 2)}
    described = {mutant.description for mutant in mutants(MODULE, {"backward": kinds})}
    assert "total  ->  other" in described and "total  ->  alias" not in described


def test_every_mutant_of_a_module_written_by_hand_is_caught_or_truly_equivalent() -> None:
    report = score(zoo.simple_rnn(), source=RNN)
    assert report.ok and report.caught > 80
    assert report.crashed < report.caught / 2
    # What is left reads a shape alone: the contents of the array under zeros_like do not matter.
    assert all(
        "h[0]" in RNN.splitlines()[v.mutant.line - 1] or "_like" in v.reason or "shape" in v.reason for v in report.equivalent
    )
    assert "100.0 %" in report.table("github")


def test_a_weaker_oracle_would_leave_survivors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The score can be below 100: with a tolerance as wide as a barn door the same mutants survive."""
    monkeypatch.setattr(reference, "ROUNDING", 1e20)
    report = score(zoo.simple_rnn(), source=RNN)
    assert report.survived and not report.ok
    assert report.survived[0].mutant.description in report.table()


def test_a_module_that_is_wrong_to_begin_with_has_no_score() -> None:
    with pytest.raises(UsageError, match="unchanged backward pass"):
        score(zoo.simple_rnn(), source=RNN.replace("d_h[t] + carry", "d_h[t]"))


@pytest.mark.parametrize("name", catalogue.names())
def test_every_mutant_of_the_catalogue_is_caught(name: str) -> None:
    report = score(name)
    assert report.ok, report.table()
    assert len(report.equivalent) < 0.04 * len(report.verdicts), report.table()
    assert name in score_table([report])
