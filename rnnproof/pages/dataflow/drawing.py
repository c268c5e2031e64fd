"""A layout as SVG text: shapes, lines and letters, coloured by custom properties of the page with fallbacks of their own."""

from __future__ import annotations

import math
from html import escape
from itertools import pairwise

from rnnproof.pages.dataflow.graph import SOURCES
from rnnproof.pages.dataflow.layout import LINE, RADIUS, SIZE, Layout, Place, Route
from rnnproof.pages.dataflow.tex_runs import SCRIPT, placed

# name: (light, dark). A page that sets --rp-NAME wins over both, whichever it has chosen.
COLOURS = {
    "ink": ("#1d2330", "#e7eaf0"),
    "line": ("#717c92", "#8c97ab"),
    "paper": ("#ffffff", "#191d25"),
    "accent": ("#c8401a", "#ff8f5c"),
    "gate": ("#2563b8", "#7fb2ff"),
    "function": ("#0f7b6c", "#5fd3bf"),
    "open": ("#7d4fb3", "#c7a3f5"),
}
FONTS = "'STIX Two Text','Latin Modern Roman',Cambria,'Times New Roman','DejaVu Serif',serif"
CORNER, BASELINE = 6.0, 5.0  # of a box; from the middle of a line of letters down to where they stand
UP, DOWN = 5.0, 3.5  # how far superscripts and subscripts are moved


def _style() -> str:
    light, dark = ("".join(f"--{name}:var(--rp-{name},{pair[n]});" for name, pair in COLOURS.items()) for n in (0, 1))
    tinted = "".join(
        f".rp-flow .{kind} .body{{stroke:var(--{kind})}}.rp-flow .{kind} .part{{fill:var(--{kind})}}"
        for kind in ("gate", "function", "open")
    )
    return f"""<style>
.rp-flow{{{light}font:{SIZE:.0f}px {FONTS}}}
@media (prefers-color-scheme:dark){{.rp-flow{{{dark}}}}}
.rp-flow text{{fill:var(--ink);font-style:italic;text-anchor:middle}}
.rp-flow .value{{text-anchor:start}}.rp-flow .u{{font-style:normal}}.rp-flow .s{{font-size:{SIZE * SCRIPT:.0f}px}}
.rp-flow path,.rp-flow rect,.rp-flow circle{{fill:none;stroke:var(--line);stroke-width:1.4}}
.rp-flow .body{{fill:var(--paper)}}.rp-flow .part{{stroke:none;fill-opacity:.2}}{tinted}
.rp-flow .open .body{{stroke-dasharray:5 3}}
.rp-flow .state .body,.rp-flow .operation .body{{stroke:var(--ink)}}
.rp-flow .sign{{stroke:var(--ink);stroke-width:1.8;stroke-linecap:round}}.rp-flow .dot{{fill:var(--ink);stroke:none}}
.rp-flow .head,.rp-flow .joint .dot{{fill:var(--line);stroke:none}}
.rp-flow .direct{{stroke:var(--accent);stroke-width:3.2}}.rp-flow .direct.head{{fill:var(--accent);stroke:none}}
.rp-flow .end .body{{stroke:var(--accent);stroke-width:1.8}}
</style>"""


def svg(layout: Layout, identity: str, title: str, description: str) -> str:
    """The picture; `identity` begins the ids of its title and description."""
    wide, high = math.ceil(layout.width), math.ceil(layout.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rp-flow" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
        f' role="img" aria-labelledby="{identity}-title {identity}-desc">',
        f'<title id="{identity}-title">{escape(title)}</title>',
        f'<desc id="{identity}-desc">{escape(description)}</desc>',
        _style(),
    ]
    for route in sorted(layout.routes, key=lambda route: route.edge.direct):  # the direct ways above all other lines
        lines += _line(route)
    for place in layout.places:
        lines += _node(place)
    return "\n".join([*lines, "</svg>", ""])


def _numbers(*values: float) -> str:
    """Coordinates to a tenth of a pixel."""
    return " ".join(f"{round(value, 1) + 0.0:g}" for value in values)


def text(tex: str, x: float, y: float, css: str = "") -> str:
    """A formula; y is where its letters stand."""
    spans = []
    level = 0.0
    for run, shift in placed(tex):
        down = -UP * run.level if run.level > 0 else -DOWN * run.level
        css_run = " ".join(["s"] * bool(run.level) + ["u"] * run.upright)
        attributes = f' class="{css_run}"' if css_run else ""
        attributes += f' dx="{_numbers(shift * SIZE)}"' if shift else ""
        attributes += f' dy="{_numbers(down - level)}"' if down != level else ""
        level = down
        spans.append(f"<tspan{attributes}>{escape(run.text)}</tspan>" if attributes else escape(run.text))
    label = f' class="{css}"' if css else ""
    return f'<text{label} x="{_numbers(x)}" y="{_numbers(y)}">{"".join(spans)}</text>'


