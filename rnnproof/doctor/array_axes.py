"""Which axes of the arrays are time, which are samples: those whose lengths change with T and with B."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations

from rnnproof.doctor.case import Case
from rnnproof.doctor.observed_values import observed

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


def guessed(case: Case) -> Iterator[tuple[Case, dict[str, str]]]:
    """The case with each length and number of samples that its sequences allow, where one case is all there is.

    A sequence is an array of three axes, or what the loss was seen to read as a list of arrays; its axes come in any order.
    """
    sequences = {name: value.shape for name, value in case.arrays.items() if value.ndim == 3}
    if not sequences:
        seen = {path: value for path, value in observed(case.loss).items() if value.ndim in (2, 3)}
        listed = [path for path in seen if path.endswith("[...]")]
        paths = sorted(listed or seen, key=lambda path: (not path.lower().startswith(("x", "input")), len(path)))
        sequences = {path: seen[path].shape for path in paths}
    axes = {name: "T" * value.ndim if name in sequences else "n" * value.ndim for name, value in case.arrays.items()}
    pairs: dict[tuple[int, int], None] = {}
    for shape in sequences.values():
        for steps, batch, *_ in permutations((*shape, 1) if len(shape) == 2 else shape):
            pairs[steps, batch] = None
    for steps, batch in pairs:
        yield replace(case, steps=steps, batch=batch), axes
