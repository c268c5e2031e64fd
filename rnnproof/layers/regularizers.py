"""Penalties on weights and outputs: l1, l2, both, or a function of the user's own.

The gradient of l1 and l2 is generated from their equation (`penalty.py`); that of a user's function comes from autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from rnnproof.layers import arguments, penalty

Array = np.ndarray[Any, Any]


class Regularizer(Protocol):
    """A penalty and its gradient."""

    def __call__(self, w: Array) -> float:
        """The penalty of an array."""

    def gradient(self, w: Array) -> Array:
        """Its gradient, shaped like the array."""


class L1L2:
    """l1 * sum |w| + l2 * sum w^2 (Keras 2.2.4's `l1_l2`; no factor of one half). Raises ValueError for a bad number."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = arguments.finite("l1", l1), arguments.finite("l2", l2)

    def _run(self, w: Array) -> Any:
        kind = w.dtype if w.dtype.kind in "fc" else np.dtype(np.float64)
        factors = {"l1": np.asarray(self.l1, kind), "l2": np.asarray(self.l2, kind)}
        return penalty.module().forward(factors, np.asarray(w, kind).reshape(1, 1, w.size))

    def __call__(self, w: Array) -> float:
        return float(self._run(w).states["penalty"].real.item())

    def gradient(self, w: Array) -> Array:
        trace = self._run(w)
        seed = np.ones_like(trace.states["penalty"])
        gradient: Array = penalty.module().backward(trace, {"penalty": seed}).inputs.reshape(w.shape)
        return gradient

    def get_config(self) -> dict[str, float]:
        return {"l1": self.l1, "l2": self.l2}


class Custom:
    """A user's function from an array to a number, differentiated by autograd; write it with `autograd.numpy`."""

    def __init__(self, function: Callable[[Any], Any], argument: str) -> None:
        self.function, self.argument = function, argument

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))

    def __call__(self, w: Array) -> float:
        value = np.asarray(self.function(w))
        if value.size != 1:
            raise ValueError(f"{self.argument}={self.__name__} gave shape {value.shape}; it should give one number")
        return float(value.real.item())

    def gradient(self, w: Array) -> Array:
        import autograd

        if hasattr(self.function, "gradient"):
            return np.asarray(self.function.gradient(w))
        try:
            return np.asarray(autograd.grad(self.function)(w))
        except Exception as error:  # whatever the function raises on autograd's arrays, the cure is the same
            raise ValueError(
                f"{self.argument}={self.__name__} can't be differentiated by autograd ({type(error).__name__}: {error}); "
                "write it with `import autograd.numpy as np`"
            ) from error


def l1(l: float = 0.01) -> L1L2:  # noqa: E741 (Keras's name)
    """l * sum |w|."""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:  # noqa: E741 (Keras's name)
    """l * sum w^2."""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """l1 * sum |w| + l2 * sum w^2."""
    return L1L2(l1, l2)


_NAMES: dict[str, Callable[..., L1L2]] = {"l1": l1, "l2": l2, "l1_l2": l1_l2, "L1L2": L1L2}


def get(value: Any, argument: str = "regularizer") -> Regularizer | None:
    """A regulariser from a name, a configuration {"class_name", "config"}, a function, a regulariser, or None.

    Raises ValueError that names the argument and what is allowed.
    """
    if value is None or isinstance(value, L1L2 | Custom):
        return value
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]()
    if isinstance(value, Mapping) and value.get("class_name") in _NAMES:
        return _NAMES[value["class_name"]](**value.get("config", {}))
    if callable(value):
        return Custom(value, argument)
    raise ValueError(f"{argument}={value!r}: give None, a function, regularizers.l1_l2(...), or one of {', '.join(_NAMES)}")
