"""One random cell from its seed to a verdict: printed, read back, built, run, and compared with the oracle."""

from __future__ import annotations

import linecache
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from types import ModuleType
from typing import Any

import numpy as np

import rnnproof
from rnnproof.errors import RnnproofError
from tests.random_cells import coverage
from tests.random_cells.cell_maker import draw_recipe
from tests.random_cells.random_points import draw_point
from tests.random_cells.random_tree import Recipe, Symbol
from tests.random_cells.reading_check import Misread, check_reading
from tests.random_cells.tex_documents import Document, print_recipe
from tests.random_cells.torch_oracle import Answer, Point

Change = Callable[[ModuleType], Any]


@dataclass(frozen=True)
class Outcome:
    """`verdict` is right, refused, misread, wrong or traceback; `used` counts what the cell has; `seconds` by stage."""

    seed: int
    verdict: str
    reason: str = ""
    text: str = field(default="", compare=False)
    used: Counter[str] = field(default_factory=Counter, compare=False)
    seconds: dict[str, float] = field(default_factory=dict, compare=False)
    worst: float = field(default=0.0, compare=False)

    @property
    def kind(self) -> str:
        """The verdict and what its reason says without its names and numbers: equal for equal faults."""
        if self.verdict in ("right", "wrong"):
            return self.verdict
        lines = self.reason.strip().split("\n")
        message = lines[-1] if self.verdict == "traceback" else lines[0]
        if self.verdict == "refused":
            message = re.sub(r"^(\w+): \S+:\d+: (?:\S+ (?=could be|looks like|is |and ))?", r"\1: ", message)
        if "ValidationError" in message:
            message = "ValidationError: " + re.sub(r"\w*_\w*|\[.*\]", "_", message.rpartition(": ")[2])
        message = re.sub(r"'[^']*'|\d+", "_", message.split(";")[0])
        return f"{self.verdict}: {message[:90]}"


class Wrong(Exception):
    """A number that differs by more than rounding explains."""


def run_seed(seed: int, change: Change = lambda module: module) -> Outcome:
    """The verdict on one seed's cell; `change` may plant a fault in its module."""
    stages = _Stages()
    try:
        recipe, document, point, answer = stages.timed("draw", lambda: draw(seed))
    except Exception:
        return Outcome(seed, "traceback", traceback.format_exc())
    outcome = try_recipe(seed, recipe, document, point, answer, change)
    return replace(outcome, seconds={**stages.seconds, **outcome.seconds})


def try_recipe(
    seed: int, recipe: Recipe, document: Document, point: Point, answer: Answer, change: Change = lambda module: module
) -> Outcome:
    """The verdict on one printed cell."""
    stages = _Stages()
    used = document.used + coverage.operations(recipe, point)
    shown = "\n".join((document.text, *(f"bind {key}: {body}" for key, body in document.bindings.items())))
    try:
        worst = _tried(recipe, document, point, answer, change, stages)
    except (RnnproofError, Misread, Wrong) as error:
        verdict = {Misread: "misread", Wrong: "wrong"}.get(type(error), "refused")
        return Outcome(seed, verdict, f"{type(error).__name__}: {error}", shown, used, stages.seconds)
    except Exception:
        return Outcome(seed, "traceback", traceback.format_exc(), shown, used, stages.seconds)
    return Outcome(seed, "right", "", shown, used, stages.seconds, worst)


def draw(seed: int) -> tuple[Recipe, Document, Point, Answer]:
    """The seed's cell, its text, and a point where it is smooth and of moderate size."""
    rng, numbers = Random(f"random cell {seed}"), np.random.default_rng([seed, 7])
    while True:
        recipe = draw_recipe(rng)
        document = print_recipe(rng, recipe)
        found = draw_point(recipe, rng, numbers) if document else None
        if document and found:
            return recipe, document, *found


class _Stages:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds[stage] = time.perf_counter() - start


def _tried(recipe: Recipe, document: Document, point: Point, answer: Answer, change: Change, stages: _Stages) -> float:
    """The largest difference in units of its bound. Raises what the verdict is made of."""
    cell = stages.timed("read", lambda: read(document))
    check_reading(cell, recipe, document.names, point.sizes, document.ordered)
    module = change(stages.timed("build", lambda: rnnproof.build(cell)))
    linecache.clearcache()  # where build keeps every module's text
    return float(stages.timed("compare", lambda: compare(module, recipe, document.names, point, answer)))


def read(document: Document) -> Any:
    """The document's one cell, its functions bound."""
    cells = rnnproof.read_text(document.text, name="random_cell")
    if len(cells) != 1:
        raise Misread(f"{len(cells)} cells read, meant one")
    cell = rnnproof.bind(cells[0], **document.bindings) if document.bindings else cells[0]
    return cell


def compare(module: ModuleType, recipe: Recipe, names: dict[Symbol, str], point: Point, answer: Answer) -> float:
    """Every state and gradient by the module against the oracle's, entry by entry. Raises Wrong."""
    name = {symbol.key: names[symbol] for symbol in names}
    params = {name[key]: value for key, value in point.params.items()}
    initial = {name[key]: value for key, value in point.initial.items()}
    seeds = {name[key]: value for key, value in point.seeds.items()}
    xs = point.steps if point.xs is None else point.xs
    given = [*params.values(), *initial.values(), *seeds.values(), *([] if point.xs is None else [point.xs])]
    before = [array.copy() for array in given]
    trace = module.forward(params, xs, initial)
    states = {key: np.array(trace.states[name[key]]) for key in (s.key for s in recipe.symbols("state", "output"))}
    gradients = module.backward(trace, seeds)
    if not all(np.array_equal(old, new) for old, new in zip(before, given, strict=True)):
        raise Wrong("the caller's arrays were written")
    found = {f"output {key}": value for key, value in states.items()}
    found |= {f"gradient {key}": gradients.params[name[key]] for key in point.params}
    found |= {f"gradient initial {key}": gradients.initial[name[key]] for key in point.initial}
    if point.xs is not None:
        found["gradient inputs"] = gradients.inputs
    return judge(found, answer, name)


def judge(found: dict[str, Any], answer: Answer, name: dict[str, str]) -> float:
    """The largest difference in units of its bound. Raises Wrong with both numbers of the worst entry of each array."""
    worst, told = 0.0, []
    for key, expected in answer.values.items():
        actual = np.asarray(found[key])
        label = " ".join(name.get(part, part) for part in key.split())
        if actual.shape != expected.shape:
            told.append(f"{label}: shape {actual.shape}, by torch {expected.shape}")
            continue
        apart = np.abs(actual - expected)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(apart == 0, 0.0, apart / answer.errors[key])
        relative = np.where(np.isfinite(actual), relative, np.inf)
        at = np.unravel_index(np.argmax(relative), relative.shape)
        worst = max(worst, float(relative[at]))
        if relative[at] > 1:
            where = ", ".join(map(str, at))
            bound = f"at most {answer.errors[key][at]:.1e} apart"
            told.append(f"{label}[{where}]: {actual[at]:.9g} here, {expected[at]:.9g} by torch, {bound}")
    if told:
        raise Wrong("\n".join(told))
    return worst
