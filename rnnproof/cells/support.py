"""What every generated module has besides its cell's mathematics: arguments checked, arrays laid out, functions NumPy lacks.

The modules in `rnnproof.cells` import it; `rnnproof generate` writes what a module needs of it into the module itself, which
then needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Shaped = tuple[str, tuple[str, ...], tuple[int, ...]]  # what an array is, its shape by names, its shape


class Packed(NamedTuple):
    """Parameters made ready by `prepare`; opaque."""

    sizes: dict[str, int]
    given: dict[str, Array]
    arrays: dict[str, Array]


class Trace(NamedTuple):
    """What `forward` returns: `states[name]` (T, B, size), and what `backward` needs."""

    states: dict[str, Array]
    packed: Packed
    tape: dict[str, Array]


class Gradients(NamedTuple):
    """What `backward` returns: `params[name]` shaped as in PARAMETERS, `inputs` (T, B, input), `initial[state]`.

    With several inputs `inputs` is a dict of such arrays, without any it is None.
    """

    params: dict[str, Array]
    inputs: Any
    initial: dict[str, Array]


class Signature(NamedTuple):
    """What a module's tables say of its cell; `sizes` are the names of all sizes in them.

    `inputs` is the one input's size, a table of several inputs, or None.
    """

    parameters: Mapping[str, tuple[str, ...]]
    state_sizes: Mapping[str, str]
    read_states: tuple[str, ...]
    inputs: str | Mapping[str, tuple[str, ...]] | None
    constants: Mapping[str, str]
    sizes: frozenset[str]


def _signature(
    parameters: Mapping[str, tuple[str, ...]],
    state_sizes: Mapping[str, str],
    read_states: tuple[str, ...],
    inputs: str | Mapping[str, tuple[str, ...]] | None,
    constants: Mapping[str, str],
) -> Signature:
    totals = [*(total for shape in parameters.values() for total in shape), *state_sizes.values()]
    sizes = frozenset(size for total in totals for size in total.split("+") if not size.isdecimal())
    return Signature(parameters, state_sizes, read_states, inputs, constants, sizes)


def _for_one_step(params: Mapping[str, Any] | Packed, signature: Signature) -> Mapping[str, Any] | Packed:
    """The parameters of a sequence of one step: what has a value for each step is given without that axis."""
    if isinstance(params, Packed):
        return params
    _known(params, signature.parameters, "parameter")
    per_step = {name for name, shape in signature.parameters.items() if shape[:1] == ("steps",)}
    return {name: np.asarray(array)[np.newaxis] if name in per_step else array for name, array in params.items()}


def _checked(params: Mapping[str, Any], signature: Signature) -> tuple[dict[str, Array], dict[str, int]]:
    """The parameters as arrays of one kind, in order, and the sizes that follow from them."""
    _known(params, signature.parameters, "parameter")
    given: dict[str, Array] = {}
    for name, shape in signature.parameters.items():
        if name not in params:
            raise ValueError(f"parameter {name!r} is missing; give an array of shape {_text(shape)}")
        given[name] = _array(params[name], f"parameter {name!r}")
    sizes: dict[str, int] = {}
    _solve(sizes, _shapes(given, signature))
    return given, sizes


def _entered(
    packed: Packed, xs: Any, initial: Mapping[str, Any] | None, signature: Signature
) -> tuple[Any, dict[str, Array], int, int, dict[str, int], np.dtype[Any]]:
    """Inputs and initial states, checked; the number of steps, the batch, all sizes, the common dtype."""
    if packed.given.keys() != signature.parameters.keys():
        raise ValueError(f"params were prepared for another cell; this one has {', '.join(signature.parameters) or 'none'}")
    sizes, given = dict(packed.sizes), dict(initial or {})
    _known(given, signature.state_sizes, "state")
    first = {name: _array(value, f"initial state {name!r}") for name, value in given.items()}
    arrays: list[Shaped] = [
        (f"initial state {name!r}", ("B", signature.state_sizes[name]), value.shape) for name, value in first.items()
    ]
    if signature.inputs is None:
        if isinstance(xs, bool) or not isinstance(xs, (int, np.integer)) or xs < 0:
            raise ValueError(f"xs is {type(xs).__name__}; this cell has no input: give the number of steps, an int")
        if not first or any(name not in first for name in signature.read_states):
            raise ValueError(f"initial is missing; this cell has no input: give a start for each of {signature.read_states}")
        entering: list[tuple[str, tuple[str, ...], Array]] = []
    elif isinstance(signature.inputs, str):
        xs = _array(xs, "xs")
        entering = [("xs", ("T", "B", signature.inputs), xs)]
    else:
        if not isinstance(xs, Mapping):
            raise ValueError(
                f"xs is {type(xs).__name__}; give a dict with an array (T, B, size) for {', '.join(signature.inputs)}"
            )
        _known(xs, signature.inputs, "input")
        for name in signature.inputs:
            if name not in xs:
                raise ValueError(
                    f"input {name!r} is missing; give an array of shape {_text(('T', 'B', *signature.inputs[name]))}"
                )
        xs = {name: _array(xs[name], f"input {name!r}") for name in signature.inputs}
        entering = [(f"input {name!r}", ("T", "B", *shape), xs[name]) for name, shape in signature.inputs.items()]
    if entering:
        sizes.update(zip(("T", "B"), entering[0][2].shape, strict=False))
        arrays[:0] = [(what, names, array.shape) for what, names, array in entering]
    if signature.sizes <= packed.sizes.keys():
        _solve(sizes, arrays)
    else:
        _solve(sizes, [*_shapes(packed.given, signature), *arrays])
        _closed(sizes, signature)
    steps, batch = int(sizes.pop("T", xs)), sizes.pop("B")
    if sizes.setdefault("steps", steps) != steps:
        raise ValueError(f"the parameters have {sizes['steps']} steps, xs has {steps}; give as many of each")
    dtype = np.result_type(*packed.given.values(), *first.values(), *(array for _, _, array in entering))
    if isinstance(xs, dict):
        xs = {name: array.astype(dtype, copy=False) for name, array in xs.items()}
    elif entering:
        xs = xs.astype(dtype, copy=False)
    zero = np.zeros((), dtype)
    return xs, {name: first[name].T if name in first else zero for name in signature.state_sizes}, steps, batch, sizes, dtype


def _seeded(
    trace: Trace, d_states: Mapping[str, Any], signature: Signature
) -> tuple[dict[str, Array], int, int, dict[str, int], np.dtype[Any]]:
    """The gradients that reach the states from outside, as (steps, rows, batch); the sizes and dtype of the trace."""
    if trace.states.keys() != signature.state_sizes.keys():
        raise ValueError(f"the trace is of another cell; this one has the states {', '.join(signature.state_sizes)}")
    _known(d_states, signature.state_sizes, "state")
    first = next(iter(trace.states.values()))
    shape, dtype = first.shape, first.dtype
    seeds = {}
    for name, values in trace.states.items():
        if d_states.get(name) is None:
            seeds[name] = np.broadcast_to(np.zeros((), dtype), values.shape).swapaxes(1, 2)
            continue
        given = _array(d_states[name], f"d_states[{name!r}]")
        if given.shape != values.shape:
            wanted = f"(T, B, {signature.state_sizes[name]}) = {values.shape}"
            raise ValueError(f"d_states[{name!r}] has shape {given.shape}; it should be {wanted}")
        seeds[name] = given.astype(dtype, copy=False).swapaxes(1, 2)
    return seeds, shape[0], shape[1], trace.packed.sizes, dtype


def _constants(
    constants: Mapping[str, Any], steps: int, batch: int, sizes: dict[str, int], dtype: np.dtype[Any], signature: Signature
) -> dict[str, Array]:
    """What is given beside the inputs, checked, as (steps, rows, batch); repeats along an axis cost no memory."""
    _known(constants, signature.constants, "constant")
    given = {}
    for name, size in signature.constants.items():
        if name not in constants:
            raise ValueError(f"constant {name!r} is missing; give an array of shape (T, B, {size})")
        value = _array(constants[name], f"constant {name!r}").astype(dtype, copy=False)
        if size not in sizes and "+" not in size and value.ndim:
            sizes[size] = value.shape[-1]
        wanted = (steps, batch, _length(sizes, size))
        if value.ndim > 3 or any(have not in (1, want) for have, want in zip(value.shape[::-1], wanted[::-1], strict=False)):
            raise ValueError(f"constant {name!r} has shape {value.shape}; it should broadcast to (T, B, {size}) = {wanted}")
        given[name] = np.broadcast_to(value, wanted).swapaxes(1, 2)
    return given


def _shapes(given: Mapping[str, Array], signature: Signature) -> list[Shaped]:
    return [(f"parameter {name!r}", shape, given[name].shape) for name, shape in signature.parameters.items()]


def _solve(sizes: dict[str, int], arrays: list[Shaped]) -> None:
    """Add the sizes that follow from the arrays' shapes: an axis tells the one open size in it, alone before in a sum."""
    for what, names, shape in arrays:
        if len(shape) != len(names):
            raise ValueError(f"{what} has shape {shape}; it should be {_text(names)}")
    axes = [axis for _, names, shape in arrays for axis in zip(names, shape, strict=True) if axis[0] not in sizes]
    axes.sort(key=lambda axis: axis[0].count("+"))
    more = True
    while more:
        more = False
        for total, length in axes:
            parts = total.split("+")
            unknown = [size for size in parts if size not in sizes and not size.isdecimal()]
            rest = length - sum(_length(sizes, size) for size in parts if size not in unknown)
            if len(set(unknown)) == 1 and rest >= 0 and rest % len(unknown) == 0:
                sizes[unknown[0]] = rest // len(unknown)
                more = True
    for what, names, shape in arrays:
        if any(length != sizes.get(total) for total, length in zip(names, shape, strict=True)):
            _agree(sizes, what, names, shape)


