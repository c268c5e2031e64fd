"""Wrong backward passes made from a right one: every small change of every statement of a generated module's `backward`.

A mutation replaces one node of the syntax tree. What may replace a node is a table by node type; each row is one kind of
mistake people make by hand: a sign, a dropped term or factor, exchanged operands, a transposition left out, a lost carry, an
index off by one, the wrong variable.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rnnproof.errors import UsageError

Shapes = Mapping[str, Mapping[str, tuple[Any, ...]]]


@dataclass(frozen=True)
class Mutant:
    """One planted fault: what was changed, at which line of the module, and the functions as they read then."""

    description: str
    line: int
    tree: ast.Module

    @property
    def source(self) -> str:
        """Text of the backward pass and its helpers with the fault in it."""
        return ast.unparse(self.tree)


@dataclass(frozen=True)
class _Scope:
    """What a replacement may know: the function's variables, and for each its like (same shape and dtype) to mistake it for."""

    alike: Mapping[str, tuple[str, ...]]


Change = tuple[str, ast.AST]
Rule = Callable[[Any, _Scope], Iterator[Change]]


def mutants(source: str, shapes: Shapes | None = None) -> list[Mutant]:
    """Every mutant of the backward pass in a module's text.

    `shapes[function][variable]` are (shape, dtype) seen in a run; variables of one kind are then exchanged. Raises UsageError
    where there is no `backward`, or where a `while` could make a mutant run for ever.
    """
    functions = backward_functions(source)
    tree = ast.Module(functions, [])
    found, seen = [], {ast.dump(tree)}
    parents = list(ast.walk(tree))
    scopes = _scopes(functions, shapes or {})
    for number, (parent, scope) in enumerate(zip(parents, (scopes.get(id(node)) for node in parents), strict=True)):
        if scope is None or _is_door(parent):
            continue
        for name, place, child in _slots(parent):
            for description, replacement in _changes(child, scope):
                changed = copy.deepcopy(tree)
                target = list(ast.walk(changed))[number]
                if place is None:
                    setattr(target, name, replacement)
                else:
                    getattr(target, name)[place] = replacement
                text = ast.dump(changed)
                if text not in seen:
                    seen.add(text)
                    found.append(Mutant(description, child.lineno, ast.fix_missing_locations(changed)))
    return found


def backward_functions(source: str) -> list[ast.stmt]:
    """The function `backward` of a module's text and the functions of the module it calls, in the module's order."""
    defined = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    if "backward" not in defined:
        raise UsageError("the module has no function backward; give the text of a generated module")
    reached, waiting = {"backward"}, ["backward"]
    while waiting:
        function = defined[waiting.pop()]
        for node in ast.walk(function):
            if isinstance(node, ast.While):
                raise UsageError(f"line {node.lineno}: a while loop may never end in a mutant; write it as a for loop")
            if isinstance(node, ast.Name) and node.id in defined and node.id not in reached:
                reached.add(node.id)
                waiting.append(node.id)
    return [defined[name] for name in defined if name in reached]


def _scopes(functions: list[ast.stmt], shapes: Shapes) -> dict[int, _Scope]:
    """The scope of every node inside a function, by identity; signatures, docstrings and annotations are not mutated."""
    scopes = {}
    for function in functions:
        if not isinstance(function, ast.FunctionDef):
            continue
        kinds = shapes.get(function.name, {})
        alike = {
            name: tuple(other for other in kinds if other != name and kinds[other] == kind) for name, kind in kinds.items()
        }
        scopes[id(function)] = _Scope(alike)
        for statement in function.body:
            for node in ast.walk(statement):
                scopes[id(node)] = _Scope(alike)
    return scopes


def _slots(parent: ast.AST) -> Iterator[tuple[str, int | None, Any]]:
    """(field, position in it, child) for every child of a node that may be replaced."""
    for name, value in ast.iter_fields(parent):
        if name in ("args", "returns", "decorator_list", "annotation") and isinstance(parent, ast.FunctionDef | ast.AnnAssign):
            continue
        if isinstance(value, list):
            yield from ((name, place, child) for place, child in enumerate(value) if isinstance(child, ast.expr | ast.stmt))
        elif isinstance(value, ast.expr):
            yield name, None, value


def _is_door(node: ast.AST) -> bool:
    """Whether a node belongs to the checks at the door, which say no to bad arguments and compute nothing."""
    return isinstance(node, ast.Raise | ast.Assert) or (isinstance(node, ast.If) and _raises(node))


def _raises(node: Any) -> bool:
    return isinstance(node, ast.If) and all(isinstance(statement, ast.Raise) for statement in node.body)


def _changes(child: Any, scope: _Scope) -> Iterator[Change]:
    for kind in type(child).__mro__:
        for rule in RULES.get(kind, ()):
            yield from rule(child, scope)


def _show(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]


def _say(before: ast.AST, after: ast.AST) -> Change:
    return f"{_show(before)}  ->  {_show(after)}", after


