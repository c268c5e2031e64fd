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
from rnnproof.generation.numpy.module import print_module
from rnnproof.generation.numpy.validation import ValidationError, validate
from rnnproof.generation.pipeline import pipeline
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


Change = Callable[[ast.FunctionDef], None]  # made in a copy of the function
Planned = Iterator[tuple[str, Change]]


@dataclass(frozen=True)
class Fault:
    """A kind, what is done, and the change to one function of the module."""

    kind: str
    what: str
    function: ast.FunctionDef
    change: Change

    def planted(self, text: str) -> str:
        """The text of the module with the fault."""
        changed = copy.deepcopy(self.function)
        self.change(changed)
        lines, end = text.split("\n"), self.function.end_lineno
        assert end is not None
        return "\n".join([*lines[: self.function.lineno - 1], *ast.unparse(changed).split("\n"), *lines[end:]])


def faults(text: str) -> Iterator[Fault]:
    """Every fault of every kind that the module has a place for."""
    tree = ast.parse(text)
    for name in FUNCTIONS:
        function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
        for kind, plan in KINDS.items():
            for what, change in plan(function):
                yield Fault(kind, f"{name}: {what}", function, change)


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


def _drop(function: ast.FunctionDef) -> Planned:
    for path, number, statement in _sites(function):
        if _written(statement) is not None and (not path or len(_body(function, path)) > 1):
            yield f"without `{ast.unparse(statement)}`", lambda f, p=path, n=number: _body(f, p).pop(n)


def _uncopied(function: ast.FunctionDef) -> Planned:
    for path, number, statement in _sites(function):
        match statement:
            case ast.Assign(value=ast.Call(func=ast.Attribute(value=original, attr="copy"))):
                change = lambda f, p=path, n=number, o=original: setattr(_body(f, p)[n], "value", o)  # noqa: E731
                yield f"`{ast.unparse(statement)}` as a view", change


def _retargeted(function: ast.FunctionDef) -> Planned:
    """Each write goes into each array that another statement there writes."""
    for path in _bodies(function):
        targets = [_written(statement) for statement in _body(function, path)]
        names = dict.fromkeys(target.id for target in targets if target is not None)
        for number, target in enumerate(targets):
            for other in names:
                if target is not None and other != target.id:
                    change = lambda f, p=path, n=number, o=other: setattr(_written(_body(f, p)[n]), "id", o)  # noqa: E731
                    yield f"`{ast.unparse(_body(function, path)[number])}` into {other}", change


def _reordered(function: ast.FunctionDef) -> Planned:
    for path in _bodies(function):
        body = _body(function, path)
        for number in range(1 if not path else 0, len(body) - 1):
            if not isinstance(body[number + 1], ast.Return):
                change = lambda f, p=path, n=number: _exchange(_body(f, p), n, n + 1)  # noqa: E731
                yield f"`{ast.unparse(body[number])[:60]}` after the next", change


def _exchange(items: list[Any], first: int, second: int) -> None:
    items[first], items[second] = items[second], items[first]


def _swapped_views(function: ast.FunctionDef) -> Planned:
    """What two neighbouring views, entries of a table, or arrays that the loop runs over, are taken of."""
    views = [number for number, node in enumerate(function.body) if _is_view(node)]
    for first, second in zip(views, views[1:], strict=False):
        change = lambda f, a=first, b=second: _exchange_values(f.body[a], f.body[b])  # noqa: E731
        yield f"`{ast.unparse(function.body[first])}` and the next view", change
    for number, node in enumerate(function.body):
        for first in range(len(_entries(node)) - 1):
            change = lambda f, n=number, a=first: _exchange(_entries(f.body[n]), a, a + 1)  # noqa: E731
            yield f"entries {first} and {first + 1} of `{ast.unparse(node)[:40]}`", change


def _exchange_values(first: Any, second: Any) -> None:
    first.value, second.value = second.value, first.value


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


def _operands(function: ast.FunctionDef) -> Planned:
    """Each name that is read becomes one that is read near it."""
    everywhere = [
        node.id for _, _, s in _sites(function) for node in ast.walk(s) if isinstance(node, ast.Name) and _is_array(node)
    ]
    for path, number, statement in _sites(function):
        if isinstance(statement, (ast.For, ast.Return, ast.If)):
            continue
        for at, name in enumerate(_arrays_read(statement)):
            other = next((other for other in everywhere[number:] if other != name.id), None)
            if other is not None:
                change = lambda f, p=path, n=number, a=at, o=other: setattr(_arrays_read(_body(f, p)[n])[a], "id", o)  # noqa: E731
                yield f"`{ast.unparse(statement)[:80]}` reads {other} for {name.id}", change


def _arrays_read(statement: ast.stmt) -> list[ast.Name]:
    return [node for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_array(node)]


def _is_array(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in SHARED and node.id[:1] != "_"


def _carries(function: ast.FunctionDef) -> Planned:
    """What comes back to a state starts from other than zero, or is not handed on."""
    loop = next((at for at, node in enumerate(function.body) if isinstance(node, ast.For)), None)
    for number, statement in enumerate(function.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="zeros")) as zeros):
                ones = ast.BinOp(zeros, ast.Add(), ast.Constant(1.0))
                yield f"{name} starts from one", lambda f, n=number, o=ones: setattr(f.body[n], "value", o)
                if loop is not None:
                    another = ast.parse(f"{name} = {name}.copy()").body[0]
                    yield f"{name} is another array than the loop's", lambda f, o=another: f.body.insert(loop, o)


KINDS: dict[str, Callable[[ast.FunctionDef], Planned]] = {
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
    lowered = pipeline(cell)
    text = print_module(lowered).text
    right = numbers(text)
    kinds: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults(text):
        kinds[fault.kind].append(fault)
    for planted in kinds.values():
        for number in rng.permutation(len(planted))[:each]:
            fault = planted[number]
            wrong = fault.planted(text)
            try:
                validate(wrong, lowered.forward.program, lowered.backward.program)
                refusal = ""
            except ValidationError as error:
                refusal = str(error)
            yield Outcome(cell.name, fault, _changes(right, wrong), refusal)


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
