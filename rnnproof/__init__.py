"""From a recurrent cell's equations to proved gradient formulas and checked NumPy code.

The public names are loaded when they are first used, so that `import rnnproof.cells.lstm` costs no more than NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnproof import errors, testing
    from rnnproof.equations.activations import activation
    from rnnproof.equations.binding import bind
    from rnnproof.equations.catalogue import load
    from rnnproof.equations.cell import Cell
    from rnnproof.equations.reader import read, read_text
    from rnnproof.errors import RnnproofError
    from rnnproof.generation import build, generate
    from rnnproof.pages.derivation import derive
    from rnnproof.proofs import prove
    from rnnproof.verification import check

__version__ = "0.1.0"

__all__ = [
    "Cell",
    "RnnproofError",
    "__version__",
    "activation",
    "bind",
    "build",
    "check",
    "derive",
    "errors",
    "generate",
    "load",
    "prove",
    "read",
    "read_text",
    "testing",
]

_HOMES = {
    "Cell": "equations.cell",
    "RnnproofError": "errors",
    "activation": "equations.activations",
    "bind": "equations.binding",
    "build": "generation",
    "check": "verification",
    "derive": "pages.derivation",
    "generate": "generation",
    "load": "equations.catalogue",
    "prove": "proofs",
    "read": "equations.reader",
    "read_text": "equations.reader",
}
_MODULES = ("errors", "testing")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"rnnproof.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'rnnproof' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"rnnproof.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
