"""First values of weights, with the names, defaults and definitions of Keras 2.2.4.

Each initialiser is called with a shape, a dtype and a NumPy generator; one with a `seed` of its own draws from that instead.
Fans: fan_in is the number of rows of a kernel, fan_out that of its columns; of a vector, both are its length.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rnnproof.runtime.lookup import find

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Start = Callable[[Shape, Any, np.random.Generator], Array]
TRUNCATED_DEVIATION = 0.87962566103423978  # of a standard normal cut off at two standard deviations


@dataclass(frozen=True)
class Initializer:
    """Base of the initialisers."""

    def get_config(self) -> dict[str, Any]:
        """The arguments, by name."""
        return asdict(self)

    def __call__(self, shape: Shape, dtype: Any = np.float64, rng: np.random.Generator | None = None) -> Array:
        """First values of that shape. Raises ValueError for a shape it has no values for."""
        seed = getattr(self, "seed", None)
        source = np.random.default_rng(seed) if seed is not None or rng is None else rng
        return self._values(tuple(shape), source).astype(dtype)

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class Zeros(Initializer):
    """0 everywhere."""

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones(Initializer):
    """1 everywhere."""

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.ones(shape)


@dataclass(frozen=True)
class Constant(Initializer):
    """One value everywhere, or an array of the weight's shape."""

    value: Any = 0

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        try:
            return np.broadcast_to(np.asarray(self.value, float), shape).copy()
        except (TypeError, ValueError):
            raise ValueError(f"Constant(value={self.value!r}): give a number, or an array of shape {shape}") from None


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal with this mean and standard deviation."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        return rng.normal(self.mean, self.stddev, shape)


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform between minval and maxval."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal, values beyond two standard deviations drawn again."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        return self.mean + self.stddev * _truncated(shape, rng)


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Variance scale / n, n the fan of `mode` (fan_in, fan_out, fan_avg); `distribution` normal (truncated) or uniform.

    A normal one is cut off at two standard deviations and widened so that its variance is scale / n, as Keras does from 2.2.3
    on. Sources: X. Glorot and Y. Bengio, AISTATS 2010; K. He et al., arXiv 1502.01852; Y. LeCun et al., "Efficient BackProp"
    (1998).
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or not self.scale > 0:
            raise ValueError(f"scale={self.scale!r}: give a number above 0")
        for name, allowed in (("mode", _MODES), ("distribution", _DISTRIBUTIONS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: give one of {', '.join(allowed)}")

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        return math.sqrt(variance) / TRUNCATED_DEVIATION * _truncated(shape, rng)


_MODES, _DISTRIBUTIONS = ("fan_in", "fan_out", "fan_avg"), ("normal", "uniform")


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """gain times a random matrix with orthonormal rows or columns, whichever are fewer (A. Saxe et al., arXiv 1312.6120).

    Uniform over such matrices: Q of the QR decomposition of a normal matrix, with the signs of R's diagonal.
    """

    gain: float = 1.0
    seed: int | None = None

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        if len(shape) < 2:
            raise ValueError(f"an orthogonal start needs a matrix, not shape {shape}; choose another initializer")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.asarray(self.gain * (q if rows >= columns else q.T).reshape(shape))


@dataclass(frozen=True)
class Identity(Initializer):
    """gain times the identity; a square or rectangular matrix."""

    gain: float = 1.0

    def _values(self, shape: Shape, rng: np.random.Generator) -> Array:
        if len(shape) != 2:
            raise ValueError(f"an identity needs a matrix, not shape {shape}; choose another initializer")
        return np.asarray(self.gain * np.eye(*shape))


@dataclass(frozen=True)
class Custom:
    """A user's function `f(shape)`, `f(shape, dtype)` or `f(shape, dtype=None)`, as Keras calls it."""

    function: Callable[..., Any]
    argument: str = "initializer"

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))

    def __call__(self, shape: Shape, dtype: Any = np.float64, rng: np.random.Generator | None = None) -> Array:
        parameters = inspect.signature(self.function).parameters.values()
        several = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) > 1
        named = any(p.name == "dtype" and p.kind == p.KEYWORD_ONLY or p.kind == p.VAR_KEYWORD for p in parameters)
        values = self.function(shape, dtype) if several else self.function(shape, **({"dtype": dtype} if named else {}))
        array = np.asarray(values, dtype)
        if array.shape != tuple(shape):
            raise ValueError(f"{self.argument}={self.__name__} gave shape {array.shape}; it should give {tuple(shape)}")
        return array


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight array."""
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _truncated(shape: Shape, rng: np.random.Generator) -> Array:
    """Standard normal values, those beyond 2 drawn again."""
    values = rng.standard_normal(shape)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = rng.standard_normal(int(beyond.sum()))
    return values


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform of variance 1 / fan_in."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 1 / fan_in."""
    return VarianceScaling(1.0, "fan_in", "normal", seed)


def glorot_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform of variance 2 / (fan_in + fan_out)."""
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


def glorot_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 2 / (fan_in + fan_out)."""
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform of variance 2 / fan_in."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 2 / fan_in."""
    return VarianceScaling(2.0, "fan_in", "normal", seed)


_CLASSES = (Zeros, Ones, Constant, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Orthogonal, Identity)
zeros, ones, constant, random_normal, random_uniform, truncated_normal, variance_scaling, orthogonal, identity = _CLASSES
_SCALED = (lecun_uniform, lecun_normal, glorot_uniform, glorot_normal, he_uniform, he_normal)
_SHORT = "zeros ones constant random_normal random_uniform truncated_normal variance_scaling orthogonal identity".split()
_MADE: dict[str, Callable[..., Any]] = {
    **dict(zip(_SHORT, _CLASSES, strict=True)),
    **{made.__name__: made for made in _SCALED},
    **{made.__name__: made for made in _CLASSES},
    **{"".join(part.capitalize() for part in made.__name__.split("_")): made for made in _SCALED},
    "zero": Zeros,
    "one": Ones,
}


def get(value: Any, argument: str = "initializer") -> Start:
    """An initialiser from a name, a configuration, a function of the shape, or an initialiser.

    Raises ValueError naming the argument and what is allowed.
    """
    if isinstance(value, Initializer | Custom):
        return value
    if isinstance(value, type) and issubclass(value, Initializer):
        return value()
    if callable(value):
        return Custom(value, argument)
    known = find(value, _MADE, argument)
    if known is None:
        raise ValueError(f"{argument}={value!r}: give a function, or one of {', '.join(_MADE)}")
    return known  # type: ignore[no-any-return]
