"""Faults for the text of a generated module: each is one small change to the statements of prepare, forward or backward.

`python -m tests.generation.planting` plants them in every cell of the catalogue and the zoo, runs what comes out and asks the
validation for its word: a fault that changes a number and is not refused is one too many.
"""

from __future__ import annotations

import ast
import copy
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from tabulate import tabulate

from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.generation.build import load_text
from rnnproof.generation.module import Module, without_signs
from rnnproof.generation.validation import ValidationError, validate
from tests.generation.cells import CELLS
from tests.generation.problems import SHAPES, problem

FUNCTIONS = ("prepare", "forward", "backward")
SHARED = (
    "np",
    "steps",
    "batch",
    "dtype",
    "sizes",
    "packed",
    "tape",
    "seeds",
    "first",
    "fixed",
    "given",
    "trace",
    "range",
    "zip",
)


@dataclass(frozen=True)
class Fault:
    """A kind, what was done, and the text of the module with it."""

    kind: str
    what: str
    text: str


def faults(text: str) -> Iterator[Fault]:
    """Every fault of every kind that the module has a place for."""
    tree = ast.parse(text)
    for name in FUNCTIONS:
        function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
        for kind, plant in KINDS.items():
            for what, changed in plant(function):
                yield Fault(kind, f"{name}: {what}", _with(text, function, changed))


def _with(text: str, function: ast.FunctionDef, changed: ast.FunctionDef) -> str:
    lines = text.split("\n")
    assert function.end_lineno is not None
    return "\n".join([*lines[: function.lineno - 1], *ast.unparse(changed).split("\n"), *lines[function.end_lineno :]])


def _bodies(function: ast.FunctionDef) -> list[list[int]]:
    """The paths of the lists of statements: the function's own, and that of each loop in it."""
    return [[], *([number] for number, node in enumerate(function.body) if isinstance(node, ast.For))]


def _body(function: ast.FunctionDef, path: list[int]) -> list[ast.stmt]:
    loop = function.body[path[0]] if path else function
    assert isinstance(loop, (ast.For, ast.FunctionDef))
    return loop.body


def _sites(function: ast.FunctionDef) -> Iterator[tuple[list[int], int, ast.stmt]]:
    for path in _bodies(function):
        for number, statement in enumerate(_body(function, path)):
            yield path, number, statement


def _written(statement: ast.stmt) -> ast.Name | None:
    """The name whose array a statement writes into."""
    match statement:
        case ast.AugAssign(target=ast.Name() as name):
            return name
        case ast.Assign(targets=[ast.Subscript(value=ast.Name() as name)]):
            return name
        case ast.Expr(value=ast.Call(keywords=[*_, ast.keyword(arg="out", value=ast.Name() as name)])):
            return name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="fill"))):
            return name
    return None


