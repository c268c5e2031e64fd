"""What clipping does to training, over the limit."""

from __future__ import annotations

import math
from typing import Any

from rnnproof.pages.message import say
from rnnproof.study.figure_style import COLOURS, Drawing, caption, legend_below, line, panels
from rnnproof.study.sweep.findings import Findings

_KINDS = ("norm", "value", "global")
_UNITS = "limit (of the norm, or of each entry)"


def draw(findings: Findings) -> list[Drawing]:
    """Steps to the target, divergence, final losses, directions."""
    curves = findings.curves
    return [
        Drawing(
            "clipping-steps",
            caption(
                say(
                    "Steps until the loss is seven tenths of the best constant answer's, against the limit; SimpleRNN, SGD; "
                    "median, shaded the quartiles; what lies above the grey line never arrives."
                ),
                findings,
                "slow",
            ),
            say("Panels by task and learning rate: steps to the target over the limit, one curve for each kind of clipping."),
            _steps(curves),
        ),
        Drawing(
            "clipping-diverged",
            caption(
                say("Share of runs that diverge, against the limit; SimpleRNN, SGD; dashed in grey: without clipping."),
                findings,
                "explode",
            ),
            say(
                "Panels by task and learning rate: the share of diverged runs over the limit, one curve for each kind of "
                "clipping."
            ),
            _diverged(curves),
        ),
        Drawing(
            "clipping-optimizers",
            caption(
                say(
                    "Steps to the target against the limit of each array's norm, by layer, optimiser and learning rate; "
                    "median; what lies above the grey line never arrives."
                ),
                findings,
                "slow-adaptive",
            ),
            say("Panels by task: steps to the target over the limit, one curve for each layer and optimiser."),
            _optimizers(curves),
        ),
        Drawing(
            "clipping-cosine",
            caption(
                say(
                    "Cosine between the raw and the clipped gradient of all arrays together, mean over the clipped steps; "
                    "SimpleRNN, SGD."
                ),
                findings,
                "direction",
            ),
            say("Panels by task and learning rate: the cosine over the limit, one curve for each kind of clipping."),
            _cosine(curves),
        ),
    ]


def _grid(curves: Any, ylabel: str, one: Any) -> Any:
    courses = curves["courses"]
    tasks = [(task, lr) for (task, *layer), lr in curves["rates"].items() if layer == ["SimpleRNN", "SGD"]]
    columns = min(2, len(tasks))
    figure, grid = panels(columns, -(-len(tasks) // columns), sharex=True, height=2.4)
    for axes, (task, lr) in zip(grid.ravel(), tasks, strict=False):
        for place, kind in enumerate(_KINDS):
            key = (task, "SimpleRNN", "SGD", lr, kind)
            if key in courses:
                one(axes, place, kind, courses[key])
                axes.set_xlim(courses[key]["limits"][0] / 2, courses[key]["limits"][-1] * 2)
        axes.set(xscale="log", title=f"{task}, learning rate {lr:g}")
    for row in grid:
        row[0].set_ylabel(ylabel)
    for axes in grid[-1]:
        axes.set_xlabel(_UNITS)
    legend_below(figure, grid[0, 0], 4)
    return figure


def _above(value: float, most: int) -> float:
    """Where a course that does not arrive is drawn."""
    return 1.25 * most if math.isinf(value) else value


def _band(axes: Any, place: int, course: Any, label: str) -> None:
    low, middle, high = zip(*[[_above(value, course["most"]) for value in one] for one in course["steps"]], strict=True)
    line(axes, place, course["limits"], middle, label)
    axes.fill_between(course["limits"], low, high, color=COLOURS[place], alpha=0.12, linewidth=0)
    axes.axhline(1.12 * course["most"], color="#888888", linewidth=0.8)
    axes.set(yscale="log", ylim=(8, 1.45 * course["most"]))


def _steps(curves: Any) -> Any:
    return _grid(curves, "steps to the target", lambda axes, place, kind, course: _band(axes, place, course, kind))


def _diverged(curves: Any) -> Any:
    def one(axes: Any, place: int, kind: str, course: Any) -> None:
        axes.axhline(100 * course["none"], color="#888888", linestyle="--", linewidth=1)
        line(axes, place, course["limits"], [100 * share for share in course["diverged"]], kind)
        axes.set(ylim=(-4, 104))

    return _grid(curves, "runs diverged (%)", one)


def _cosine(curves: Any) -> Any:
    def one(axes: Any, place: int, kind: str, course: Any) -> None:
        line(axes, place, course["limits"], course["cosine"], kind)
        axes.set(ylim=(0, 1.04))

    return _grid(curves, "cosine", one)


def _optimizers(curves: Any) -> Any:
    normed = {key: course for key, course in curves["courses"].items() if key[4] == "norm"}
    layers, optimizers = (list(dict.fromkeys(key[place] for key in normed)) for place in (1, 2))
    tasks = [
        task for task in dict.fromkeys(key[0] for key in normed) if any(key[0] == task and key[2] != "SGD" for key in normed)
    ]
    figure, grid = panels(len(tasks), len(layers), sharex=True, sharey=True, height=1.9)
    for row, layer in zip(grid, layers, strict=True):
        for place, optimizer in enumerate(optimizers):
            for axes, task in zip(row, tasks, strict=True):
                course = normed.get((task, layer, optimizer, curves["rates"].get((task, layer, optimizer)), "norm"))
                if course is not None:
                    line(axes, place, course["limits"], [_above(one[1], course["most"]) for one in course["steps"]], optimizer)
                    axes.axhline(1.12 * course["most"], color="#888888", linewidth=0.8)
        for axes, task in zip(row, tasks, strict=True):
            axes.set(xscale="log", yscale="log", title=f"{layer}, {task}")
        row[0].set_ylabel("steps")
    for axes in grid[-1]:
        axes.set_xlabel("limit of the norm")
    legend_below(figure, grid[0, 0], len(optimizers))
    return figure
