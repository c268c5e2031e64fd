"""Which axes of the arrays are time, which are samples: those whose lengths change with T and with B."""

from __future__ import annotations

from collections.abc import Callable

from rnnproof.doctor.case import Case

# No array of a small example has these lengths by chance and both.
STEPS, BATCH = (2, 5), (2, 3)


def axes_of(case_at: Callable[[int, int], Case]) -> dict[str, str]:
    """For each array a letter for each of its axes: T time, B samples, n neither."""
    first, longer, wider = case_at(STEPS[0], BATCH[0]), case_at(STEPS[1], BATCH[0]), case_at(STEPS[0], BATCH[1])
    axes = {}
    for name, value in first.arrays.items():
        letters = []
        for axis, extent in enumerate(value.shape):
            time = longer.arrays[name].shape[axis] != extent
            letters.append("T" if time else "B" if wider.arrays[name].shape[axis] != extent else "n")
        axes[name] = "".join(letters)
    return axes
