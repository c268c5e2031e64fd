"""Which states have seeds and initial values: what a person says, what is found out, and what is told as left out."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rnnproof.errors import UsageError
from rnnproof.testing import assert_gradients
from rnnproof.verification import check
from tests.verification.modules import FROM_ZERO, LSTM, planted, rnn

pytestmark = [pytest.mark.slow]

SMALL = [
    {"T": 3, "B": 2, "input": 4, "hidden": 5},
    {"T": 1, "B": 2, "input": 3, "hidden": 5},
    {"T": 4, "B": 1, "input": 3, "hidden": 2},
]
FAST = ("autograd", "central", "linearity", "zero seeds", "missing seeds", "again")
NO_INITIAL = (
    ("def forward(params, xs, initial=None)", "def forward(params, xs)"),
    ('    if initial is not None:\n        h, c = initial["h"], initial["c"]\n', ""),
    (' + d["c"][t]', ""),
    (', initial={"h": d_h, "c": d_c}', ""),
)


def test_a_right_lstm_from_zero_with_a_loss_on_h_is_right_where_that_is_said() -> None:
    """It was called wrong in 452 of 578 comparisons, every parameter blamed."""
    evidence = assert_gradients(planted(LSTM, *FROM_ZERO), against="lstm", oracles=FAST[:-2], seeds=["h"], initial=["h"])
    assert {row.gradient for row in evidence if row.verdict == "pass"} >= {"W_i", "b_o", "inputs", "initial h", "output c"}
    assert "initial c" not in {row.gradient for row in evidence}
    text = str(evidence)
    assert "d_states has no c: a loss that reads c was not tested" in text and "c starts from zero" in text


@pytest.mark.parametrize("seeds", [["h"], ("h", "c")])
def test_a_forward_without_initial_states_can_be_checked(seeds: Iterable[str]) -> None:
    changes = NO_INITIAL if list(seeds) == ["h"] else (NO_INITIAL[0], NO_INITIAL[1], NO_INITIAL[3])
    evidence = assert_gradients(
        planted(LSTM, *changes), against="lstm", seeds=seeds, initial=False, sizes=SMALL, oracles=FAST[:2]
    )
    assert not {row.gradient for row in evidence} & {"initial h", "initial c"}
    assert [row.oracle for row in evidence if row.verdict == "left out"] == ["seeds", "initial"][len(list(seeds)) - 1 :]
    with pytest.raises(AssertionError, match=r"forward takes \(params, xs\).*initial=False \(--no-initial\)"):
        assert_gradients(planted(LSTM, *changes), against="lstm", sizes=SMALL, oracles=FAST)


def test_without_saying_so_only_what_is_ignored_is_blamed() -> None:
    with pytest.raises(AssertionError) as failure:
        assert_gradients(planted(LSTM, *FROM_ZERO), against="lstm", sizes=SMALL, oracles=FAST[:3])
    text = str(failure.value)
    assert len(text.splitlines()) == 3
    assert "no number is wrong; right: the gradients of " in text
    assert text.count("forward ignores the initial c") == 1 and "initial=['h'] (--initial h)" in text
    assert text.count("backward ignores d_states of c") == 1 and "seeds=['h'] (--seeds h)" in text


def test_a_fault_beside_what_is_ignored_is_seen() -> None:
    wrong = planted(LSTM, *FROM_ZERO, ("d_c = d_c * f", "d_c = 0 * d_c"))
    for options in ({}, {"seeds": ["h"], "initial": ["h"]}):
        evidence = check(wrong, against="lstm", sizes=SMALL, oracles=FAST[:2], **options)  # type: ignore[arg-type]
        assert {row.gradient for row in evidence.failures} >= {"W_i", "R_f", "inputs"}
    assert not check(planted(LSTM, (' + d["c"][t]', "")), against="lstm", sizes=SMALL, oracles=FAST[:1]).ok


def test_seeds_are_the_keys_that_backward_gets() -> None:
    keys = set()
    module = planted(LSTM)
    right = module.backward
    module.backward = lambda trace, d: (keys.add(tuple(d)), right(trace, {"c": 0 * d["h"], **d}))[1]
    assert_gradients(module, against="lstm", seeds=["h"], sizes=SMALL, oracles=FAST[:4])
    check(module, against="lstm", seeds=["h"], sizes=SMALL, oracles=["missing seeds"])
    assert keys == {("h",), ()}  # none at all where missing seeds are tested


@pytest.mark.parametrize("name", ["lstm", "gru", "shortcut"])
def test_generated_cells_hold_under_every_convention(name: str) -> None:
    output = {"lstm": "h", "gru": "h", "shortcut": "o"}[name]
    assert check(name, seeds=[output], sizes=SMALL[:1]).ok
    if name != "shortcut":
        assert check(name, seeds=[output], initial=False, sizes=SMALL[:1]).ok


def test_bad_conventions_are_usage_errors() -> None:
    for options, message in [
        ({"seeds": ["x"]}, "seeds names 'x', which is no state; the states are h"),
        ({"seeds": []}, "seeds is empty.*h"),
        ({"initial": ["y"]}, "initial names 'y'.*h"),
    ]:
        with pytest.raises(UsageError, match=message):
            check(rnn(), sizes=SMALL, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="without input"):
        check("shortcut", initial=False)
