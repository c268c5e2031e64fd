"""The training benchmark compares like with like, and its shares are shares. No time is asserted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rnnproof.layers import losses
from tests.programs.benchmarks import training

pytestmark = [pytest.mark.slow]

SIZE = (7, 3, 4, 5)  # (T, B, input, hidden)


@pytest.mark.parametrize("layer", training.LAYERS)
def test_the_rivals_train_to_the_same_weights(layer: str) -> None:
    difference, allowed = training.disagreement(layer, SIZE)
    assert 0 < difference <= allowed < 1e-4


@pytest.mark.parametrize("layer", training.LAYERS)
def test_a_small_error_is_more_than_rounding(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rivals whose steps are longer by a thousandth."""
    right = training.moved

    def wrong(xp: Any, weights: Sequence[Any], gradients: Sequence[Any], rate: float) -> list[Any]:
        return right(xp, weights, gradients, 1.001 * rate)

    monkeypatch.setattr(training, "moved", wrong)
    difference, allowed = training.disagreement(layer, SIZE)
    assert difference > allowed


@pytest.mark.parametrize("size", [SIZE, *training.SIZES.values()], ids=str)
@pytest.mark.parametrize("layer", training.LAYERS)
def test_clipping_clips_in_every_step_that_is_compared(layer: str, size: training.Size) -> None:
    """Otherwise a rival without it would not be found out."""
    given = training.problem(layer, size)
    model = training.model(layer, given, training.RATE)
    for _ in range(training.STEPS):
        model.train_on_batch(given.x, given.y, losses.get("mse"))
        assert model.optimizer.last_clip.norm_before > 2 * training.LIMIT


@pytest.mark.parametrize("layer", training.LAYERS)
def test_the_shares_of_a_step_sum_to_all_of_it(layer: str) -> None:
    seconds, shares = training.shares(layer, SIZE, seconds=0.0)
    assert seconds > 0
    assert list(shares) == ["cell", "Dense and loss", "optimiser", "rest"]
    assert all(0 < share < 100 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(100)


def test_stopwatches_leave_the_functions_as_they_were() -> None:
    class Owner:
        def double(self, x: int) -> int:
            return 2 * x

    owner, before = Owner(), Owner.double
    with training.stopwatches({"part": [(owner, "double")]}) as spent:
        assert owner.double(3) == 6
    assert spent["part"] > 0
    assert "double" not in vars(owner) and owner.double.__func__ is before
    assert owner.double(4) == 8


def test_both_tables_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LAYERS", ("LSTM",))
    monkeypatch.setattr(training, "SIZES", {"S": SIZE})
    monkeypatch.setattr(training, "TURN", {"S": 1})
    monkeypatch.setattr(training, "HIDDEN", (5, 6))
    assert len(training.against(["S"], seconds=0.0).splitlines()) == 2 + 1
    assert len(training.profile(seconds=0.0).splitlines()) == 2 + 2 * 2


def test_weights_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "elsewhere", lambda *_: (float("nan"), 1.0))
    with pytest.raises(SystemExit, match="weights differ by nan"):
        training.against(["S"], seconds=0.0)
