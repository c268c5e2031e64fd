"""What an oracle answers, and how far two careful computations of the same gradient may lie apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnproof.verification.point import Array, Point


@dataclass(frozen=True)
class Reference:
    """Gradients by label, with a tolerance (relative to the array's largest entry) and where it comes from.

    `directions[label]` (k, ...) says that `values[label]` (k,) are derivatives along these instead of the array itself;
    `tolerances` overrides `tolerance` by label; `kinks` says, by label, that the point has a kink there and where.
    """

    values: dict[str, Array]
    tolerance: float
    basis: str
    tolerances: dict[str, float] = field(default_factory=dict)
    directions: dict[str, Array] = field(default_factory=dict)
    kinks: dict[str, str] = field(default_factory=dict)
    point: Point | None = None


def rounding(point: Point) -> dict[str, Any]:
    """Tolerance of two computations of one dtype that differ in rounding alone: 20 (T + n) eps.

    An entry is a chain of at most T steps, each of one inner product of n terms and about ten elementwise operations; with
    contracting steps the rounding errors add up linearly: (T + n) eps at most in each of two computations, times about ten for
    the operations of a step. At T = 200 this is 1e-12 in float64.
    """
    eps = float(np.finfo(next(iter(point.initial.values())).dtype).eps)
    inner = sum(size for name, size in point.sizes.items() if name not in ("T", "B", "steps"))
    return {"tolerance": 20 * (point.steps + inner) * eps, "basis": "rounding, 20 (T + n) eps"}
