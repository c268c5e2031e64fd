"""`Layer`: what every layer has: weights with initialisers, penalties and constraints, gradients, a configuration."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields
from functools import wraps
from os import PathLike
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np

from rnnproof.layers import archive, arguments, regularizers
from rnnproof.runtime import constraints, initializers

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...]
Named = str | Callable[..., Any] | None

# How many numbers the file that is being loaded holds: weights that are made for it are no larger.
_ROOM: ContextVar[int | None] = ContextVar("_ROOM", default=None)


@dataclass(frozen=True)
class Weight:
    """How one weight array is made and treated: `start(shape, dtype, rng)` gives its first values."""

    name: str
    shape: tuple[int, ...]
    start: Callable[[tuple[int, ...], Any, np.random.Generator], Array]
    regularizer: regularizers.Regularizer | None = None
    constraint: Callable[[Array], Array] | None = None


L = TypeVar("L", bound="Layer")


@dataclass_transform(eq_default=False)
def configured(layer: type[L]) -> type[L]:
    """A layer whose fields are its constructor's arguments, in order; one that it does not have is refused, with a hint."""
    built = dataclass(eq=False, repr=False)(layer)
    construct = built.__init__
    names = list(inspect.signature(construct).parameters)[1:]

    @wraps(construct)
    def checked(self: L, *given: Any, **named: Any) -> None:
        for name in (name for name in named if name not in names):
            hint = built.HINTS.get(name, "")
            raise TypeError(f"{built.__name__} has no argument {name!r}{hint}; it takes {', '.join(names)}")
        construct(self, *given, **named)

    built.__init__ = checked  # type: ignore  # the same arguments, which mypy takes from the fields
    return built


