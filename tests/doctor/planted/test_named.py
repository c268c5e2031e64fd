"""Mistakes planted by switches in passes that were written without the doctor's table: they are named exactly.

The whole matrix is `python -m tests.doctor.planted.matrix`; here are some of each family, the quick cells, and pairs.
"""

from __future__ import annotations

import pytest

from rnnproof.doctor import examine
from tests.doctor.planted.names import Sizes
from tests.doctor.planted.passes import make

ALONE = (
    ("simple_rnn", 1, "carry-untransposed/all"),
    ("simple_rnn", 1, "activation-derivative-missing/h"),
    ("simple_rnn", 2, "wrong-derivative-function/h"),
    ("simple_rnn", 2, "forward-lacks-recurrence/term"),
    ("simple_rnn", 1, "clip-inside-recursion/carry"),
    ("simple_rnn", 2, "off-by-one/x"),
    ("simple_rnn", 2, "forward-lacks-recurrence/state"),
    ("simple_rnn", 2, "clipped-by-norm/all"),
    ("simple_rnn", 3, "step-skipped/first"),
    ("simple_rnn", 3, "seed-of-an-output-ignored/all-but-last"),
    ("simple_rnn", 3, "truncated/last-3"),
    ("simple_rnn", 4, "truncated/chunks-of-3"),
    ("simple_rnn", 4, "gradient-used-for-value/U"),
    ("gru", 1, "argument-mutated/seeds"),
    ("gru", 1, "hidden-carry-dropped/h"),
    ("gru", 2, "forward-backward-mismatch/blend"),
    ("gru_reset_after", 1, "tape-overwritten/h"),
    ("lstm", 2, "cell-carry-dropped/c"),
)
TOGETHER = (
    ("simple_rnn", 1, ("derivative-of-activated-value/h", "carry-dropped/all")),
    ("simple_rnn", 4, ("activation-derivative-missing/h", "step-skipped/first")),
)


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "layout", "mistake"), ALONE)
def test_a_mistake_alone(cell: str, layout: int, mistake: str) -> None:
    named_exactly(cell, layout, (mistake,))


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "layout", "mistakes"), TOGETHER)
def test_two_together(cell: str, layout: int, mistakes: tuple[str, ...]) -> None:
    named_exactly(cell, layout, mistakes)


def named_exactly(cell: str, layout: int, mistakes: tuple[str, ...]) -> None:
    report = examine(make(cell, layout, mistakes, Sizes(), 0), cell=cell)
    assert set(report.kinds) == {mistake.partition("/")[0] for mistake in mistakes}, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [1, 2, 3, 4])
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru", "gru_reset_after"])
def test_a_healthy_pass_is_healthy(cell: str, layout: int) -> None:
    report = examine(make(cell, layout, (), Sizes(), 1), cell=cell)
    assert report.ok and not report.mistakes and not report.wrong, str(report)
