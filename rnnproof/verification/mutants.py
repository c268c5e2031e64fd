"""Wrong backward passes made from a right one: every small change of every statement of a generated module's `backward`.

A mutation replaces one node of the syntax tree. What may replace a node is a table by node type; each row is one kind of
mistake people make by hand: a sign, a dropped term or factor, exchanged operands, a transposition left out, a lost carry, an
index off by one, the wrong variable.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

from rnnproof.errors import UsageError

Shapes = Mapping[str, Mapping[str, tuple[Any, ...]]]


@dataclass(frozen=True)
class Mutant:
    """One planted fault: what was changed and at which line of the module; the fault is in the tree only while `planted`."""

    description: str
    line: int
    tree: ast.Module
    parent: ast.AST
    field: str
    place: int | None
    replacement: ast.AST

    @contextmanager
    def planted(self) -> Iterator[ast.Module]:
        """The tree of the backward pass and its helpers with the fault in it; every mutant shares one tree."""
        siblings = getattr(self.parent, self.field)
        changed = self.replacement if self.place is None else _replaced(siblings, self.place, self.replacement)
        setattr(self.parent, self.field, changed)
        try:
            yield self.tree
        finally:
            setattr(self.parent, self.field, siblings)

    @property
    def source(self) -> str:
        """Text of the backward pass and its helpers with the fault in it."""
        with self.planted() as tree:
            return ast.unparse(tree)

    @property
    def code(self) -> CodeType:
        """The same, compiled."""
        with self.planted() as tree:
            return compile(tree, "<mutant>", "exec")


def _replaced(items: list[Any], place: int, item: Any) -> list[Any]:
    return [*items[:place], item, *items[place + 1 :]]


@dataclass(frozen=True)
class _Scope:
    """What a replacement may know: the function's variables, and for each its like (same shape and dtype) to mistake it for."""

    alike: Mapping[str, tuple[str, ...]]


Change = tuple[str, ast.AST]
Rule = Callable[[Any, _Scope], Iterator[Change]]


def mutants(source: str, shapes: Shapes | None = None) -> list[Mutant]:
    """Every mutant of the backward pass in a module's text.

    `shapes[function][variable]` are (shape, dtype, memory) seen in a run; variables of one kind are then exchanged. Raises
    UsageError where there is no `backward`, or where a `while` could make a mutant run for ever.
    """
    functions = backward_functions(source)
    tree = ast.Module(functions, [])
    scopes = _scopes(functions, shapes or {})
    mutations, seen = [], set()
    for parent in ast.walk(tree):
        if id(parent) not in scopes:
            continue
        for name, place, child in _slots(parent):
            for description, replacement in _changes(child, scopes[id(parent)]):
                key = (id(child), ast.dump(replacement))
                if id(child) in scopes and key not in seen:
                    seen.add(key)
                    new = ast.fix_missing_locations(ast.copy_location(replacement, child))
                    mutations.append(Mutant(description, child.lineno, tree, parent, name, place, new))
    return mutations


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
    """The scope of every node to mutate, by identity: function bodies without the checks of arguments."""
    scopes = {}
    for function in functions:
        if isinstance(function, ast.FunctionDef):
            kinds = shapes.get(function.name, {})
            scope = _Scope({name: tuple(_mistakable(name, kinds)) for name in kinds})
            scopes.update({id(node): scope for node in [function, *_inside(function.body)]})
    return scopes


def _mistakable(name: str, kinds: Mapping[str, tuple[Any, ...]]) -> Iterator[str]:
    """Other variables of the same shape and dtype; another name of the same memory is no mistake."""
    *kind, memory = kinds[name]
    for other, (*like, place) in kinds.items():
        if like == kind and place != memory:
            yield other


def _inside(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """Every node below these statements but those of the checks of arguments, which say no to bad arguments."""
    for statement in statements:
        waiting: list[ast.AST] = [statement]
        while waiting:
            node = waiting.pop()
            if not _is_door(node):
                yield node
                waiting.extend(ast.iter_child_nodes(node))


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
    says_no = isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Raise)
    return says_no or isinstance(node, ast.Raise | ast.Assert)


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
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _drop_statement(node: Any, scope: _Scope) -> Iterator[Change]:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if not is_text:
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
    yield _say(node, ast.Assign([node.target], node.value, lineno=node.lineno))


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
    """`[t]` becomes `[t + 1]` and `[t - 1]`, also within a tuple of indices; constants have a rule of their own."""
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for place, item in enumerate(items):
        if isinstance(item, ast.Slice | ast.Constant):
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
        for value in dict.fromkeys((node.value + 1, node.value - 1, type(node.value)(0))):
            if value != node.value:
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
