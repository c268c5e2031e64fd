"""One style for all figures: readable at page width, by the colour-blind, and in grey; the same bytes every time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from rnnproof.extras import needed
from rnnproof.pages.message import SPACE, Text, listed, say
from rnnproof.study.sweep.findings import Findings

# M. Okabe and K. Ito, "Color universal design" (2008); each with a marker and a dash of its own, so that none needs its colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
WIDTH = 7.2  # inches: the width of a page
_STYLE = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "rnnproof",
    "svg.fonttype": "path",
    "path.simplify": True,
}


@dataclass(frozen=True)
class Drawing:
    """A figure: its name, its caption, which says what it shows, what is drawn in words, and the picture as SVG and PNG."""

    name: str
    says: Text
    alt: Text
    figure: Any = None
    svg: str = ""
    png: bytes = b""

    def rendered(self) -> Drawing:
        """The same with its picture, the figure closed."""
        vector, pixels = io.StringIO(), io.BytesIO()
        self.figure.savefig(vector, format="svg", metadata={"Date": None, "Creator": "rnnproof"})
        self.figure.savefig(pixels, format="png", dpi=150, metadata={"Software": "rnnproof"})
        needed("matplotlib.pyplot").close(self.figure)
        lines = (line.rstrip() for line in vector.getvalue().splitlines())
        return replace(self, figure=None, svg="\n".join(lines) + "\n", png=pixels.getvalue())


def caption(says: Text, findings: Findings, *names: str) -> Text:
    """What a figure shows, what is said of it, and what was measured of that; a quick run has no verdicts, and so the first."""
    chosen = {statement.name: statement for statement in findings.statements}
    claims = (
        say("Claim: {claim} Result: {verdict}.", claim=chosen[name].claim, verdict=chosen[name].verdict)
        for name in names
        if name in chosen
    )
    return listed([says, *claims], SPACE)


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib in this style, drawing to memory whatever screen there is."""
    matplotlib = needed("matplotlib")
    backend = matplotlib.get_backend()
    matplotlib.use("agg")
    try:
        with matplotlib.rc_context(_STYLE):
            yield
    finally:
        matplotlib.use(backend)


def panels(columns: int, rows: int = 1, height: float = 2.8, **options: Any) -> tuple[Any, Any]:
    """A figure as wide as a page and its axes, (rows, columns)."""
    plots = needed("matplotlib.pyplot")
    options = {"squeeze": False, "layout": "constrained", **options}
    figure, axes = plots.subplots(rows, columns, figsize=(WIDTH, height * rows), **options)
    return figure, axes


def line(axes: Any, place: int, x: Sequence[Any], y: Sequence[Any], label: str = "", **options: Any) -> None:
    """One course, with the colour, marker and dash of its place; a missing number leaves a gap."""
    if place >= len(COLOURS):
        raise AssertionError(f"{label}: more courses in one panel than there are colours")
    values = [float("nan") if value is None else value for value in y]
    look = {"color": COLOURS[place], "marker": MARKERS[place], "linestyle": DASHES[place], **options}
    axes.plot(x, values, label=label or None, **look)


def legend_below(figure: Any, axes: Any, columns: int) -> None:
    """One legend for all panels, under them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
