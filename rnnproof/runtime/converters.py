"""Weights between rnnproof's cells and Keras, torch and ONNX: dictionaries of arrays in, dictionaries of arrays out.

What goes where stands in the catalogue's tables (`rnnproof.layouts`). Keras multiplies from the right, so its matrices are
ours transposed; ONNX's arrays begin with an axis of one direction. Where a framework has two biases that are only ever added
(torch's b_ih and b_hh of a plain gate), our equations have one, their sum, and zeros go back; with `merge=False` the second one
is kept apart under its name in the tables, such as "+b_f". `convert` keeps it, so that round trips are exact in every direction
between frameworks that have both; only towards one bias (Keras's LSTM, a cell of ours) they are added.

Gradients go with `gradients=True`: both of two biases that are added have the gradient of their sum.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnproof import layouts
from rnnproof.layouts import FrameworkLayer, is_summand, named, rows_of, stack, unstack

Array = np.ndarray[Any, Any]
FRAMEWORKS = ("rnnproof", "keras", "torch", "onnx")

# torch's names of a recurrent layer's arrays; those of LSTMCell and its like have no suffix
_TORCH = re.compile(r"(?P<prefix>.*?)(?:weight|bias)_[ih]h(?P<suffix>_l\d+(?:_reverse)?|)")


def to_framework(
    cell: str,
    params: Mapping[str, Any],
    framework: str,
    *,
    suffix: str = "_l0",
    prefix: str = "",
    gradients: bool = False,
) -> dict[str, Array]:
    """A framework's arrays from our parameters (named as in the cell's PARAMETERS), or with `gradients` from their gradients.

    `suffix` ends torch's names: "_l0", "_l1_reverse", "" for an LSTMCell; `prefix` begins them: "encoder.". Parameters without
    any bias give arrays without biases; a second bias kept apart ("+b_f") goes to its place, or where there is none, into the
    first. A second bias that is not given is zero, its gradient that of the first. Warns where an ONNX node needs an attribute
    to compute this cell. Raises ValueError naming the array for what is missing, unknown or misshapen, and for a cell that the
    framework has not.
    """
    layer = _layer(cell, framework)
    needs = [f"{name}={value}" for name, value in layer.options if framework == "onnx" and value != "0"]
    if needs:
        warnings.warn(f"the ONNX node {layer.layer} computes {cell} with {', '.join(needs)} only; set it", stacklevel=2)
    known = [name for _, parts in layer.weights for name in named(parts)]
    places = [part for _, parts in layer.weights for part in parts if is_summand(part)]
    given = {name: np.asarray(value) for name, value in params.items()}
    seconds = [name for name in given if name not in places and name.removeprefix("+") in known]
    if gradients:
        arrays = {name: value for name, value in given.items() if not (is_summand(name) and name in seconds)}
    else:
        arrays = _merged(given, seconds)
    if gradients:
        arrays = {**{part: arrays[part[1:]] for part in places if part[1:] in arrays}, **arrays}
    plain = {name: array for name, array in arrays.items() if name not in places}
    _complete(f"{cell}: parameter", plain, known, _without_biases(layer, arrays))
    hidden = _hidden(cell, arrays)
    result = {}
    for name, parts in layer.weights:
        if all(part in arrays for part in named(parts)) and (named(parts) or _biased(layer, arrays)):
            stacked = stack(parts, arrays, hidden)
            result[_spelt(framework, name, suffix, prefix)] = _oriented(framework, parts, stacked)
    return result


def from_framework(
    cell: str,
    arrays: Mapping[str, Any],
    framework: str,
    *,
    suffix: str | None = None,
    prefix: str | None = None,
    direction: int = 0,
    merge: bool = True,
    gradients: bool = False,
) -> dict[str, Array]:
    """Our parameters from a framework's arrays, views where nothing has to be added; with `gradients` ours from theirs.

    `suffix` ("_l0" where not given) and `prefix` (none) pick one layer among torch's arrays, such as a whole state_dict;
    `direction` one of ONNX's directions. Arrays without any bias give zero biases. `merge=False` keeps second biases apart, as
    "+b_f". Raises ValueError naming the array for what is missing, unknown or misshapen, for a cell that the framework has not,
    and for two gradients of one sum that differ.
    """
    layer = _layer(cell, framework)
    spelt = {
        _spelt(framework, name, "_l0" if suffix is None else suffix, prefix or ""): (name, parts)
        for name, parts in layer.weights
    }
    if framework == "torch":
        arrays = _picked(cell, arrays, list(spelt), suffix, prefix)
    given = {name: np.asarray(value) for name, value in arrays.items()}
    biases = [name for name, (_, parts) in spelt.items() if _is_bias(parts)]
    absent = [] if any(name in given for name in biases) else biases
    _complete(f"{cell} in {framework}: array", given, list(spelt), absent)
    blocks: dict[str, Array] = {}
    hidden = -1
    for name, (_, parts) in spelt.items():
        if name in absent:
            for part in named(parts):
                blocks[part] = np.zeros(hidden, next(iter(blocks.values())).dtype)
            continue
        array = _entered(f"{cell} in {framework}: {name}", framework, parts, given[name], direction)
        hidden = array.shape[-1 if len(rows_of(parts)) > 1 else 0] // len(rows_of(parts)[0]) if hidden < 0 else hidden
        _check(f"{cell} in {framework}: {name}", framework, parts, array, hidden, given[name].shape)
        blocks.update(unstack(parts, array))
    if gradients and merge:
        return {name: _of_the_sum(name, value, blocks) for name, value in blocks.items() if not is_summand(name)}
    return _merged(blocks, list(blocks)) if merge else blocks


def _of_the_sum(name: str, gradient: Array, gradients: Mapping[str, Array]) -> Array:
    """The gradient of a sum of two biases, which is that of each. Raises ValueError where they are not the same."""
    second = gradients.get(f"+{name}", gradient)
    apart, largest = np.max(np.abs(second - gradient), initial=0.0), np.max(np.abs(gradient), initial=0.0)
    if not apart <= 1e-3 * largest:  # sums of the same numbers, in float32 at worst
        raise ValueError(f"the gradients of the two biases that make {name} differ by {apart:.1e}; they are those of one sum")
    return gradient


def _picked(cell: str, arrays: Mapping[str, Any], names: list[str], suffix: str | None, prefix: str | None) -> dict[str, Any]:
    """The arrays of one layer of torch. Raises ValueError, naming what there is, where that has to be said."""
    there = {name: match for name in arrays if (match := _TORCH.fullmatch(name))}
    own = {name: value for name, value in arrays.items() if name.startswith(prefix or "")}
    if suffix is not None:
        own = {name: value for name, value in own.items() if name not in there or name in names}
    others = [name for name in there if name not in names]
    if others and (set(own) & set(others) or not set(own) & set(names)):
        kinds = dict.fromkeys((match["prefix"], match["suffix"]) for match in there.values())
        listed = "; ".join(f"prefix={first!r}, suffix={last!r}" for first, last in kinds)
        raise ValueError(f"{cell} in torch: {others[0]!r} is of another layer; say which one is meant, of {listed}")
    return own


def _merged(params: Mapping[str, Array], names: list[str]) -> dict[str, Array]:
    """The parameters with those of these that are second biases added to the first."""
    merged = {name: value for name, value in params.items() if not (is_summand(name) and name in names)}
    for name in names:
        if is_summand(name):
            merged[name[1:]] = merged[name[1:]] + params[name] if name[1:] in merged else params[name]
    return merged


def convert(arrays: Mapping[str, Any], *, cell: str, source: str, target: str, **options: Any) -> dict[str, Array]:
    """Arrays of one of FRAMEWORKS as those of another, by way of our parameters.

    Raises ValueError where either has no such cell (a GRU with its reset before the product exists in Keras and ONNX only).
    """
    merge = target == "rnnproof"
    params = dict(arrays) if source == "rnnproof" else from_framework(cell, arrays, source, merge=merge, **options)
    options.pop("direction", None)
    return dict(params) if target == "rnnproof" else to_framework(cell, params, target, **options)


def _layer(cell: str, framework: str) -> FrameworkLayer:
    if framework not in FRAMEWORKS[1:]:
        raise ValueError(f"no framework {framework!r}; there are {', '.join(FRAMEWORKS[1:])}")
    if cell not in layouts.catalogue():
        raise ValueError(f"no cell {cell!r} in the catalogue; it has {', '.join(sorted(layouts.catalogue()))}")
    layer = next((layer for layer in layouts.catalogue()[cell] if layer.framework == framework), None)
    if layer is None:
        have = [name for name, layers in layouts.catalogue().items() if any(other.framework == framework for other in layers)]
        raise ValueError(f"{framework} has no layer that computes {cell}; it has {', '.join(sorted(have))}")
    return layer


def _spelt(framework: str, name: str, suffix: str, prefix: str) -> str:
    return prefix + name.removesuffix("_l0") + suffix if framework == "torch" else name


def _is_bias(parts: tuple[str, ...]) -> bool:
    return all(part == ";" or part.removeprefix("+")[0] in "bc" for part in parts)


def _without_biases(layer: FrameworkLayer, arrays: Mapping[str, Array]) -> list[str]:
    return [] if _biased(layer, arrays) else [name for _, parts in layer.weights if _is_bias(parts) for name in named(parts)]


def _biased(layer: FrameworkLayer, arrays: Mapping[str, Array]) -> bool:
    return any(name in arrays for _, parts in layer.weights if _is_bias(parts) for name in named(parts))


def _complete(what: str, arrays: Mapping[str, Any], known: list[str], optional: list[str]) -> None:
    for name in arrays:
        if name not in known:
            raise ValueError(f"{what} {name!r} is unknown; there are {', '.join(known)}")
    for name in known:
        if name not in arrays and name not in optional:
            raise ValueError(f"{what} {name!r} is missing; there are {', '.join(known)}")


def _hidden(cell: str, arrays: Mapping[str, Array]) -> int:
    """The number of units, after a check of every shape."""
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        axes = {"W": ("hidden", "input"), "R": ("hidden", "hidden")}.get(name[0], ("hidden",))
        fits = array.ndim == len(axes) and all(
            sizes.setdefault(axis, n) == n for axis, n in zip(axes, array.shape, strict=True)
        )
        if not fits:
            wanted = ", ".join(f"{axis}={sizes[axis]}" if axis in sizes else axis for axis in axes)
            raise ValueError(f"{cell}: parameter {name!r} has shape {array.shape}; it should be ({wanted})")
    return sizes["hidden"]


def _oriented(framework: str, parts: tuple[str, ...], array: Array) -> Array:
    """Ours -> theirs: Keras's matrices are transposed, ONNX's arrays have a direction axis."""
    if framework == "keras" and len(rows_of(parts)) == 1:
        return array.T
    return array[np.newaxis] if framework == "onnx" else array


def _entered(what: str, framework: str, parts: tuple[str, ...], array: Array, direction: int) -> Array:
    """Theirs -> ours: the inverse of `_oriented`."""
    if framework == "onnx":
        if array.ndim < 2 or not 0 <= direction < array.shape[0]:
            raise ValueError(f"{what} has shape {array.shape}; its first axis should hold direction {direction}")
        return array[direction]  # type: ignore[no-any-return]
    return array.T if framework == "keras" and len(rows_of(parts)) == 1 else array


def _check(what: str, framework: str, parts: tuple[str, ...], array: Array, hidden: int, shape: tuple[int, ...]) -> None:
    rows = rows_of(parts)
    length = len(rows[0]) * hidden
    kind = parts[0].removeprefix("+")[0]
    wanted: tuple[Any, ...] = {"W": (length, "input"), "R": (length, hidden)}.get(kind, (length,))
    wanted = (len(rows), *wanted) if len(rows) > 1 else wanted
    same = len(wanted) == array.ndim and all(isinstance(w, str) or w == n for w, n in zip(wanted, array.shape, strict=True))
    if not same or hidden == 0:
        axes = (
            wanted[::-1]
            if framework == "keras" and len(rows) == 1
            else ("directions", *wanted)
            if framework == "onnx"
            else wanted
        )
        raise ValueError(f"{what} has shape {shape}; it should be ({', '.join(map(str, axes))}) for {hidden} units")
