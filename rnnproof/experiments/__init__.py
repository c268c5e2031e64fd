"""Experiments: the lecture's claims as measurements on the generated cells and layers."""

from __future__ import annotations

import importlib
from typing import Any

from rnnproof.errors import UsageError

NAMES = ("cliff", "flow", "clipping", "temporal-order", "gru-vs-lstm", "unroll")


def load(name: str) -> Any:
    """The module of an experiment: TITLE, `trials(scale, seed)`, `findings(results)`. Raises UsageError for an unknown name."""
    if name not in NAMES:
        raise UsageError(f"there is no experiment {name!r}; there are {', '.join(NAMES)}")
    return importlib.import_module(f"rnnproof.experiments.{name.replace('-', '_')}")
