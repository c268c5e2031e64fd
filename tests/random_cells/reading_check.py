"""Whether what was read back is what was meant: states, input, parameters, and lengths for the sizes the reader names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.random_cells.random_tree import Recipe, Symbol, length


class Misread(Exception):
    """The reading is not what was meant."""


def check_reading(cell: Any, recipe: Recipe, names: Mapping[Symbol, str], sizes: Mapping[str, int], ordered: bool) -> None:
    """Raise Misread unless roles, kinds and sizes agree; `cell` is the Cell that was read, its functions bound.

    Where the equations were printed in their order of evaluation, the last state is the output.
    """
    told = {names[s]: s for s in recipe.symbols("state", "output")}
    _same("states", {state.name for state in cell.states}, set(told))
    _same("states read", {s.name for s in cell.states if s.old is not None}, {names[s] for s in recipe.symbols("state")})
    _same("inputs", [symbol.name for symbol in cell.inputs], [names[s] for s in recipe.symbols("input")])
    parameters = {names[s]: s for s in recipe.symbols("parameter")}
    _same("parameters", {parameter.name for parameter in cell.parameters}, set(parameters))
    per_step = {names[symbol] for symbol in recipe.per_step}
    _same("per step", {parameter.name for parameter in cell.parameters if parameter.per_step}, per_step)
    if ordered:
        _same("output", cell.states[0].name, names[_last(recipe)])
    pairs = [(p.symbol, parameters[p.name]) for p in cell.parameters] + [(s.new, told[s.name]) for s in cell.states]
    pairs += [(symbol, recipe.symbols("input")[0]) for symbol in cell.inputs]
    _check_sizes(pairs, sizes)


def _last(recipe: Recipe) -> Symbol:
    """The state or output that is computed last."""
    return [symbol for symbol, _ in recipe.equations if symbol.role in ("state", "output")][-1]


def _same(what: str, found: Any, meant: Any) -> None:
    if found != meant:
        raise Misread(f"{what}: read {_shown(found)}, meant {_shown(meant)}")


def _shown(value: Any) -> str:
    return ", ".join(sorted(value)) or "none" if isinstance(value, set | list) else str(value)


def _check_sizes(pairs: list[tuple[Any, Symbol]], sizes: Mapping[str, int]) -> None:
    """Every size that the reader names has one length, whoever has it."""
    meets: list[tuple[Any, int, str]] = []
    for read, meant in pairs:
        shape = tuple(getattr(read, "shape", ()))
        shape = shape[:1] if len(shape) == 2 and shape[1] == 1 else shape
        if len(shape) != len(meant.dims):
            raise Misread(f"{read} has {len(shape)} dimensions, meant {len(meant.dims)}")
        meets += [(size, length(dim, sizes), str(read)) for size, dim in zip(shape, meant.dims, strict=True)]
    lengths: dict[Any, int] = {}
    for _ in range(2):  # single sizes first, then what sums leave open
        for size, meant_length, _name in meets:
            unknown = [part for part in size.free_symbols if part not in lengths]
            if len(unknown) == 1 and (size.is_Symbol or lengths):
                rest = size.subs(lengths)
                times = rest.coeff(unknown[0])
                lengths[unknown[0]] = int((meant_length - rest.subs(unknown[0], 0)) / times)
    for size, meant_length, name in meets:
        found = size.subs(lengths)
        if found.is_number and int(found) != meant_length:
            raise Misread(f"{name}: the size {size} is {found}, meant {meant_length}")
