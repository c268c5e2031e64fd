"""The arrays that a function reads but does not name: inputs, targets and initial states in closures, objects and loops.

The function is called once, and the local variables of its own Python frames are looked at line by line. What a variable holds
one after the other, in a loop or from call to call, is a sequence too.
"""

from __future__ import annotations

import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Attributes of objects in containers in objects: a net holds its layers, a layer its cache. Deeper lies nothing a loop reads.
DEPTH = 4
_MOST = 2000  # arrays that are looked at
_LONGEST = 64  # values of one variable, one after the other

_LIBRARIES = tuple(
    str(Path(path).resolve()) for path in (sysconfig.get_path("stdlib"), Path(np.__file__).parent, Path(__file__).parents[1])
)


def observed(function: Callable[[], Any]) -> dict[str, Array]:
    """Every array that the function's frames hold while it runs, by where it was seen.

    A list, tuple or dict of equal arrays or numbers is stacked along a first axis, and so are the values that one variable has
    one after the other.
    """
    watcher = _Watcher()

    def watched() -> None:
        sys.settrace(watcher)
        try:
            function()
        finally:
            sys.settrace(None)

    # A trace function is its thread's own, so in another thread it takes nobody's place: neither a debugger's nor a profiler's.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(watched).result()
    return watcher.arrays()


class _Watcher:
    """Looks at the local variables of frames."""

    def __init__(self) -> None:
        self.seen: dict[str, Array] = {}
        self.histories: dict[tuple[types.CodeType, str], list[Array]] = {}
        self.own: dict[str, bool] = {}

    def __call__(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        filename = frame.f_code.co_filename
        if filename not in self.own:
            self.own[filename] = _own(filename)
        if not self.own[filename]:
            return None
        last: dict[str, int] = {}

        def look(frame: types.FrameType, event: str, argument: Any) -> Any:
            for name, value in list(frame.f_locals.items()):
                if isinstance(value, np.ndarray | float | int | np.number) and last.get(name) != id(value):
                    last[name] = id(value)
                    history = self.histories.setdefault((frame.f_code, name), [])
                    if len(history) < _LONGEST:
                        history.append(np.array(value))
            if event == "return":
                for name, value in list(frame.f_locals.items()):
                    self._keep(name, value)
            return look

        return look(frame, event, argument)

    def _keep(self, name: str, value: Any) -> None:
        if len(self.seen) < _MOST:
            for path, array in _arrays(name, value, DEPTH):
                self.seen.setdefault(path, array)

    def arrays(self) -> dict[str, Array]:
        """What was seen; histories last."""
        sequences: dict[str, Array] = {}
        for (code, name), history in self.histories.items():
            if history[0].ndim or len(history) > 1:
                sequences |= dict(_stacked(f"{name} in {code.co_name}", history))
        return self.seen | sequences


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
        yield from _columns(path, list(value))
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


def _columns(path: str, values: list[Any]) -> Iterator[tuple[str, Array]]:
    """A list of tuples or dicts of arrays, such as a tape: what stands in one place of all of them."""
    if not values or not all(type(value) is type(values[0]) for value in values):
        return
    if isinstance(values[0], tuple) and len({len(value) for value in values}) == 1:
        for position in range(len(values[0])):
            yield from _stacked(f"{path}[...][{position}]", [value[position] for value in values])
    elif isinstance(values[0], dict) and all(value.keys() == values[0].keys() for value in values):
        for key in values[0]:
            yield from _stacked(f"{path}[...][{key!r}]", [value[key] for value in values])


def raised_outside(error: Exception) -> str | None:
    """The file and line of a person's own code that an error came from, "mine.py, line 7"; None where it is none of theirs."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _own(frame.filename)]
    own = [frame for frame in frames if not frame.filename.startswith("<")]
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    if not own or str(Path(last).resolve()).startswith(_LIBRARIES[-1]):
        return None
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}"