def _with(node: Any, **fields: Any) -> Any:
    """A copy of a node with some of its fields changed."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _drop_statement(node: Any, scope: _Scope) -> Iterator[Change]:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if not is_text and not _raises(node):
        yield f"dropped: {_show(node)}", ast.Pass()


_WRONG_OPERATORS: dict[type, tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Sub),
    ast.Div: (ast.Mult,),
}


def _wrong_operator(node: Any, scope: _Scope) -> Iterator[Change]:
    for operator in _WRONG_OPERATORS.get(type(node.op), ()):
        yield _say(node, _with(node, op=operator()))


def _lost_operand(node: Any, scope: _Scope) -> Iterator[Change]:
    yield _say(node, node.left)
    yield _say(node, node.right)


def _exchanged(node: Any, scope: _Scope) -> Iterator[Change]:
    if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
        yield _say(node, _with(node, left=node.right, right=node.left))


def _lost_accumulation(node: Any, scope: _Scope) -> Iterator[Change]:
    yield _say(node, ast.Assign([node.target], node.value))


def _lost_sign(node: Any, scope: _Scope) -> Iterator[Change]:
    yield _say(node, node.operand)


_WRONG_FUNCTIONS = {"add": ("subtract",), "subtract": ("add",), "multiply": ("add",), "divide": ("multiply",)}
_NEUTRAL = {"add": 0.0, "subtract": 0.0, "multiply": 1.0, "divide": 1.0}
_ORDERED = ("subtract", "divide", "matmul", "dot")
_SHUFFLES = ("transpose", "swapaxes", "copy", "ascontiguousarray", "flip", "reversed", "negative")


def _called(node: Any) -> str:
    return str(getattr(node.func, "attr", getattr(node.func, "id", "")))


def _wrong_call(node: Any, scope: _Scope) -> Iterator[Change]:
    name = _called(node)
    for other in _WRONG_FUNCTIONS.get(name, ()):
        yield _say(node, _with(node, func=_with(node.func, attr=other)))
    if name in _ORDERED and len(node.args) >= 2:
        yield _say(node, _with(node, args=[node.args[1], node.args[0], *node.args[2:]]))
    if name in _NEUTRAL and len(node.args) >= 2:
        neutral = ast.Constant(_NEUTRAL[name])
        yield _say(node, _with(node, args=[neutral, *node.args[1:]]))
        yield _say(node, _with(node, args=[node.args[0], neutral, *node.args[2:]]))
    if name in _SHUFFLES and node.args:
        yield _say(node, node.args[0])
    if name in _SHUFFLES and isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield _say(node, node.func.value)


def _lost_keyword(node: Any, scope: _Scope) -> Iterator[Change]:
    """`out=` or `axis=` left out: the result goes astray, the sum runs over the wrong axes."""
    for keyword in node.keywords:
        if keyword.arg in ("out", "axis"):
            yield _say(node, _with(node, keywords=[other for other in node.keywords if other is not keyword]))


def _lost_transposition(node: Any, scope: _Scope) -> Iterator[Change]:
    if node.attr == "T":
        yield _say(node, node.value)


def _wrong_direction(node: Any, scope: _Scope) -> Iterator[Change]:
    turned = ast.Call(ast.Name("reversed", ast.Load()), [ast.Call(ast.Name("list", ast.Load()), [node.iter], [])], [])
    yield f"{_show(node)}  in reversed order", _with(node, iter=turned)


def _wrong_index(node: Any, scope: _Scope) -> Iterator[Change]:
    """`[t]` becomes `[t + 1]` and `[t - 1]`; an index in a tuple of indices likewise."""
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for place, item in enumerate(items):
        if isinstance(item, ast.Slice) or (isinstance(item, ast.Constant) and not isinstance(item.value, int)):
            continue
        for operator in (ast.Add(), ast.Sub()):
            moved = ast.BinOp(item, operator, ast.Constant(1))
            whole = [*items[:place], moved, *items[place + 1 :]]
            yield _say(node, _with(node, slice=ast.Tuple(whole, ast.Load()) if len(whole) > 1 else moved))


def _wrong_slice(node: Any, scope: _Scope) -> Iterator[Change]:
    """`[1:]` becomes `[:-1]` and the other way round; any bound moves by one."""
    minus = ast.UnaryOp(ast.USub(), ast.Constant(1))
    if node.lower is not None and node.upper is None:
        yield _say(node, ast.Slice(None, minus, None))
    if node.upper is not None and node.lower is None:
        yield _say(node, ast.Slice(ast.Constant(1), None, None))
    for side in ("lower", "upper"):
        bound = getattr(node, side)
        if bound is not None:
            yield _say(node, _with(node, **{side: ast.BinOp(bound, ast.Add(), ast.Constant(1))}))
    if node.step is not None:
        yield _say(node, _with(node, step=None))


def _wrong_constant(node: Any, scope: _Scope) -> Iterator[Change]:
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        for value in (node.value + 1, node.value - 1, 0 if isinstance(node.value, int) else 0.0):
            yield _say(node, ast.Constant(value))


def _wrong_variable(node: Any, scope: _Scope) -> Iterator[Change]:
    if isinstance(node.ctx, ast.Load):
        for other in scope.alike.get(node.id, ()):
            yield _say(node, ast.Name(other, ast.Load()))


RULES: dict[type, tuple[Rule, ...]] = {
    ast.Assign: (_drop_statement,),
    ast.AnnAssign: (_drop_statement,),
    ast.AugAssign: (_drop_statement, _lost_accumulation, _wrong_operator),
    ast.Expr: (_drop_statement,),
    ast.For: (_drop_statement, _wrong_direction),
    ast.If: (_drop_statement,),
    ast.BinOp: (_wrong_operator, _lost_operand, _exchanged),
    ast.UnaryOp: (_lost_sign,),
    ast.Call: (_wrong_call, _lost_keyword),
    ast.Attribute: (_lost_transposition,),
    ast.Subscript: (_wrong_index,),
    ast.Slice: (_wrong_slice,),
    ast.Constant: (_wrong_constant,),
    ast.Name: (_wrong_variable,),
}