def _agree(sizes: dict[str, int], what: str, names: tuple[str, ...], shape: tuple[int, ...]) -> None:
    """Raises ValueError where the shape is not of the sizes; sums of sizes are open as long as one of them is."""
    due = tuple(str(_length(sizes, total)) if _is_known(sizes, total) else total for total in names)
    if any(_is_known(sizes, total) and _length(sizes, total) != length for total, length in zip(names, shape, strict=True)):
        raise ValueError(f"{what} has shape {shape}; it should be {_text(names)} = {_text(due)}")


def _closed(sizes: dict[str, int], signature: Signature) -> None:
    """Raises ValueError for a size that no array shows."""
    for total in (*(size for shape in signature.parameters.values() for size in shape), *signature.state_sizes.values()):
        if not _is_known(sizes, total):
            unknown = next(size for size in total.split("+") if not _is_known(sizes, size))
            states = (name for name, rows in signature.state_sizes.items() if unknown in rows.split("+"))
            state = next((f"initial state {name!r}" for name in states), "it")
            raise ValueError(f"the size {unknown!r} is open: neither the parameters nor xs nor initial show it; give {state}")


def _is_known(sizes: dict[str, int], total: str) -> bool:
    return all(size in sizes or size.isdecimal() for size in total.split("+"))