def _line(route: Route) -> list[str]:
    """A curve and its head."""
    css = " direct" if route.edge.direct else ""
    turn = math.radians(route.angle)
    along, across = (math.cos(turn), -math.sin(turn)), (-math.sin(turn), -math.cos(turn))
    x, y = route.points[-1]

    def near(back: float, aside: float) -> tuple[float, float]:
        return x - back * along[0] + aside * across[0], y - back * along[1] + aside * across[1]

    if route.joint:
        return [f'<path class="line" d="{_curve(route.points, along)}"/>']
    long, half = (11.0, 5.5) if route.edge.direct else (8.0, 3.8)
    head = "L".join(_numbers(*point) for point in ((x, y), near(long, half), near(long, -half)))
    return [
        f'<path class="line{css}" d="{_curve((*route.points[:-1], near(long - 3, 0.0)), along)}"/>',
        f'<path class="head{css}" d="M{head}Z"/>',
    ]


def _curve(points: tuple[tuple[float, float], ...], end: tuple[float, float]) -> str:
    """A path through the points: level at each, but where a column has no width a line goes on with its slope."""
    distinct = [point for point, before in zip(points, [None, *points], strict=False) if point != before]
    slopes = [0.0] * len(distinct)
    for n in range(1, len(distinct) - 1):
        (x0, y0), (x1, y1), (x2, y2) = distinct[n - 1 : n + 2]
        if points.count(distinct[n]) > 1 and (y1 - y0) * (y2 - y1) > 0:
            slopes[n] = min(((y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)), key=abs)
    d = f"M{_numbers(*distinct[0])}"
    for n, ((x, y), (nx, ny)) in enumerate(pairwise(distinct), start=1):
        dx, dy = end if n == len(distinct) - 1 else (1.0, slopes[n])
        bend = (nx - x) / 2
        if abs(ny - y) < 0.05 and not dy and not slopes[n - 1]:
            d += f"H{_numbers(nx)}"
        else:
            d += f"C{_numbers(x + bend, y + bend * slopes[n - 1], nx - bend * dx, ny - bend * dy, nx, ny)}"
    return d


def _node(place: Place) -> list[str]:
    node, size = place.node, place.extent
    left, top = place.x - size.width / 2, place.y - size.height / 2
    shapes = _sign(place)
    if not shapes:
        tinted = node.kind in ("gate", "function", "open")
        corner = CORNER if tinted or node.kind == "weights" else size.height / 2
        shapes.append(_box("body", left, top, size.width, size.height, corner))
        shapes += [_part(left, top, place)] if tinted else []
        for number, line in enumerate(size.lines):
            y = place.y + BASELINE + LINE * (number - (len(size.lines) - 1) / 2)
            shapes.append(text(line, left + size.split / 2, y))
        if node.sign:
            shapes.append(text(node.sign, left + (size.split + size.width) / 2, place.y + BASELINE))
    if node.label:
        shapes.append(text(node.label, left + size.width + 5, place.y - 6, "value"))
    if node.says:
        shapes.insert(0, f"<title>{escape(node.says)}</title>")
    css = "state" if node.kind in (*SOURCES, "new") else node.kind
    return [f'<g class="{css}{" end" if place.end else ""}">', *shapes, "</g>"]


def _box(css: str, x: float, y: float, width: float, height: float, corner: float) -> str:
    place = " ".join(f'{name}="{_numbers(value)}"' for name, value in zip("xy", (x, y), strict=True))
    return f'<rect class="{css}" {place} width="{_numbers(width)}" height="{_numbers(height)}" rx="{_numbers(corner)}"/>'


def _part(left: float, top: float, place: Place) -> str:
    """The tinted part of a box, where the function stands: all of it, or what is right of the weights."""
    size = place.extent
    if not size.split:
        return _box("part", left, top, size.width, size.height, CORNER)
    start, end, side = left + size.split, left + size.width - CORNER, size.height - 2 * CORNER
    arc = f"a{_numbers(CORNER, CORNER)} 0 0 1"
    corners = f"{arc} {_numbers(CORNER, CORNER)}v{_numbers(side)}{arc} {_numbers(-CORNER, CORNER)}"
    rule = f'<path d="M{_numbers(start, top)}v{_numbers(size.height)}"/>'
    return f'<path class="part" d="M{_numbers(start, top)}H{_numbers(end)}{corners}H{_numbers(start)}Z"/>{rule}'


def _sign(place: Place) -> list[str]:
    """A joint, or an operation whose sign is drawn, since fonts do not agree on how large it is and where it stands."""
    x, y = place.x, place.y
    ring = f'<circle class="body" cx="{_numbers(x)}" cy="{_numbers(y)}" r="{_numbers(RADIUS)}"/>'
    dot = f'<circle class="dot" cx="{_numbers(x)}" cy="{_numbers(y)}" r="3"/>'
    drawn = {
        r"\odot": [ring, dot],
        "+": [ring, f'<path class="sign" d="M{_numbers(x - 6.5, y)}h13M{_numbers(x, y - 6.5)}v13"/>'],
        r"\times": [ring, f'<path class="sign" d="M{_numbers(x - 4.6, y - 4.6)}l9.2 9.2m0 -9.2l-9.2 9.2"/>'],
    }
    if place.node.kind == "joint":
        return [dot]
    return drawn.get(place.node.sign, []) if place.node.kind == "operation" else []
