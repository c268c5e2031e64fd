"""The arrays that a function reads but does not name: inputs, targets and initial states in closures, objects and loops.

The function is called once, and the local variables of each of its own Python frames are looked at as it returns.
"""

from __future__ import annotations

import sys
import sysconfig
import types
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rnnproof.doctor.case import Array

# Attributes of objects in containers in objects: a net holds its layers, a layer its cache. Deeper lies nothing a loop reads.
DEPTH = 4
_MOST = 2000

_LIBRARIES = tuple(
    str(Path(path).resolve()) for path in (sysconfig.get_path("stdlib"), Path(np.__file__).parent, Path(__file__).parents[1])
)


def observed(function: Callable[[], Any]) -> dict[str, Array]:
    """Every array that the function's frames hold while it runs, by where it was seen; equal lists become one array.

    A list, tuple or dict of arrays or numbers over time is stacked along the first axis.
    """
    seen: dict[str, Array] = {}

    def watch(frame: types.FrameType, event: str, argument: Any) -> None:
        if event in ("call", "return") and _own(frame.f_code.co_filename):
            for name, value in list(frame.f_locals.items()):
                if len(seen) < _MOST:
                    for path, array in _arrays(name, value, DEPTH):
                        seen.setdefault(path, array)

    def watched() -> None:
        sys.setprofile(watch)
        try:
            function()
        finally:
            sys.setprofile(None)

    # A profile function is its thread's own, so in another thread it takes nobody's place: neither a profiler's nor a debugger's.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(watched).result()
    return seen


def _own(filename: str) -> bool:
    """Whether code is neither the standard library's, NumPy's nor ours."""
    if filename.startswith("<"):
        return not filename.startswith("<frozen") and filename != "<__array_function__ internals>"
    path = str(Path(filename).resolve())
    stdlib, *rest = _LIBRARIES
    return not path.startswith(tuple(rest)) and not (path.startswith(stdlib) and "site-packages" not in path)


def _arrays(path: str, value: Any, depth: int) -> Iterator[tuple[str, Array]]:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fiub":
            yield path, value.copy()
        return
    if depth == 0 or isinstance(value, str | bytes | type | types.ModuleType | types.FunctionType | types.MethodType):
        return
    if isinstance(value, Mapping):
        keys = sorted(key for key in value if isinstance(key, int) and key >= 0)
        if keys and keys == list(range(len(keys))):
            yield from _stacked(path, [value[key] for key in keys])
        for key, inner in list(value.items()):
            yield from _arrays(f"{path}[{key!r}]", inner, depth - 1)
    elif isinstance(value, list | tuple):
        yield from _stacked(path, list(value))
        for position, inner in enumerate(value):
            yield from _arrays(f"{path}[{position}]", inner, depth - 1)
    elif hasattr(value, "__dict__"):
        for name, inner in list(vars(value).items()):
            yield from _arrays(f"{path}.{name}", inner, depth - 1)


def _stacked(path: str, values: list[Any]) -> Iterator[tuple[str, Array]]:
    """A list of equal arrays or of numbers as one array."""
    if not values or not all(isinstance(value, np.ndarray | int | float | np.number) for value in values):
        return
    arrays = [np.asarray(value) for value in values]
    if len({array.shape for array in arrays}) == 1 and all(array.dtype.kind in "fiub" for array in arrays):
        yield f"{path}[...]", np.stack(arrays)
