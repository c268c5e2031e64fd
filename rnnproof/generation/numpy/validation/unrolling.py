"""A module with its loop written out is the module with the loop, step by step."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rnnproof.generation.numpy.validation.symbolic_values import ValidationError
from rnnproof.generation.numpy.validation.validator import Functions


def validate_unrolled(text: str, looped: str, steps: int, cell: str) -> None:
    """Raises ValidationError unless `text` is the valid module `looped` with each loop written out, for `steps` steps."""
    straight, original = Functions(text, cell), Functions(looped, cell)
    if straight.around != original.around or straight.nodes.keys() != original.nodes.keys():
        raise ValidationError(f"cell {cell}: written out, the module is another")
    for name, function in original.nodes.items():
        due = [ast.unparse(statement) for statement in _unrolled(function.body, steps)]
        body = straight.nodes[name].body
        if name == "forward":
            body = [statement for statement in body if ast.unparse(statement) != _refusal(steps)]
            if len(body) != len(straight.nodes[name].body) - 1:
                raise straight.fault(name, None, f"should refuse sequences that have not {steps} steps")
        for expected, statement in zip(due, body, strict=False):
            if ast.unparse(statement) != expected:
                raise straight.fault(name, statement, f"written out for {steps} steps, `{expected}` should stand here")
        if len(due) != len(body):
            raise straight.fault(
                name, None, f"written out for {steps} steps, it should have {len(due)} statements, not {len(body)}"
            )


def _refusal(steps: int) -> str:
    says = f'f"xs has {{steps}} steps; this module is written out for {steps}"'
    return ast.unparse(ast.parse(f"if steps != {steps}:\n    raise ValueError({says})"))


def _unrolled(body: list[ast.stmt], steps: int) -> Iterator[ast.stmt]:
    for statement in body:
        if not isinstance(statement, ast.For):
            yield statement
            continue
        for count in range(steps):
            yield from _taken(statement, count, steps)
            yield from statement.body


def _taken(loop: ast.For, count: int, steps: int) -> Iterator[ast.stmt]:
    """What the loop's names are bound to in its step `count`."""
    sources = loop.iter.args if isinstance(loop.iter, ast.Call) and ast.unparse(loop.iter.func) == "zip" else [loop.iter]
    if ast.unparse(loop.iter) == "range(steps)":
        return
    names = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
    for name, source in zip(names, sources, strict=True):
        text = ast.unparse(source)
        number = steps - 1 - count if text.endswith("[::-1]") else count
        text = text.removesuffix("[::-1]")
        if text.endswith("[1:]"):
            number += 1
        text = text.removesuffix("[1:]").removesuffix("[:-1]")
        yield from ast.parse(f"{ast.unparse(name)} = {text}[{number}]").body
