"""Libraries that come with an extra, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from rnnproof.errors import UsageError


def needed(library: str, extra: str = "experiments") -> Any:
    """A library of an extra. Raises UsageError naming what to install."""
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        told = "" if error.name in (None, library.partition(".")[0]) else f" whole ({error.name} is missing)"
        raise UsageError(f"{library} is not installed{told}; it comes with `pip install 'rnnproof[{extra}]'`") from None