class Layer:
    """Base of all layers.

    A subclass names its weights in `_weights(input_shape)`, computes in `_forward` and `_backward`. `weights`, `gradients` and
    `weight_names` stand in Keras's order; optimisers change the weights in place. `losses` holds the penalties of the last
    call; `backward` gives gradients of the loss plus these.
    """

    registry: ClassVar[dict[str, type[Layer]]] = {}
    HINTS: ClassVar[Mapping[str, str]] = {}  # what is meant by an argument that this layer does not have

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            Layer.registry[cls.__name__] = cls

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        seed = config.get("seed")
        if seed is not None:
            arguments.whole("seed", seed, least=0)
        name = config.get("name")
        if name is not None and not isinstance(name, str):
            raise ValueError(f"name={name!r}: give a string")
        self.name = name or type(self).__name__.lower()
        self.dtype = arguments.dtype(config.get("dtype"))
        self._starting, self._dropping = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
        self._specs: tuple[Weight, ...] = ()
        self.built = False
        self.stateful = False
        self.input_shape: list[int | None] = []
        self.weights: list[Array] = []
        self.gradients: list[Array] = []
        self.losses: list[float] = []
        self.activity_regularizer = regularizers.get(config.get("activity_regularizer"), "activity_regularizer")

    def _given(self) -> dict[str, Any]:
        """What the constructor of a `configured` layer was given, before it is looked at."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # a dataclass: `configured`

    # weights

    def _weights(self, input_shape: Shape) -> tuple[Weight, ...]:
        raise NotImplementedError

    def build(self, input_shape: Sequence[int | None], dtype: Any = None) -> None:
        """Make the weights for inputs of this shape; a length that does not matter may be None. Raises ValueError otherwise."""
        if self.built:
            return
        self._specs = self._weights(tuple(input_shape))
        self.input_shape = [None, *([None] * (len(input_shape) - 2)), input_shape[-1]]
        kind = self.dtype or np.dtype(dtype or np.float64)
        self.weights = [self._started(spec, kind) for spec in self._specs]
        self.built = True

    def _started(self, spec: Weight, kind: np.dtype[Any]) -> Array:
        room = _ROOM.get()
        if room is not None and math.prod(spec.shape) > room:
            raise ValueError(f"{self.name}: {spec.name} would be {spec.shape}, and the file holds {room} numbers in all")
        value = np.array(spec.start(spec.shape, kind, self._starting), dtype=kind)
        return arguments.shaped(f"{self.name}: what the initializer of {spec.name} made", value, spec.shape)

    @property
    def weight_names(self) -> list[str]:
        """The weights' names, in order."""
        return [spec.name for spec in self._specs]

    def count_params(self) -> int:
        """How many numbers the weights hold. Raises ValueError before they are made."""
        self._need_weights()
        return sum(weight.size for weight in self.weights)

    def get_weights(self) -> list[Array]:
        """Copies of the weights, in Keras's order and layout."""
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Put values into the weights, in place. Raises ValueError naming the array that does not fit."""
        self._need_weights()
        if len(weights) != len(self.weights):
            names = ", ".join(self.weight_names) or "none"
            raise ValueError(f"{self.name}: {len(weights)} arrays are given; it has {len(self.weights)} weights ({names})")
        checked = [
            arguments.shaped(
                f"{self.name}: {spec.name}", arguments.floating(f"{self.name}: {spec.name}", value, None), spec.shape
            )
            for spec, value in zip(self._specs, weights, strict=True)
        ]
        for weight, value in zip(self.weights, checked, strict=True):
            weight[...] = value

    def _need_weights(self) -> None:
        if not self.built:
            raise ValueError(f"{self.name} has no weights yet; call it on an input, or build(input_shape) it")

    def apply_constraints(self) -> None:
        """Project the weights onto their constraints, in place; for after an optimiser's step."""
        for spec, weight in zip(self._specs, self.weights, strict=True):
            if spec.constraint is not None:
                weight[...] = spec.constraint(weight)

    # penalties

    def _penalties(self) -> list[float]:
        pairs = zip(self._specs, self.weights, strict=True)
        return [spec.regularizer(weight) for spec, weight in pairs if spec.regularizer is not None]

    def _with_penalties(self, gradients: Sequence[Array]) -> list[Array]:
        """Gradients in the weights' dtype, those of their penalties added."""
        total = []
        for spec, weight, gradient in zip(self._specs, self.weights, gradients, strict=True):
            added = gradient if spec.regularizer is None else gradient + spec.regularizer.gradient(weight)
            total.append(added if added.dtype.kind == "c" else added.astype(weight.dtype, copy=False))
        return total

    def _activity(self, outputs: Sequence[Array]) -> list[float]:
        """The penalty of each output, divided by the batch size, as in tf.keras (Keras 2.2.4 did not divide)."""
        if self.activity_regularizer is None:
            return []
        return [self.activity_regularizer(output) / max(len(output), 1) for output in outputs]

    def _d_activity(self, output: Array, d_output: Array) -> Array:
        if self.activity_regularizer is None:
            return d_output
        return d_output + self.activity_regularizer.gradient(output) / max(len(output), 1)

    # arrays

    def _input(self, x: Any, axes: tuple[int | str, ...]) -> Array:
        """The input as an array with these axes (the last of the built length); makes the weights on first sight."""
        array = arguments.floating(f"{self.name}: the input", x, self.dtype)
        if axes:
            arguments.shaped(f"{self.name}: the input", array, axes)
        elif array.ndim < 2:
            raise ValueError(f"{self.name}: the input has shape {array.shape}; it should be (B, ..., input)")
        if not self.built:
            self.build(array.shape, np.float32 if array.dtype == np.float32 else np.float64)
        return array

    def compute_mask(self, mask: Any) -> Any:
        """The mask that goes on to the next layer."""
        return mask

    def reset_states(self) -> None:
        """Forget what is carried from batch to batch; here nothing is."""

    def __call__(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        raise NotImplementedError

    def backward(self, d_output: Any) -> Array:
        """The gradient of the input from that of the output; sets `gradients`."""
        raise NotImplementedError

    # configuration

    def restore(self, path: Any, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Take the weights as they stand in a file. Raises ValueError where they do not belong to this layer."""
        weights = [arrays[str(place)] for place in range(len(arrays)) if str(place) in arrays]
        shape = stored_shape(header)
        if len(weights) != len(arrays):
            raise ValueError("the file's arrays are not those of a layer; give one that save() wrote")
        self.build(shape, weights[0].dtype if weights else None)
        self.set_weights(weights)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them. Raises ValueError for a callable of the user's own."""
        return {name: _plain(f"{self.name}: {name}", value) for name, value in self._config.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A new layer, without weights, from what `get_config` gave."""
        return cls(**config)

    def save(self, path: str | PathLike[str]) -> None:
        """Write configuration and weights to an .npz file; `rnnproof.layers.load` reads it."""
        self._need_weights()
        header = {**described(self), "input_shape": self.input_shape}
        archive.write(path, header, {str(place): weight for place, weight in enumerate(self.weights)})


def made(description: Mapping[str, Any]) -> Layer:
    """A layer from {"class_name": ..., "config": {...}}. Raises ValueError for a name that no layer has."""
    name, config = description.get("class_name"), description.get("config")
    if name not in Layer.registry or not isinstance(config, Mapping):
        known = ", ".join(sorted(Layer.registry))
        raise ValueError(
            f"{dict(description)!r:.200} describes no layer; class_name should be one of {known}, config its arguments"
        )
    return Layer.registry[str(name)].from_config(dict(config))


def treatment(config: Mapping[str, Any], roles: tuple[str, ...]) -> dict[str, tuple[Any, Any, Any]]:
    """(initialiser, regulariser, constraint) of each role, from the arguments named after it."""
    return {
        role: (
            initializers.get(config[f"{role}_initializer"], f"{role}_initializer"),
            regularizers.get(config[f"{role}_regularizer"], f"{role}_regularizer"),
            constraints.get(config[f"{role}_constraint"], f"{role}_constraint"),
        )
        for role in roles
    }


def stored_shape(header: Mapping[str, Any]) -> list[int | None]:
    """The input's shape in a file's header. Raises ValueError for one that the file's weights cannot have been made for."""
    shape, room = header.get("input_shape"), _ROOM.get() or 0
    if not isinstance(shape, list) or not 2 <= len(shape) <= 8 or any(length is not None for length in shape[:-1]):
        raise ValueError(f"input_shape is {shape!r:.60}; give a file that save() wrote")
    if type(shape[-1]) is not int or not 0 < shape[-1] <= room:
        raise ValueError(
            f"input_shape is {shape!r:.60}, and the file holds {room} numbers in all; give a file that save() wrote"
        )
    return shape


def described(thing: Any) -> dict[str, Any]:
    """{"class_name": ..., "config": ...} of whatever has a configuration."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


def _plain(what: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype):
        return value.name
    if hasattr(value, "get_config"):
        return described(value)
    if value is None or isinstance(value, str | int | float | bool | dict | list | tuple):
        return value
    if isinstance(value, type) and issubclass(value, np.generic):
        return np.dtype(value).name
    shown = getattr(value, "__name__", repr(value))
    raise ValueError(f"{what}={shown} is a function of your own and can't be written down; give it by name to save the layer")


def load(path: str | PathLike[str]) -> Any:
    """The layer or model that `save` wrote, with its weights. Raises ValueError for any other file; nothing is unpickled."""
    header, arrays = archive.read(path)
    room = _ROOM.set(sum(array.size for array in arrays.values()))
    try:
        layer = made(header)
        layer.restore(path, header, arrays)
    except Exception as error:  # a header may say anything, and go wrong anywhere
        why = str(error) or type(error).__name__
        raise ValueError(why if str(path) in why else f"{path}: {why}") from error
    finally:
        _ROOM.reset(room)
    return layer
