"""Checks of layers' arguments: one message that names the argument, the value and what is allowed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rnnproof.equations import activations, tracing

Dtype = np.dtype[Any]


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number, at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}={value!r}: give a whole number, at least {least}")
    return int(value)


def rate(name: str, value: Any) -> float:
    """A share that is dropped, from 0 up to but not including 1."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
        raise ValueError(f"{name}={value!r}: give a number from 0 up to but not including 1")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r}: give True or False")
    return bool(value)


def choice(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """One of the allowed values."""
    if isinstance(value, bool) or value not in allowed:
        raise ValueError(f"{name}={value!r}: give one of {', '.join(map(repr, allowed))}")
    return value


def dtype(value: Any) -> Dtype | None:
    """float32, float64, or None for the dtype of what comes in."""
    if value is None:
        return None
    kind: Dtype | None = None
    with contextlib.suppress(TypeError):
        kind = np.dtype(value)
    if kind is None or kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype={value!r}: give 'float32', 'float64' or None (that of the first input)")
    return kind


def activation(name: str, value: str | Callable[..., Any] | None, *, rows: bool = False) -> str:
    """The registered name of an elementwise activation: a name, a callable, or None for linear; `rows` allows softmax too."""
    if value is None:
        return "linear"
    if rows and value == "softmax":
        return "softmax"
    if isinstance(value, activations.Activation):
        return value.name
    if callable(value):
        return tracing.activation(value).name
    registered = activations.find(value) if isinstance(value, str) else None
    if registered is not None:
        return registered.name
    allowed = ", ".join((*activations.names(), *(("softmax",) if rows else ())))
    why = " mixes the units, and here each unit has its own" if value == "softmax" else ""
    raise ValueError(f"{name}={value!r}{why}: give a callable, None, or one of {allowed}")


def floating(what: str, value: Any, wanted: Dtype | None) -> np.ndarray[Any, Any]:
    """An array of real or complex numbers, in `wanted` where that is set."""
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(
            f"{what} is a masked array, and its mask is not read; give its .data, and mask=... where a layer takes it"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{what} is no array: {error}; give one of a regular shape") from None
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{what} holds {array.dtype}; give real numbers")
    if wanted is not None and array.dtype.kind != "c":
        return array.astype(wanted, copy=False)
    return array if array.dtype.kind == "c" or array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def shaped(what: str, array: np.ndarray[Any, Any], wanted: tuple[int | str, ...]) -> np.ndarray[Any, Any]:
    """The array, if its shape is `wanted`; a word stands for any length."""
    fits = len(array.shape) == len(wanted) and all(
        isinstance(w, str) or n == w for n, w in zip(array.shape, wanted, strict=True)
    )
    if not fits:
        text = ", ".join(map(str, wanted))
        raise ValueError(f"{what} has shape {array.shape}; it should be ({text}{',' if len(wanted) == 1 else ''})")
    return array


def finite(name: str, value: Any) -> float:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{name}={value!r}: give a finite number, 0 or more")
    return float(value)
