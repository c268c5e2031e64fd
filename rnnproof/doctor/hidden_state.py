"""What a function carries from call to call: random generators, and the arrays and numbers in its closure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np


class Generators:
    """The random generators a function may draw from: NumPy's and Python's global ones, and those in its closure."""

    def __init__(self, function: Any) -> None:
        self.own = {label: value for label, value in _reached(function) if isinstance(value, np.random.Generator)}
        self.before = self._states()

    def _states(self) -> dict[str, str]:
        name, keys, *rest = np.random.get_state(legacy=True)
        states = {"numpy's global generator": f"{name}{keys!s}{np.asarray(keys).tobytes()!r}{rest}"}
        states["Python's random module"] = repr(random.getstate())
        return states | {f"the generator {label}": repr(value.bit_generator.state) for label, value in self.own.items()}

    def moved(self) -> str:
        """The names of the generators that have been drawn from since."""
        after = self._states()
        return " and ".join(label for label, state in self.before.items() if after[label] != state)


class States:
    """Copies of the arrays and numbers that a function reaches through its closure, in dicts, lists and objects."""

    def __init__(self, function: Any) -> None:
        self.function, self.before = function, self._values(function)

    @staticmethod
    def _values(function: Any) -> dict[str, bytes]:
        return {label: np.asarray(value).tobytes() for label, value in _reached(function) if _is_value(value)}

    def changed(self) -> list[str]:
        """The names of those that differ now."""
        after = self._values(self.function)
        return [label for label, value in self.before.items() if after.get(label, value) != value]


def _is_value(value: Any) -> bool:
    return isinstance(value, int | float) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.size <= 10**6
    )


def _reached(function: Any) -> Iterator[tuple[str, Any]]:
    """Names and values in a function's closure, in functions there, and in dicts, lists and attributes, three levels down."""
    code = getattr(function, "__code__", None)
    cells = zip(getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=False)
    pending = []
    for name, cell in cells:
        try:
            pending.append((name, cell.cell_contents, 3))
        except ValueError:  # a variable without a value as yet
            continue
    names, variables = getattr(code, "co_names", ()), getattr(function, "__globals__", {})
    pending += [(name, variables[name], 3) for name in names if name in variables]
    pending += [("self", function.__self__, 3)] if hasattr(function, "__self__") else []
    seen: set[int] = set()
    while pending and len(seen) < 2000:
        label, value, depth = pending.pop(0)
        yield label, value
        if id(value) in seen or not depth or isinstance(value, type):
            continue
        seen.add(id(value))
        pending += [(inner, item, depth - 1) for inner, item in _inside(label, value)]


def _inside(label: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{label}[{key!r}]", item) for key, item in list(value.items())[:100]]
    if isinstance(value, list | tuple):
        return [(f"{label}[{number}]", item) for number, item in enumerate(value[:100])]
    if isinstance(getattr(value, "__self__", None), np.random.Generator):
        return [(label, value.__self__)]  # a method like rng.random
    if callable(value) and hasattr(value, "__closure__"):
        names = value.__code__.co_freevars
        return [(name, cell.cell_contents) for name, cell in zip(names, value.__closure__ or (), strict=False) if _filled(cell)]
    module = type(value).__module__.partition(".")[0]
    if hasattr(value, "__dict__") and module not in ("builtins", "numpy"):
        return [(f"{label}.{key}", item) for key, item in list(vars(value).items())[:100]]
    return []


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
