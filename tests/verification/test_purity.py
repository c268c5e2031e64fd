"""A module that is no function is told so first, by name and at once: state, dropout, changed arguments, shared arrays."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rnnproof.testing import assert_gradients
from rnnproof.verification import check
from tests.verification.modules import LSTM, planted

SMALL = [{"T": 3, "B": 2, "input": 4, "hidden": 5}]
STATEFUL = (
    (
        "    h, c = np.zeros((2, batch, hidden), xs.dtype)\n",
        "    global LAST\n    h, c = np.zeros((2, batch, hidden), xs.dtype)\n",
    ),
    ('        h, c = initial["h"], initial["c"]\n', '        h, c = LAST or (initial["h"], initial["c"])\n'),
    ("    return SimpleNamespace(states", "    LAST = h, c\n    return SimpleNamespace(states"),
    (
        'GATES = ("i", "f", "o", "hbar")',
        'GATES = ("i", "f", "o", "hbar")\nLAST = None\nGRADS = {}\nRNG = np.random.default_rng(0)',
    ),
)
GLOBALS = STATEFUL[3:]
DROPOUT = ("        hs.append(h)\n", "        h = h * (np.random.rand(*h.shape) < 0.5)\n        hs.append(h)\n")
OWN_DROPOUT = ("        hs.append(h)\n", "        h = h * (RNG.random(h.shape) < 0.5)\n        hs.append(h)\n")
ZEROS = "    grads = {name: np.zeros_like(value) for name, value in params.items()}\n"
BUFFERS = (
    "    grads = GRADS\n    for name, value in params.items():\n        key = value.shape, value.dtype\n"
    "        if name not in grads or (grads[name].shape, grads[name].dtype) != key:\n"
    "            grads[name] = np.zeros_like(value)\n"
)
RETURN = "    return SimpleNamespace(params=grads"


def failure(*changes: tuple[str, str], **options: Any) -> str:
    with pytest.raises(AssertionError) as error:
        assert_gradients(planted(LSTM, *changes), against="lstm", sizes=SMALL, dtypes=["float64"], **options)
    return str(error.value)


@pytest.mark.parametrize("against", ["lstm", None])
def test_a_forward_that_keeps_state_is_told_by_name_in_two_seconds(against: str | None) -> None:
    """Its differences are noise; they took minutes and were called a kink."""
    module = planted(LSTM, *STATEFUL)
    start = time.perf_counter()
    evidence = check(module, against=against)
    assert time.perf_counter() - start < 2
    assert [row.oracle for row in evidence.failures] == ["purity"] and not evidence.ok
    text = str(evidence)
    assert text.startswith("by_hand: forward keeps state between calls") and "nothing else was compared" in text
    assert "state h[0, 0, 0] is " in text and " first and " in text and "kink" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ((DROPOUT,), "forward draws random numbers"),
        ((*GLOBALS, OWN_DROPOUT), "forward keeps state between calls (or draws random numbers)"),
        ((*GLOBALS, (ZEROS, BUFFERS)), "backward adds to what an earlier call left"),
        ((("d_c = d_c * f", "d_c = d_c * f * np.random.rand()"),), "backward draws random numbers"),
    ],
)
def test_answers_that_differ_end_the_check(changes: tuple[tuple[str, str], ...], said: str) -> None:
    text = failure(*changes)
    assert text.startswith(f"by_hand: {said}: called twice with the same arguments") and "nothing else was compared" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("    steps, batch, _ = xs.shape\n", "    steps, batch, _ = xs.shape\n    xs += 0.5\n"),
            "forward changes what it is given: xs[",
        ),
        (
            ("    hidden = len(", '    params["b_i"] += 1\n    hidden = len('),
            "forward changes what it is given: params['b_i'][0] is ",
        ),
        (
            ('        d_h = d_h + d["h"][t]\n', '        d["h"][t] += d_h\n        d_h = d["h"][t]\n'),
            "backward changes what it is given: d_states['h'][",
        ),
        (
            (
                "    params, tape = trace.params, trace.tape\n",
                '    params, tape = trace.params, trace.tape\n    trace.states["c"] *= 2\n',
            ),
            "backward changes what it is given: trace.states['c'][",
        ),
        (
            (RETURN, f'    grads["R_i"] = grads["R_f"]\n{RETURN}'),
            "backward's .params['R_i'] shares memory with .params['R_f']",
        ),
        (
            ('initial={"h": d_h', 'initial={"h": d["h"][0]'),
            "backward's .initial['h'] shares memory with d_states['h']",
        ),
    ],
)
def test_changed_arguments_and_shared_arrays_are_told(change: tuple[str, str], said: str) -> None:
    text = failure(change, oracles=["autograd"])
    assert text.count(said) == 1, text


def test_arrays_that_are_reused_are_told_and_do_not_hide_a_second_answer() -> None:
    """`again` compared such an answer with itself."""
    reused = (*GLOBALS, (ZEROS, BUFFERS + "        grads[name][...] = 0\n"))
    text = failure(*reused, oracles=["autograd", "again"])
    assert "backward reuses its arrays" in text and "no number is wrong" in text
    used_up = (*reused, (RETURN, f"    tape.reverse()\n{RETURN}"))
    evidence = check(planted(LSTM, *used_up), against="lstm", oracles=["again"], sizes=SMALL)
    assert {row.gradient for row in evidence.failures if row.oracle == "again"} >= {"W_i", "R_f", "b_o"}
    assert "uses its trace up" in str(evidence)


def test_what_raises_is_told_once_with_its_line() -> None:
    text = failure(("d_c = d_c * f", "d_c = d_c * absent"))
    assert text.count("NameError") == 1 and "nothing else was compared" in text


def test_the_caller_s_generator_is_left_where_it_was() -> None:
    import numpy as np

    np.random.seed(3)
    expected = np.random.rand(2)[1]
    np.random.seed(3)
    np.random.rand()
    check("simple_rnn", oracles=["autograd"], sizes=SMALL)
    assert np.random.rand() == expected
