"""What a module says of names, shapes and sizes is what its Programs have."""

from __future__ import annotations

import ast
from typing import Any

from rnnproof.calculus.program import Port, Program, Role
from rnnproof.generation.numpy.validation.symbolic_values import Terms, ValidationError


def check_tables(head: str, forward: Program, terms: Terms) -> None:
    """Raises ValidationError unless PARAMETERS, STATES and so on, in the text ahead of the functions, are the Program's."""
    written = _written(head)
    for name, due in _due(forward, terms).items():
        table = written.get(name)
        if name not in ("STATES", "READ_STATES"):
            table = (
                {key: _rows(sizes, terms) for key, sizes in table.items()} if isinstance(table, dict) else _rows(table, terms)
            )
        if table != due:
            raise ValidationError(f"cell {forward.name}: {name}, as generated, is not that of the cell")


def _due(forward: Program, terms: Terms) -> dict[str, Any]:
    def shape(port: Port) -> tuple[Any, ...]:
        steps = ("steps",) if port.role is Role.PARAMETER and port.var.per_step else ()
        return (*steps, *(terms.extents.of(size) for size in port.var.shape))

    def rows(port: Port) -> tuple[Any, ...]:
        return shape(port)[:1] or (1,)

    new, old = forward.ports(Role.NEW, out=True), {port.key for port in forward.ports(Role.OLD)}
    constants, inputs = forward.ports(Role.CONSTANT), forward.ports(Role.INPUT)
    return {
        "PARAMETERS": {port.key: shape(port) for port in forward.ports(Role.PARAMETER)},
        "STATES": tuple(port.key for port in new),
        "STATE_SIZES": {port.key: rows(port) for port in new},
        "READ_STATES": tuple(port.key for port in new if port.key in old),
        "INPUT": rows(inputs[0]) if len(inputs) == 1 else None,
        **({"INPUTS": {port.key: rows(port) for port in inputs}} if len(inputs) > 1 else {}),
        **({"CONSTANTS": {port.key: rows(port) for port in constants}} if constants else {}),
    }


def _written(head: str) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for node in ast.parse(head[head.index("\nPARAMETERS:") :]).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                tables[name] = ast.literal_eval(value)
    return tables


def _rows(sizes: Any, terms: Terms) -> Any:
    """("hidden", "hidden+input") or "hidden" as numbers of rows; () and None as they are."""
    if not sizes:
        return sizes
    return tuple(size if size == "steps" else _sum(size, terms) for size in ((sizes,) if isinstance(sizes, str) else sizes))


def _sum(total: str, terms: Terms) -> int:
    return sum(int(size) if size.isdecimal() else terms.extents.named(size) for size in total.split("+"))
