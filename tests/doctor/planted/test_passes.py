"""The healthy passes are right by central differences, and every planted mistake changes what is claimed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.doctor.planted.cases import differs, healthy, together
from tests.doctor.planted.mistakes import ALSO_TRUE, mistakes_of
from tests.doctor.planted.names import CELLS, LAYOUTS, Array, Sizes
from tests.doctor.planted.passes import make


def central_difference(loss: Callable[[], float], array: Array, index: tuple[int, ...], step: float = 1e-5) -> float:
    """The derivative of the loss by one entry, which is changed in place and put back."""
    value = array[index]
    array[index] = value + step
    more = loss()
    array[index] = value - step
    less = loss()
    array[index] = value
    return (more - less) / (2 * step)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("T", [1, 4])
def test_healthy_passes_are_right(cell: str, layout: int, T: int) -> None:
    """Every entry of every array, to 1e-8."""
    loss, arrays, claimed = make(cell, layout, (), Sizes(3, 4, 2))(T, 2, np.random.default_rng(T))
    gradients = claimed()
    assert gradients.keys() == arrays.keys()
    for name, array in arrays.items():
        assert gradients[name].shape == array.shape
        for index in np.ndindex(array.shape):
            expected = central_difference(loss, array, index)
            assert gradients[name][index] == pytest.approx(expected, abs=1e-8), (name, index)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_mistake_changes_what_is_claimed(cell: str, layout: int) -> None:
    """Within eight steps and two calls; a switch that nobody reads would pass for a mistake."""
    same = [mistake.name for mistake in mistakes_of(cell, layout) if not differs(cell, layout, [mistake.name], [])]
    assert not same


def test_names_are_unique() -> None:
    """No switch is listed twice for one pass."""
    for cell in CELLS:
        for layout in LAYOUTS:
            names = [mistake.name for mistake in mistakes_of(cell, layout)]
            assert len(names) == len(set(names))


def test_the_same_seed_gives_the_same_cases() -> None:
    """Random sets and healthy passes are repeatable, and have the size asked for."""
    for cell in CELLS:
        pairs = list(together(cell, 2, 3, seed=1))
        assert pairs == list(together(cell, 2, 3, seed=1)) and len(pairs) == 3
        assert len({case.layout for case in healthy(cell, 4, seed=0)}) == 4


def test_other_true_names_are_of_planted_mistakes() -> None:
    """The table of other names has no stale row, and the two names of a lost last seed are the same numbers."""
    planted = {mistake.name for cell in CELLS for layout in LAYOUTS for mistake in mistakes_of(cell, layout)}
    assert ALSO_TRUE.keys() <= planted
    for cell in CELLS:
        assert not differs(cell, 1, ["seed-of-an-output-ignored/last"], ["step-skipped/last"])
