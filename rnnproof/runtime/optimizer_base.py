"""`Optimizer`: what all optimisers share: clipping, decay of the learning rate, the learning state, and their configuration."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from rnnproof.runtime import clipping
from rnnproof.runtime.clipping import Report

Array = np.ndarray[Any, Any]
EPSILON = 1e-7  # Keras's backend.epsilon(), the meaning of epsilon=None
SHARED = ("clipnorm", "clipvalue", "global_clipnorm", "clip_semantics", "recurrent")


class LearningState(list[Array]):
    """A list of arrays that knows which optimiser's they are."""

    def __init__(self, of: str, arrays: Sequence[Array]) -> None:
        super().__init__(arrays)
        self.of = of


class Optimizer:
    """Base of the optimisers of Keras 2.2.4.

    All take `clipnorm`, `clipvalue`, `global_clipnorm` and `clip_semantics` (one of `clipping.SEMANTICS`); `recurrent` is the
    index of the recurrent matrix among the variables, which pascanu-2013 asks for. A subclass names its arrays for each
    variable in SLOTS and says in `_update` what one step does. Arguments are plain attributes and may be changed between steps.
    """

    SLOTS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: dict[str, Any]) -> None:
        clips: dict[str, Any] = {**dict.fromkeys(SHARED), "clip_semantics": "keras-2.2.4"}
        unknown = config.pop("unknown")
        own = [name for name in inspect.signature(type(self)).parameters if name != "unknown"]
        for name in unknown:
            if name not in clips:
                hint = " (it is `lr` in Keras 2.2.4)" if name == "learning_rate" else ""
                raise TypeError(f"{type(self).__name__} has no argument {name!r}{hint}; it takes {', '.join((*own, *SHARED))}")
        config = {name: value for name, value in config.items() if name not in ("self", "__class__")}
        if config.get("epsilon", 0) is None:
            config["epsilon"] = EPSILON
        for name, value in config.items():
            _check(name, value)
        self._names = (*config, *SHARED)
        for name, value in {**config, **clips, **unknown}.items():
            setattr(self, name, value)
        self._check_clipping()
        self.iterations = 0
        self.last_clip: Report | None = None
        self._slots: dict[str, list[Array]] = {}
        self._restored: list[Array] = []

    def _check_clipping(self) -> None:
        optimizer: Any = self
        clipping.check(optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm, optimizer.clip_semantics)
        recurrent = optimizer.recurrent
        if recurrent is not None and (isinstance(recurrent, bool) or not isinstance(recurrent, int)):
            raise ValueError(f"recurrent={recurrent!r}: give the index of the recurrent matrix among the variables")

    def apply_gradients(self, pairs: Iterable[tuple[Any, Array]]) -> Report:
        """Clip the gradients and update the variables in place; `pairs` is zip(gradients, variables), in one order always.

        The result, also `last_clip`, says what clipping did. Raises ValueError for shapes that do not fit, or for other
        variables than before.
        """
        updates = list(pairs)
        gradients, variables = [np.asarray(g) for g, _ in updates], [v for _, v in updates]
        for place, (gradient, variable) in enumerate(zip(gradients, variables, strict=True)):
            if not isinstance(variable, np.ndarray) or variable.dtype.kind != "f" or not variable.flags.writeable:
                raise ValueError(f"variable {place} is {type(variable).__name__}; give a writeable array of float32 or float64")
            if gradient.shape != variable.shape:
                raise ValueError(
                    f"gradient {place} has shape {gradient.shape}, its variable {variable.shape}; they should be equal"
                )
        self._prepare(variables)
        self._check_clipping()
        optimizer: Any = self
        recurrent = None if optimizer.recurrent is None else (optimizer.recurrent, variables[optimizer.recurrent])
        cast = [g.astype(v.dtype, copy=False) for g, v in zip(gradients, variables, strict=True)]
        options = {name: getattr(self, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
        clipped, report = clipping.clip(cast, **options, semantics=optimizer.clip_semantics, recurrent=recurrent)
        step = self._step()
        for place, (gradient, variable) in enumerate(zip(clipped, variables, strict=True)):
            slots = {name: arrays[place] for name, arrays in self._slots.items()}
            variable[...] = self._update(variable, gradient, slots, step)
        self.iterations += 1
        self.last_clip = report
        return report

    def _prepare(self, variables: Sequence[Array]) -> None:
        """Make the learning state on first sight, or take it as it was restored; refuse other variables later."""
        if not self._slots and self.SLOTS:
            self._slots = {name: [np.zeros_like(v) for v in variables] for name in self._kept()}
            self._fill(self._restored)
            self._restored = []
        for arrays in self._slots.values():
            if [a.shape for a in arrays] != [v.shape for v in variables]:
                raise ValueError(
                    f"{type(self).__name__}: the variables have shapes {[v.shape for v in variables]}, before they had "
                    f"{[a.shape for a in arrays]}; an optimiser belongs to one set of variables: make another"
                )

    def _kept(self) -> tuple[str, ...]:
        return self.SLOTS

    def _step(self) -> dict[str, float]:
        """What is the same for all variables in this step; `lr` after decay: lr / (1 + decay * iterations)."""
        optimizer: Any = self
        return {"lr": optimizer.lr / (1.0 + optimizer.decay * self.iterations) if optimizer.decay else optimizer.lr}

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Mapping[str, float]) -> Array:
        """The variable after one step; changes the slots in place."""
        raise NotImplementedError

    def _scalars(self) -> dict[str, float]:
        """Numbers of the learning state beside `iterations`."""
        return {}

    def get_weights(self) -> list[Array]:
        """The learning state: iterations, further numbers, then the arrays of each slot."""
        numbers = [np.asarray(self.iterations), *map(np.asarray, self._scalars().values())]
        arrays = [array.copy() for arrays in self._slots.values() for array in arrays]
        return LearningState(type(self).__name__, [*numbers, *arrays, *self._restored])

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Restore what `get_weights` gave. Raises ValueError for what does not fit."""
        of = getattr(weights, "of", type(self).__name__)
        if of != type(self).__name__:
            raise ValueError(f"{type(self).__name__}: this is a learning state of {of}; give one of the same optimiser")
        names = list(self._scalars())
        arrays = [np.asarray(w) for w in weights]
        if len(arrays) < 1 + len(names) or any(a.ndim for a in arrays[: 1 + len(names)]):
            raise ValueError(f"{type(self).__name__}: this is no learning state of it; give what get_weights() gave")
        if self._slots:
            self._fill(arrays[1 + len(names) :])
        else:
            self._restored = [a.copy() for a in arrays[1 + len(names) :]]
        self.iterations = int(arrays[0])
        for name, value in zip(names, arrays[1:], strict=False):
            setattr(self, name, float(value))

    def _fill(self, arrays: Sequence[Array]) -> None:
        slots = [array for kept in self._slots.values() for array in kept]
        if arrays and [a.shape for a in arrays] != [s.shape for s in slots]:
            raise ValueError(
                f"{type(self).__name__}: a learning state of shapes {[a.shape for a in arrays]} does not fit the variables' "
                f"{[s.shape for s in slots]}; give what get_weights() gave for the same variables"
            )
        for slot, array in zip(slots, arrays, strict=False):
            slot[...] = array

    def get_config(self) -> dict[str, Any]:
        """The arguments, by name; a clipping option that is not set is left out."""
        values = {name: getattr(self, name) for name in self._names}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A new optimiser, without learning state, from what `get_config` gave."""
        return cls(**config)


def _check(name: str, value: Any) -> None:
    """A flag, or a number in the range that its name has."""
    if name in ("nesterov", "amsgrad"):
        if not isinstance(value, bool):
            raise ValueError(f"{name}={value!r}: give True or False")
        return
    below_one = name in ("rho", "beta_1", "beta_2")
    number = not isinstance(value, bool) and isinstance(value, int | float | np.number) and math.isfinite(value)
    if not number or value < 0 or (below_one and value >= 1):
        raise ValueError(
            f"{name}={value!r}: give a number from 0 up to{' but not including 1' if below_one else ' any finite one'}"
        )
