"""Gradient clipping: by norm, by value, by global norm, and the six meanings that frameworks and the paper give these words.

What each rule does to unusual gradients (n the norm, c the limit):

| semantics | zero | a norm too small for its square | inf in a gradient | NaN in a gradient |
| --- | --- | --- | --- | --- |
| keras-2.2.4 | kept | n = 0: kept | n = inf: the finite entries of all become 0, the infinite NaN | kept as it is |
| tf.keras-2.15 | kept | n = 0: kept | its array: 0 and NaN; by global norm: all NaN | its array NaN; global: all NaN |
| keras-3 | kept | n = 0: kept | its array: 0 and NaN; by global norm: all NaN | its array NaN; global: all NaN |
| torch | kept | n = 0: kept | finite entries of all become 0, the infinite NaN | all NaN |
| optax | kept | n = 0: kept | finite entries of all become 0, the infinite NaN | all NaN |
| pascanu-2013 | kept | n = 0: kept | recurrent gradient 0.02 W_hh, the others 0 | the same |

Clipping by value makes inf the limit and leaves NaN. Under keras-2.2.4 a NaN norm is not >= c: nothing is clipped.
Subnormal numbers are kept; TensorFlow's kernels flush them to zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Gradients = list[Array]


@dataclass(frozen=True)
class Report:
    """What clipping did, over all gradients together.

    `norm_before`, `norm_after`: 2-norms; `share_clipped`: the share of the entries that were changed by more than the rounding
    of g * c / c; `cosine` of the angle between before and after, NaN where one of them is zero or not finite.
    """

    norm_before: float
    norm_after: float
    share_clipped: float
    cosine: float


def clip_by_norm(gradient: Any, limit: float) -> tuple[Any, Report]:
    """g * limit / max(|g|, limit): the lecture's norm of a vector or (Frobenius) matrix is at most `limit`, the direction kept.

    `gradient` is an array, a list of numbers (one vector), or a sequence of arrays of which each has its own norm; None among
    them is passed through. The norm neither overflows nor underflows; whole numbers give floats; of a complex number the
    modulus counts. Raises ValueError for a bad limit.
    """
    c = _limit("limit", limit)
    return _on_arrays(gradient, lambda arrays: [_to_norm([g], c)[0] for g in arrays])


def clip_by_value(gradient: Any, limit: float) -> tuple[Any, Report]:
    """min(max(g, -limit), limit) in every entry of an array or of a sequence of arrays; of a complex number, in its modulus.

    Takes what `clip_by_norm` takes. Raises ValueError for a bad limit.
    """
    c = _limit("limit", limit)
    return _on_arrays(gradient, lambda arrays: [_to_value(g, c) for g in arrays])


def clip_by_global_norm(gradients: Any, limit: float) -> tuple[Any, Report]:
    """g * limit / max(n, limit) with the one norm n of all arrays together.

    Takes what `clip_by_norm` takes. Raises ValueError for a bad limit.
    """
    c = _limit("limit", limit)
    return _on_arrays(gradients, lambda arrays: _to_norm(arrays, c))


def global_norm(gradients: Sequence[Array]) -> Any:
    """The 2-norm of all arrays together, in their own precision, as the frameworks compute it: squares may overflow."""
    with np.errstate(all="ignore"):
        return np.sqrt(sum((np.sum(np.square(g)) for g in gradients), np.zeros((), _kind(gradients))))


def clip(
    gradients: Sequence[Any],
    *,
    clipnorm: float | None = None,
    clipvalue: float | None = None,
    global_clipnorm: float | None = None,
    semantics: str = "keras-2.2.4",
    recurrent: tuple[int, Any] | None = None,
) -> tuple[Gradients, Report]:
    """Gradients clipped as one of SEMANTICS means these options; new arrays, in the dtypes of the old ones.

    `recurrent` is (index of the recurrent matrix's gradient, that matrix), which pascanu-2013 needs where the norm is not
    finite. Raises ValueError for an option that the semantics has not, or for a limit that is no number above 0.
    """
    check(clipnorm, clipvalue, global_clipnorm, semantics)
    arrays = [np.asarray(g) for g in gradients]
    rule = SEMANTICS[semantics]
    if rule.one_norm:
        clipnorm, global_clipnorm = clipnorm if global_clipnorm is None else global_clipnorm, None
    with np.errstate(all="ignore"):
        clipped = rule.clip(arrays, clipnorm, clipvalue, global_clipnorm, recurrent)
    clipped = [after.astype(before.dtype, copy=False) for before, after in zip(arrays, clipped, strict=True)]
    return clipped, report(arrays, clipped)


def check(clipnorm: float | None, clipvalue: float | None, global_clipnorm: float | None, semantics: str) -> None:
    """Raise ValueError for options that do not go with a semantics."""
    if semantics not in SEMANTICS:
        raise ValueError(f"clip_semantics={semantics!r}: give one of {', '.join(SEMANTICS)}")
    options = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
    limits = {name: _limit(name, value) for name, value in options.items() if value is not None}
    rule = SEMANTICS[semantics]
    for name in limits:
        if name not in rule.options:
            raise ValueError(f"{name} is unknown to clip_semantics={semantics!r}, which has {', '.join(rule.options)}")
    if rule.one_norm and "clipnorm" in limits and "global_clipnorm" in limits:
        raise ValueError(f"clipnorm and global_clipnorm: both are the norm of all gradients in {semantics!r}; leave one out")
    if rule.single and len(limits) > 1:
        raise ValueError(f"{' and '.join(limits)}: clip_semantics={semantics!r} takes one of them; leave the others out")


def report(before: Sequence[Array], after: Sequence[Array]) -> Report:
    """What became of gradients."""
    rounding = 2 * float(np.finfo(np.result_type(np.float32, *before)).eps)
    sums = np.zeros(4)
    with np.errstate(all="ignore"):
        for old, new in zip(before, after, strict=True):
            sums += _sums(*_flat(old, new), rounding)
        size = max(sum(old.size for old in before), 1)
        if not _PLAIN[0] < sums[:2].min() <= sums[:2].max() < _PLAIN[1]:
            return _scaled_report(before, after, float(sums[3]) / size)
    length, other = math.sqrt(sums[0]), math.sqrt(sums[1])
    return Report(length, other, float(sums[3]) / size, float(sums[2]) / length / other)


# Sums of squares between these have lost nothing to overflow or underflow.
_PLAIN = (1e-200, 1e200)


def _flat(old: Array, new: Array) -> tuple[Array, Array]:
    """Both arrays as float64 in one dimension, in the same order, which is that of memory where it can be."""
    if old.flags.f_contiguous and new.flags.f_contiguous:
        old, new = old.T, new.T
    kind = np.complex128 if old.dtype.kind == "c" else np.float64
    return old.ravel().astype(kind, copy=False), new.ravel().astype(kind, copy=False)


def _sums(old: Array, new: Array, rounding: float) -> tuple[Any, Any, Any, int]:
    """old^2, new^2, old new, each summed, and how many entries were changed by more than the rounding."""
    squares = np.vdot(old, old).real
    if np.isfinite(squares):
        changed = np.count_nonzero(~(np.abs(new - old) <= rounding * np.abs(old)))
    else:  # inf - inf is no difference, and NaN is none to NaN
        unchanged = (old == new) | (np.isfinite(old) & (np.abs(new - old) <= rounding * np.abs(old)))
        changed = np.count_nonzero(~unchanged & ~(np.isnan(old) & np.isnan(new)))
    return squares, np.vdot(new, new).real, np.vdot(old, new).real, int(changed)


def _scaled_report(before: Sequence[Array], after: Sequence[Array], changed: float) -> Report:
    """The same for gradients whose squares overflow or underflow."""
    pairs = [_flat(old, new) for old, new in zip(before, after, strict=True)] or [(np.zeros(0), np.zeros(0))]
    old, new = (np.concatenate(part) for part in zip(*pairs, strict=True))
    length, other = _length(old), _length(new)
    cosine = float(np.vdot(old / length, new / other).real) if 0 < length < math.inf and 0 < other < math.inf else math.nan
    return Report(length, other, changed, cosine)


def _length(values: Array) -> float:
    """A 2-norm whose squares neither overflow nor underflow."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return largest * float(np.linalg.norm(values / largest)) if 0 < largest < math.inf else largest


def _limit(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise ValueError(f"{name}={value!r}: give a finite number above 0")
    return float(value)


def _kind(gradients: Sequence[Array]) -> np.dtype[Any]:
    return np.result_type(*gradients) if gradients else np.dtype(np.float64)


def _on_arrays(gradients: Any, rule: Callable[[Gradients], Gradients]) -> tuple[Any, Report]:
    """Apply a rule to an array, to a list of numbers, or to a sequence of arrays, of which some may be None."""
    numbers = isinstance(gradients, list | tuple) and bool(gradients) and all(isinstance(g, Number) for g in gradients)
    several = isinstance(gradients, list | tuple) and not numbers
    entries = list(gradients) if several else [gradients]
    arrays = [np.asarray(g) for g in entries if g is not None]
    arrays = [g if g.dtype.kind in "fc" else g.astype(np.float64) for g in arrays]
    with np.errstate(all="ignore"):
        clipped = [after.astype(before.dtype) for before, after in zip(arrays, rule(arrays), strict=True)]
    record = report(arrays, clipped)
    results = iter(clipped)
    whole = [None if g is None else next(results) for g in entries]
    return (whole if several else whole[0]), record


def _to_norm(arrays: Gradients, limit: float) -> Gradients:
    """g c / max(n, c), computed in double precision from g / m with m the largest modulus: no square leaves the range.

    An infinite gradient has the norm inf: finite entries become 0, infinite ones NaN; a NaN makes all NaN.
    """
    wide = [g.astype(np.complex128 if g.dtype.kind == "c" else np.float64) for g in arrays]
    largest = max((float(np.max(np.abs(g), initial=0.0)) for g in wide), key=lambda size: (math.isnan(size), size), default=0.0)
    if largest == 0:
        return wide
    parts = [g / largest for g in wide]
    relative = math.sqrt(sum(float(np.vdot(g, g).real) for g in parts))
    if math.isfinite(largest) and relative <= limit / largest:
        return wide
    return [g * (limit / relative) for g in parts]


def _to_value(g: Array, limit: float) -> Array:
    if g.dtype.kind == "c":
        return np.where(np.abs(g) > limit, g / np.abs(g) * limit, g)
    return np.clip(g, -limit, limit)


def _scaled(arrays: Gradients, factor: Any) -> Gradients:
    return [g * np.asarray(factor, g.dtype) for g in arrays]


def _each(arrays: Gradients, limit: float) -> Gradients:
    """Each array by its own norm, in the frameworks' order: (g c) / max(n, c)."""
    return [g * limit / np.maximum(global_norm([g]), limit).astype(g.dtype) for g in arrays]


def _by_value(arrays: Gradients, limit: float) -> Gradients:
    return [np.clip(g, -limit, limit) for g in arrays]


def _finite_scale(arrays: Gradients, limit: float) -> Gradients:
    """g c min(1/n, 1/c), and NaN everywhere where the norm is not finite."""
    norm = global_norm(arrays)
    return _scaled(arrays, limit * np.minimum(1 / norm, 1 / limit) + (norm - norm))


Options = tuple[float | None, float | None, float | None]


def _keras_224(arrays: Gradients, norm: float | None, value: float | None, _: Any, __: Any) -> Gradients:
    if norm is not None:
        found = global_norm(arrays)
        arrays = [g * norm / found.astype(g.dtype) for g in arrays] if found >= norm else arrays
    return _by_value(arrays, value) if value is not None else arrays


def _first(arrays: Gradients, norm: float | None, value: float | None, overall: float | None, _: Any) -> Gradients:
    """The first of clipnorm, global_clipnorm and clipvalue that is set."""
    if norm is not None:
        return _each(arrays, norm)
    if overall is not None:
        return _finite_scale(arrays, overall)
    return _by_value(arrays, value) if value is not None else arrays


def _torch(arrays: Gradients, norm: float | None, value: float | None, _: Any, __: Any) -> Gradients:
    if norm is not None:
        arrays = _scaled(arrays, np.minimum(1.0, _torch_factor(arrays, norm)))
    return _by_value(arrays, value) if value is not None else arrays


def _torch_factor(arrays: Gradients, limit: float) -> Any:
    """c (1 / (n + 1e-6)); of half-precision gradients each operation in single precision, its result rounded to half."""
    if _kind(arrays) != np.float16:
        return np.reciprocal(global_norm(arrays) + 1e-6) * limit

    def half(value: Any) -> Any:
        return np.float32(np.float16(value))

    def norm(values: Array) -> Any:
        return half(np.sqrt(np.sum(np.square(values.astype(np.float32)))))

    total = half(norm(np.array([norm(g) for g in arrays], np.float32)) + np.float32(1e-6))
    return half(half(1 / total) * np.float32(limit))


def _optax(arrays: Gradients, norm: float | None, value: float | None, _: Any, __: Any) -> Gradients:
    if norm is not None:
        found = global_norm(arrays)
        arrays = arrays if found < norm else [g / found.astype(g.dtype) * norm for g in arrays]
    return _by_value(arrays, value) if value is not None else arrays


def _pascanu(arrays: Gradients, norm: float | None, _: Any, __: Any, recurrent: tuple[int, Any] | None) -> Gradients:
    if norm is None:
        return arrays
    found = global_norm(arrays)
    if not np.isfinite(found) or found > 1e10:
        if recurrent is None:
            raise ValueError(
                f"the gradients' norm is {found}, where pascanu-2013 puts 0.02 W_hh for the recurrent gradient; say which "
                "it is with recurrent=(index, W_hh), or the optimiser's recurrent=index"
            )
        index, matrix = recurrent
        return [0.02 * np.asarray(matrix) if place == index else np.zeros_like(g) for place, g in enumerate(arrays)]
    return [g * norm / found.astype(g.dtype) for g in arrays] if found > norm else arrays


@dataclass(frozen=True)
class Semantics:
    """One meaning of the options: which there are, the rule, whether only one may be set, whether clipnorm is of all.

    Where it is (`one_norm`), global_clipnorm, which those frameworks had not, is another name for it.
    """

    options: tuple[str, ...]
    clip: Callable[..., Gradients]
    single: bool = False
    one_norm: bool = False


_ALL = ("clipnorm", "global_clipnorm", "clipvalue")
SEMANTICS: dict[str, Semantics] = {
    "keras-2.2.4": Semantics(_ALL, _keras_224, one_norm=True),
    "tf.keras-2.15": Semantics(_ALL, _first),
    "keras-3": Semantics(_ALL, _first, single=True),
    "torch": Semantics(_ALL, _torch, one_norm=True),
    "optax": Semantics(_ALL, _optax, one_norm=True),
    "pascanu-2013": Semantics(_ALL[:2], _pascanu, one_norm=True),
}