def _length(sizes: dict[str, int], size: str) -> int:
    """The length that "hidden" or "hidden+input" stands for."""
    return sum(int(part) if part.isdecimal() else sizes[part] for part in size.split("+"))


def _known(given: Mapping[str, Any], names: Mapping[str, Any], what: str) -> None:
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"unknown {what} {unknown[0]!r}; this cell has {', '.join(names) or 'none'}")


def _array(value: Any, what: str) -> Array:
    """A copy, so that nothing that is kept or returned changes with the caller's array."""
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{what} is a masked array, and masks are not read; give its .data, or .filled(...)")
    array = np.array(value)
    if array.dtype.kind in "biu":
        array = array.astype(float)
    if array.dtype.kind not in "fc":
        raise ValueError(f"{what} holds {array.dtype}; it should hold real or complex numbers")
    return array


def _text(shape: tuple[str, ...]) -> str:
    return f"({', '.join(shape)}{',' if len(shape) == 1 else ''})"


def _arrays(dtype: np.dtype[Any], *shapes: tuple[int, ...]) -> list[Array]:
    """Empty arrays in one piece of memory, which the operating system can hand over in large pages."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = np.split(np.empty(sum(sizes), dtype), np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _rows(a: Array) -> Array:
    """(steps, rows, batch) -> (rows, steps * batch): a product then sums over all steps and sequences at once."""
    return a.swapaxes(0, 1).reshape(a.shape[1], a.shape[0] * a.shape[2])


def _sequence(a: Array, steps: int, batch: int) -> Array:
    """(rows, steps * batch) -> (steps, rows, batch)."""
    return a.reshape(a.shape[0], steps, batch).swapaxes(0, 1)


def _columns(a: Array) -> Array:
    """(steps, rows, batch) -> (steps * batch, rows)."""
    return a.swapaxes(1, 2).reshape(a.shape[0] * a.shape[2], a.shape[1])


def _total(a: Array) -> Array:
    """(steps, rows, batch) -> (rows, 1), summed over the steps and the batch."""
    total: Array = a.sum(axis=(0, 2))
    return total[:, np.newaxis]


def _erf(x: Array) -> Array:
    """The error function by 40-point Gauss-Legendre quadrature of its integral; NumPy has none."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    far = np.abs(np.real(x)) >= 6.0  # there erf is +-1 to the last digit
    inner = np.where(far, 0.0, x)
    result = np.zeros_like(x)
    for node, weight in zip((nodes + 1) / 2, weights / np.sqrt(np.pi), strict=True):
        result += float(weight) * np.exp(-np.square(float(node) * inner))
    return np.where(far, np.sign(np.real(x)), result * inner).astype(x.dtype)