def _drop(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, number, statement in _sites(function):
        if _written(statement) is not None:
            changed = copy.deepcopy(function)
            del _body(changed, path)[number]
            if path and not _body(changed, path):
                continue
            yield f"without `{ast.unparse(statement)}`", changed


def _uncopied(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, number, statement in _sites(function):
        match statement:
            case ast.Assign(value=ast.Call(func=ast.Attribute(value=original, attr="copy"))):
                changed = copy.deepcopy(function)
                assigned = _body(changed, path)[number]
                assert isinstance(assigned, ast.Assign)
                assigned.value = original
                yield f"`{ast.unparse(statement)}` as a view", changed


def _retargeted(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Each write goes into each array that another statement there writes."""
    for path in _bodies(function):
        targets = [_written(statement) for statement in _body(function, path)]
        names = dict.fromkeys(target.id for target in targets if target is not None)
        for number, target in enumerate(targets):
            for other in names:
                if target is not None and other != target.id:
                    changed = copy.deepcopy(function)
                    name = _written(_body(changed, path)[number])
                    assert name is not None
                    name.id = other
                    yield f"`{ast.unparse(_body(function, path)[number])}` into {other}", changed


def _reordered(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in _bodies(function):
        body = _body(function, path)
        for number in range(1 if not path else 0, len(body) - 1):
            if isinstance(body[number + 1], ast.Return) or isinstance(body[number], ast.Expr) and number == 0:
                continue
            changed = copy.deepcopy(function)
            here = _body(changed, path)
            here[number], here[number + 1] = here[number + 1], here[number]
            yield f"`{ast.unparse(body[number])[:60]}` after the next", changed


def _swapped_views(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """What two neighbouring views, entries of a table, or arrays that the loop runs over, are taken of."""
    views = [number for number, node in enumerate(function.body) if _is_view(node)]
    for first, second in zip(views, views[1:], strict=False):
        changed = copy.deepcopy(function)
        one, two = changed.body[first], changed.body[second]
        assert isinstance(one, ast.Assign) and isinstance(two, ast.Assign)
        one.value, two.value = two.value, one.value
        yield f"`{ast.unparse(function.body[first])}` and the next view", changed
    for number, node in enumerate(function.body):
        count = len(_entries(node))
        for first in range(count - 1):
            changed = copy.deepcopy(function)
            entries = _entries(changed.body[number])
            entries[first], entries[first + 1] = entries[first + 1], entries[first]
            yield f"entries {first} and {first + 1} of `{ast.unparse(node)[:40]}`", changed


def _is_view(node: ast.stmt) -> bool:
    match node:
        case ast.Assign(targets=[ast.Name()], value=ast.Subscript() | ast.Name()):
            return True
        case ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Attribute(attr="swapaxes"))):
            return True
    return False


def _entries(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.For(iter=ast.Call(args=args)) if len(args) > 1:
            return args
        case ast.Assign(value=ast.Dict(values=values)):
            return values
    return []


def _operands(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Each name that is read becomes the one that was read before it."""
    for path, number, statement in _sites(function):
        if isinstance(statement, (ast.For, ast.Return, ast.If)):
            continue
        names = [node for node in ast.walk(statement) if _is_array(node)]
        others = [
            node.id for _, _, s in _sites(function) for node in ast.walk(s) if isinstance(node, ast.Name) and _is_array(node)
        ]
        for at, name in enumerate(names):
            assert isinstance(name, ast.Name)
            other = next((o for o in others[number:] if o != name.id), None)
            if other is None:
                continue
            changed = copy.deepcopy(function)
            node = [node for node in ast.walk(_body(changed, path)[number]) if _is_array(node)][at]
            assert isinstance(node, ast.Name)
            node.id = other
            yield f"`{ast.unparse(statement)[:80]}` reads {other} for {name.id}", changed


def _is_array(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in SHARED and node.id[:1] != "_"


def _carries(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """What comes back to a state starts from other than zero, or is not handed on."""
    for number, statement in enumerate(function.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="zeros"))):
                changed = copy.deepcopy(function)
                assigned = changed.body[number]
                assert isinstance(assigned, ast.Assign)
                assigned.value = ast.BinOp(assigned.value, ast.Add(), ast.Constant(1.0))
                yield f"{name} starts from one", changed
                changed = copy.deepcopy(function)
                alias = ast.parse(f"{name} = {name}.copy()").body[0]
                loop = next((at for at, node in enumerate(changed.body) if isinstance(node, ast.For)), None)
                if loop is not None:
                    changed.body.insert(loop, alias)
                    yield f"{name} is another array than the loop's", changed


KINDS: dict[str, Callable[[ast.FunctionDef], Iterator[tuple[str, ast.FunctionDef]]]] = {
    "a statement dropped": _drop,
    "a copy dropped": _uncopied,
    "another array written": _retargeted,
    "statements reordered": _reordered,
    "views swapped": _swapped_views,
    "another array read": _operands,
    "a carry forgotten": _carries,
}


@dataclass(frozen=True)
class Outcome:
    """A planted fault: whether it changes a number (an exception is a change too), and the validation's refusal, or ""."""

    cell: str
    fault: Fault
    changes: bool
    refusal: str


def every_cell() -> Iterator[Cell]:
    """The catalogue's cells and the zoo's, without those that leave a function open."""
    makers = [lambda name=name: catalogue.load(name) for name in catalogue.names()]
    yield from (cell for cell in (make() for make in (*makers, *CELLS.values())) if not cell.open_functions)


def plant(cell: Cell, each: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """So many faults of each kind, or all there are."""
    module = Module(cell)
    text = without_signs(module.signed())
    right = numbers(text)
    kinds: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults(text):
        kinds[fault.kind].append(fault)
    for planted in kinds.values():
        for number in rng.permutation(len(planted))[:each]:
            fault = planted[number]
            try:
                validate(fault.text, module.forward.program, module.backward.program)
                refusal = ""
            except ValidationError as error:
                refusal = str(error)
            yield Outcome(cell.name, fault, _changes(right, fault.text), refusal)


def _changes(right: list[Any], text: str) -> bool:
    """Whether a number is another: far above rounding, far below what a wrong value makes of random numbers."""
    try:
        found = numbers(text)
    except Exception:  # whatever a planted fault raises, it is no answer
        return True
    pairs = zip(right, found, strict=True)
    return any(a.shape != b.shape or not np.allclose(a, b, rtol=1e-9, atol=1e-11) for a, b in pairs)


def numbers(text: str) -> list[Any]:
    """All that a module answers: states, gradients, those of a second backward, and the arguments and states afterwards."""
    module = load_text("planted", text)
    params, xs, initial, seeds = problem(module, SHAPES[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = module.forward(params, xs, initial)
        states = {name: np.copy(value) for name, value in trace.states.items()}
        first, second = (_copied(module.backward(trace, seeds)) for _ in range(2))
    arguments = (*params.values(), *initial.values(), *seeds.values(), xs, *trace.states.values())
    return [*states.values(), *first, *second, *map(np.asarray, arguments)]


def _copied(gradients: Any) -> list[Any]:
    inputs = [] if gradients.inputs is None else [gradients.inputs]
    return [np.copy(value) for value in (*gradients.params.values(), *gradients.initial.values(), *inputs)]


def table(outcomes: Iterable[Outcome]) -> str:
    """Counts for each kind."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        change = "changed" if outcome.changes else "harmless"
        counts[outcome.fault.kind][f"{change}, {'refused' if outcome.refusal else 'accepted'}"] += 1
    columns = [f"{change}, {word}" for change in ("changed", "harmless") for word in ("refused", "accepted")]
    rows = [[kind, sum(count.values()), *(count[column] for column in columns)] for kind, count in counts.items()]
    rows.append(["all", *(sum(row[column] for row in rows) for column in range(1, len(columns) + 2))])
    return tabulate(rows, ["fault", "planted", *columns])


@click.command()
@click.option("--each", default=12, show_default=True, help="Faults of each kind in each cell.")
@click.option("--seed", default=0, show_default=True)
def main(each: int, seed: int) -> None:
    """Plant faults in generated modules and count those that the validation refuses."""
    rng = np.random.default_rng(seed)
    with click.progressbar(list(every_cell()), label="cells") as cells:
        outcomes = [outcome for cell in cells for outcome in plant(cell, each, rng)]
    click.echo(table(outcomes))
    missed = [outcome for outcome in outcomes if outcome.changes and not outcome.refusal]
    for outcome in missed:
        click.echo(f"{outcome.cell}: {outcome.fault.kind}: {outcome.fault.what}")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
