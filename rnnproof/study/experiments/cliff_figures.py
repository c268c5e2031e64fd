"""The cliff: the surface and the descents on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnproof.extras import needed
from rnnproof.pages.message import say
from rnnproof.study.experiments.cliff_surface import B_RANGE, FAR, LIMIT, W_RANGE, surface
from rnnproof.study.figure_style import COLOURS, DASHES, WIDTH, Drawing, caption, line, panels
from rnnproof.study.sweep.findings import Findings

_NAMES = {"none": "no clipping", "norm": f"clipnorm {LIMIT:g}", "value": f"clipvalue {LIMIT:g}"}

_COLOURS = {"none": COLOURS[6], "norm": COLOURS[1], "value": COLOURS[0]}


def draw(findings: Findings) -> list[Drawing]:
    """Three figures: in space, from above, and over the steps."""
    courses = findings.curves["trajectories"]
    far = max(courses["none"]["lengths"])
    return [
        Drawing(
            "cliff-surface",
            caption(
                say(
                    "The loss of a recurrent network of one unit over 50 steps, and gradient descent from one start (dot), of "
                    "all starts the one thrown earliest: without clipping (left; its longest step, dotted: {far:.3g}), and "
                    "with the gradient's norm clipped at {limit:g} (right; as many steps as on the left until the throw, and "
                    "20 more).",
                    far=far,
                    limit=LIMIT,
                ),
                findings,
                "thrown",
            ),
            say(
                "Two surfaces of the loss in space with a steep wall. On the left the path of the descent jumps far away at "
                "the wall; on the right, clipped, it stays beside it."
            ),
            _surface(courses),
        ),
        Drawing(
            "cliff-contour",
            caption(
                say(
                    "The same surface from above, with the descents of all three kinds from that start (dot). The wall is "
                    "where the contours fall on one another."
                ),
                findings,
                "prevented",
            ),
            say("Contours of the loss over w and b, with three paths from one start: without clipping, by norm, by value."),
            _contour(courses),
        ),
        Drawing(
            "cliff-course",
            caption(say("The loss at each step and the length of the step, both logarithmic."), findings, "ends"),
            say("Two panels of curves over the steps, one curve for each kind of clipping: the loss, and the step's length."),
            _course(courses),
        ),
    ]


def _inside(points: Any) -> Any:
    """The points up to and including the last one in the region; NaN where the descent is outside."""
    measured = np.array(points)
    (w_low, w_high), (b_low, b_high) = W_RANGE, B_RANGE
    outside = (measured[:, 0] < w_low) | (measured[:, 0] > w_high) | (measured[:, 1] < b_low) | (measured[:, 1] > b_high)
    return np.where(outside[:, np.newaxis], np.nan, measured)


def _surface(courses: Any) -> Any:
    figure = needed("matplotlib.pyplot").figure(figsize=(WIDTH, 3.6), layout="constrained")
    w, b, loss = surface()
    drawn = int(np.argmax(courses["none"]["lengths"])) + 21
    for place, clip in enumerate(("none", "norm")):
        axes = figure.add_subplot(1, 2, place + 1, projection="3d", computed_zorder=False)
        look = {"cmap": "cividis", "rcount": 241, "ccount": 241, "linewidth": 0, "antialiased": False, "rasterized": True}
        axes.plot_surface(w, b, loss, zorder=1, **look)
        points = _inside(courses[clip]["points"])[:drawn]
        height = np.array(courses[clip]["losses"])[:drawn] + 0.012
        axes.plot(points[:, 0], points[:, 1], height, color=COLOURS[1], linewidth=1.4, marker=".", markersize=3, zorder=5)
        axes.scatter(*points[0], height[0], color="black", s=25, zorder=6)
        _arrow(axes, courses[clip], height)
        axes.set(xlabel="w", ylabel="b", zlabel="loss", title=_NAMES[clip], zlim=(0, 0.45))
        axes.view_init(elev=38, azim=-125)
        axes.set_box_aspect(None, zoom=0.82)
    return figure


def _arrow(axes: Any, course: Any, height: Any) -> None:
    """The throw, as far as the edge of the picture."""
    lengths = np.array(course["lengths"])
    at = int(np.argmax(lengths))
    if lengths[at] > FAR:
        start, end = np.array(course["points"][at]), np.array(course["points"][at + 1])
        edge = start + (end - start) * _shorten(start, end)
        axes.plot([start[0], edge[0]], [start[1], edge[1]], [height[at], 0.13], color=COLOURS[1], linestyle=":", zorder=5)
        axes.scatter(*edge, 0.13, color=COLOURS[1], marker=">", s=30, zorder=6)


def _shorten(start: Any, end: Any) -> float:
    """How much of the way from start to end lies in the region."""
    shares = [1.0]
    for place, (low, high) in enumerate((W_RANGE, B_RANGE)):
        way = end[place] - start[place]
        if way:
            shares += [(edge - start[place]) / way for edge in (low, high) if (edge - start[place]) / way > 0]
    return min(shares)


def _contour(courses: Any) -> Any:
    figure, ((axes,),) = panels(1, height=4.2)
    w, b, loss = surface()
    levels = (1e-4, 1e-3, 1e-2, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
    filled = axes.contourf(w, b, loss, levels=(0, *levels, 0.5), cmap="cividis", alpha=0.55, norm=_norm())
    axes.contour(w, b, loss, levels=levels, colors="#555555", linewidths=0.4)
    figure.colorbar(filled, ax=axes, label="loss", ticks=(1e-4, 1e-3, 1e-2, 0.06, 0.15, 0.4), format="%g")
    for place, (clip, course) in enumerate(courses.items()):
        points = np.array(course["points"])
        colour = _COLOURS[clip]
        axes.plot(
            points[:, 0], points[:, 1], color=colour, linestyle=DASHES[place], marker=".", markersize=3, label=_NAMES[clip]
        )
        lengths = np.array(course["lengths"])
        at = int(np.argmax(lengths))
        if lengths[at] > FAR:
            end = points[at] + (points[at + 1] - points[at]) * min(_shorten(points[at], points[at + 1]), 0.98) * 0.98
            axes.annotate("", xy=end, xytext=points[at], arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6})
            axes.annotate(
                f"thrown {lengths[at]:.3g} far", xy=end, xytext=(-20, -16), textcoords="offset points", ha="right", color=colour
            )
    axes.plot(*courses["none"]["points"][0], marker="o", color="black", markersize=7)
    axes.set(xlim=W_RANGE, ylim=B_RANGE, xlabel="w (weight of the unit)", ylabel="b (its bias)")
    axes.legend(loc="lower left", frameon=True)
    axes.grid(False)
    return figure


def _norm() -> Any:
    return needed("matplotlib.colors").SymLogNorm(linthresh=1e-3, vmin=0, vmax=0.5)


def _course(courses: Any) -> Any:
    figure, ((left, right),) = panels(2)
    for place, (clip, course) in enumerate(courses.items()):
        steps = range(1, len(course["lengths"]) + 1)
        look = {"marker": "", "color": _COLOURS[clip]}
        line(left, place, steps, course["losses"][:-1], _NAMES[clip], **look)
        line(right, place, steps, [length or None for length in course["lengths"]], _NAMES[clip], **look)
    left.set(xlabel="step", ylabel="loss", yscale="log")
    right.set(xlabel="step", ylabel="length of the step", yscale="log")
    right.set_ylim(bottom=1e-4)
    left.legend()
    return figure
