"""Experiments: the lecture's claims as measurements on the generated cells and layers.

Each is a file here that holds an `EXPERIMENT`; adding one is adding such a file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from rnnproof.errors import UsageError
from rnnproof.study.sweep.experiment import Experiment


@cache
def experiments() -> Mapping[str, Experiment]:
    """Every experiment by its name, in the order of the pages."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    records = [module.EXPERIMENT for module in modules if hasattr(module, "EXPERIMENT")]
    return {record.name: record for record in sorted(records, key=lambda record: record.place)}


def load(name: str) -> Experiment:
    """The experiment of that name. Raises UsageError for an unknown one."""
    if name not in experiments():
        raise UsageError(f"there is no experiment {name!r}; there are {', '.join(experiments())}")
    return experiments()[name]
