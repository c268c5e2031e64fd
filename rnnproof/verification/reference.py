"""What an oracle answers, and how far two careful computations of the same gradient may lie apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnproof.verification.sample import Array, Sample


@dataclass(frozen=True)
class Reference:
    """Gradients by label, with a tolerance (relative to the array's largest entry) and where it comes from.

    `directions[label]` (k, ...) says that `values[label]` (k,) are derivatives along these instead of the array itself;
    `tolerances` overrides `tolerance` by label; `kinks` says, by label, that the point has a kink there and where; `ours` are
    the module's answers where the oracle took them itself, and `notes` what a difference from them means. `point` is where the
    module is to be asked, if not at the point drawn.
    """

    values: dict[str, Array]
    tolerance: float
    basis: str
    tolerances: dict[str, float] = field(default_factory=dict)
    directions: dict[str, Array] = field(default_factory=dict)
    kinks: dict[str, str] = field(default_factory=dict)
    ours: dict[str, Array] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    point: Sample | None = None


# An entry is a chain of at most T steps, each of an inner product of n terms: in contracting steps rounding errors add up to
# (T + n) eps, 220 eps at the longest run here, in each of two computations. Sums over time and batch cancel: a factor of ten
# for that. In float64 this is the 1e-12 that exact oracles are held to.
ROUNDING = 4500


def coarsest(*dtypes: Any) -> Any:
    """The one of some dtypes with the fewest digits: what a number that passed through all of them is known to."""
    return max((np.dtype(dtype) for dtype in dtypes), key=lambda dtype: float(np.finfo(dtype).eps))


def rounding(point: Sample) -> dict[str, Any]:
    """Tolerance of two computations that differ in rounding alone: 4500 eps of the point's dtype (1e-12 in float64)."""
    eps = float(np.finfo(point.dtype).eps)
    return {"tolerance": ROUNDING * eps, "basis": "rounding, 4500 eps"}
