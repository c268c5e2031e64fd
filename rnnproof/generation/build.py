"""Generated text as an imported module, without a file."""

from __future__ import annotations

import importlib.util
import itertools
import linecache
import weakref
from functools import partialmethod
from importlib.abc import SourceLoader
from types import ModuleType
from typing import Any

from rnnproof.equations.cell import Cell
from rnnproof.generation.generate import generate

_numbers = itertools.count(1)
_LOADED: weakref.WeakValueDictionary[tuple[str, str], ModuleType] = weakref.WeakValueDictionary()


class _TextLoader(SourceLoader):
    """Loads a module from text; `filename` is what tracebacks show."""

    def __init__(self, filename: str, text: str) -> None:
        self._filename, self._text = filename, text

    def get_data(self, path: str | bytes) -> bytes:
        return self._text.encode()

    def get_filename(self, fullname: str) -> str:
        return self._filename


def build(cell: Cell, *, fuse: bool = True, steps: int | None = None) -> ModuleType:
    """The module `generate` describes, imported. Raises what `generate` raises."""
    return load_text(cell.name, generate(cell, fuse=fuse, steps=steps))


def load_text(name: str, text: str) -> ModuleType:
    """Import the text of a generated module; tracebacks show its lines. It is not entered in sys.modules.

    What it returns can be pickled, and takes the text along.
    """
    filename = f"<generated {name} {next(_numbers)}>"
    spec = importlib.util.spec_from_loader(name, _TextLoader(filename, text))
    if spec is None or spec.loader is None:
        raise AssertionError("a loader was given")
    module = importlib.util.module_from_spec(spec)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    spec.loader.exec_module(module)
    # whichever of its functions lives on, this one does
    weakref.finalize(getattr(module, "forward", module), linecache.cache.pop, filename, None).atexit = False
    _LOADED.setdefault((name, text), module)
    for kind in ("Packed", "Trace", "Gradients"):
        if hasattr(module, kind):
            getattr(module, kind).__reduce__ = partialmethod(_reduced, name, text, kind)
    return module


def _reduced(value: tuple[Any, ...], name: str, text: str, kind: str) -> tuple[Any, ...]:
    return _remade, (name, text, kind, tuple(value))


def _remade(name: str, text: str, kind: str, values: tuple[Any, ...]) -> Any:
    """A pickled Packed, Trace or Gradients of the module with this text, which is loaded if it is not there."""
    module = _LOADED.get((name, text)) or load_text(name, text)
    return getattr(module, kind)(*values)
