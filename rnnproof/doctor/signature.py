"""What a wrong gradient array is, compared with the right gradients of all arrays: scaled, clipped, transposed, another's.

A row of `ROWS` is a hypothesis: a function of an array's name and its observations that returns a Signature where it explains
every one of them. An array that is right in some runs and wrong in others must be explained in both.
"""

from __future__ import annotations

from collections.abc import Sequence

from rnnproof.doctor.arrangement_signatures import another_array, moved_in_time, permuted, transposed
from rnnproof.doctor.gradient_pair import Observation, Pair, Row, Signature
from rnnproof.doctor.scale_signatures import clipped_by_norm, clipped_by_value, factor, not_finite, zero

__all__ = ["ROWS", "Observation", "Signature", "signature"]

# The most specific first: what has no free number before what has one.
ROWS: tuple[Row, ...] = (
    not_finite,
    zero,
    another_array,
    moved_in_time,
    transposed,
    permuted,
    clipped_by_value,
    clipped_by_norm,
    factor,
)


def signature(name: str, observations: Observation | Sequence[Observation]) -> Signature | None:
    """What the claimed gradient of an array is where it is wrong; None where it is right or where no row explains every run."""
    runs = [observations] if isinstance(observations, Observation) else list(observations)
    pairs = []
    for run in runs:
        claimed = run.claimed.get(name)
        if claimed is not None and name in run.true:
            pairs.append(Pair(run, claimed, run.true[name]))
    if not any(pair.wrong for pair in pairs):
        return None
    return next((answer for row in ROWS if (answer := row(name, pairs)) is not None), None)