def _sigmoid(x: Array, out: Array | None = None) -> Array:
    """1 / (1 + exp(-x)), to the last digits in both tails; `out` may be x itself."""
    y: Array = np.negative(x, out=np.empty_like(x) if out is None else out)
    if np.iscomplexobj(y):
        np.minimum(y, 709.0, out=y)  # 1 / (inf + inf j) is no number
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1.0
    np.divide(1.0, y, out=y)
    return y


_NORMAL_SERIES = (
    "9.402725045264776478e-1 -1.2421767937524186286e-1 -3.672280219826597426e-2 2.309294385773895424e-2 "
    "-4.74048598622102256e-3 7.563892563624215e-5 1.3791523067121488e-4 -8.90306865275583e-6 "
    "-5.07357938448231e-6 2.7949300721942e-7 2.3327755527988e-7 1.67012658025e-9 -1.132966735631e-8 "
    "-1.22311056373e-9 4.6957786987e-10 1.3078104422e-10 -8.38848271e-12 -9.25579102e-12 -1.0610021e-12 "
    "4.0289004e-13 1.485507e-13 2.9024e-15 -9.76008e-15 -2.39149e-15 1.5775e-16 2.1692e-16 4.213e-17 "
    "-6.02e-18 -4.94e-18 -8.6e-19 1.6e-19"
).split()


def _normal(x: Array) -> Array:
    """1 + erf(x / sqrt(2)), twice the normal distribution function, to the last digit in both tails.

    For u = |x| a Chebyshev series of (1 + u) exp(u^2 / 2) erfc(u / sqrt(2)) in (u - 3) / (u + 3), in extended precision where
    the machine has it; u^2 / 2 in two parts, so that its rounding is not blown up by the exponential.
    """
    wide = x.astype(np.result_type(x, np.longdouble))
    below = np.real(wide) < 0
    u = np.where(np.abs(np.real(wide)) > 40, 40, np.where(below, -wide, wide))
    t, first, second = (u - 3) / (u + 3), np.zeros_like(u), np.zeros_like(u)
    head, *series = (np.longdouble(number) for number in _NORMAL_SERIES)
    for number in reversed(series):
        first, second = 2 * t * first - second + number, first
    near = np.round(np.real(u) * 16) / 16
    tail = (t * first - second + head) / (1 + u) * np.exp(-near * near / 2) * np.exp(-(u - near) * (u + near) / 2)
    return np.where(below, tail, 2 - tail).astype(x.dtype)
