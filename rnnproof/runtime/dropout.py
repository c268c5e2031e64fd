"""Inverted dropout masks (N. Srivastava et al., JMLR 15, 2014, with the scaling done in training)."""

from __future__ import annotations

from typing import Any

import numpy as np


def mask(shape: tuple[int, ...], rate: float, rng: np.random.Generator, dtype: Any = np.float64) -> np.ndarray[Any, Any]:
    """An array of 0 with probability `rate` and 1 / (1 - rate) otherwise, so that its mean is 1.

    Raises ValueError for a rate outside [0, 1).
    """
    if isinstance(rate, bool) or not 0 <= rate < 1:
        raise ValueError(f"rate={rate!r}: give a number from 0 up to but not including 1")
    survives = rng.random(shape) >= rate
    return (survives / (1 - rate)).astype(dtype)
