"""The dataflow pictures: whole, correct against the Program and the derivation, laid out without collisions, escaped."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

import rnnproof as rp
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.program import Program, Role
from rnnproof.calculus.variables import Var
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.pages import message
from rnnproof.pages.dataflow import picture
from rnnproof.pages.dataflow.direct import direct
from rnnproof.pages.dataflow.graph import Graph, graph
from rnnproof.pages.dataflow.layout import Layout, Place, layout, spread
from rnnproof.pages.dataflow.tex_runs import runs, width
from rnnproof.pages.message import Listed, Message, Text, in_language
from tests.test_documents import DOCUMENTS
from tests.zoo import CELLS, lstm

SVG = "{http://www.w3.org/2000/svg}"
OTHERS = {
    "two layers": r"""$$z_t = \sigma(W x_t + R h_{t-1})$$ $$h_t = z_t \odot h_{t-1} + (1-z_t) \odot \tanh(U x_t + V h_{t-1})$$
        $$y_t = \sigma(W' h_t + R' s_{t-1})$$ $$s_t = y_t \odot s_{t-1} + (1-y_t) \odot \tanh(U' h_t + V' s_{t-1})$$""",
    "light": r"""$$f_t = \sigma(W_f x_t + v_f \odot c_{t-1} + b_f)$$ $$r_t = \sigma(W_r x_t + v_r \odot c_{t-1} + b_r)$$
        $$c_t = f_t \odot c_{t-1} + (1-f_t) \odot (W x_t)$$ $$h_t = r_t \odot c_t + (1-r_t) \odot x_t$$""",
    "numbers": r"$$h_t = 2 h_{t-1} - \tanh(W x_t) - 3\sigma(V x_t) + \frac{1}{2} \tanh(U x_t + R h_{t-1})$$",
    "open": r"$$o^{(l)} = f^{(l)}(o^{(l-1)}) + o^{(l-1)}$$",
    "square": r"$$h_t = h_{t-1} \odot h_{t-1} \odot \sigma(h_{t-1}) + b$$",
    "copied": r"$$c_t = h_{t-1}$$ $$h_t = \tanh(W c_{t-1} + R h_{t-1} + U x_t)$$",
}
NAMES = [*catalogue.names(), *(f"zoo {name}" for name in CELLS), *DOCUMENTS, *OTHERS]


@cache
def cell_of(name: str) -> Cell:
    if name in DOCUMENTS or name in OTHERS:
        return rp.read_text({**DOCUMENTS, **OTHERS}[name], name=name)[0]
    return CELLS[name.removeprefix("zoo ")]() if name.startswith("zoo ") else rp.load(name)


@cache
def drawn(name: str) -> tuple[Graph, Layout, ElementTree.Element]:
    cell = cell_of(name)
    return graph(cell), layout(graph(cell)), ElementTree.fromstring(picture(cell).svg)


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(found.itertext()) for found in root.iter(f"{SVG}text")]


def shown(tex: str) -> str:
    return "".join(run.text for run in runs(tex))


@pytest.mark.parametrize("name", NAMES)
def test_the_svg_is_whole(name: str) -> None:
    _, _, root = drawn(name)
    assert root.get("role") == "img"
    ids = {found.get("id"): found for found in root.iter() if found.get("id")}
    title, desc = (ids[word] for word in root.attrib["aria-labelledby"].split())
    assert cell_of(name).name in str(title.text) and len(str(desc.text)) > 20
    assert not {found.tag.removeprefix(SVG) for found in root.iter()} & {"script", "image", "use", "foreignObject"}


@pytest.mark.slow
def test_the_same_bytes_in_every_process() -> None:
    code = "import rnnproof as rp; from rnnproof.pages.dataflow import picture; print(picture(rp.load('gru')).svg, end='')"
    made = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1] == picture(cell_of("gru")).svg


def cone(program: Program, var: Var) -> set[Var]:
    """Every value that `var` is made of."""
    steps = program.producer()
    found, waiting = {var}, [var]
    while waiting:
        step = steps.get(waiting.pop())
        for arg in step.args if step else ():
            if arg not in found:
                found.add(arg)
                waiting.append(arg)
    return found


def ancestors(drawn_graph: Graph, name: str) -> set[str]:
    """Every node from which lines lead to a node."""
    found, waiting = {name}, [name]
    while waiting:
        target = waiting.pop()
        for edge in drawn_graph.edges:
            if edge.target == target and edge.source not in found:
                found.add(edge.source)
                waiting.append(edge.source)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_lines_and_weights_are_those_of_the_program(name: str) -> None:
    found, _, root = drawn(name)
    program = flatten(cell_of(name))
    nodes = {node.name: node for node in found.nodes}
    sources = [port.var for role in (Role.INPUT, Role.CONSTANT, Role.OLD) for port in program.ports(role)]
    leaving = program.ports(Role.NEW, out=True)
    states = [node.sign for node in found.nodes if node.kind in ("input", "given", "old", "new")]
    assert sorted(states) == sorted([var.tex for var in sources] + [port.var.tex for port in leaving])
    assert all(shown(sign) in texts(root) for sign in states)
    for port in leaving:
        reached = ancestors(found, f"new {port.key}")
        made_of = cone(program, port.var)
        assert {nodes[one].sign for one in reached if nodes[one].kind in ("input", "given", "old")} == {
            var.tex for var in sources if var in made_of
        }
        written = " ".join([*(w for one in reached for w in nodes[one].weights), *(nodes[one].sign for one in reached)])
        for parameter in program.ports(Role.PARAMETER):
            assert (shown(parameter.var.tex) in shown(written)) >= (parameter.var in made_of), parameter.key
    for weight in (weight for node in found.nodes for weight in node.weights):
        assert any(shown(weight) in text for text in texts(root))


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_on_values_is_drawn(name: str) -> None:
    found, _, root = drawn(name)
    program = flatten(cell_of(name))
    values = [step for step in program.steps if step.target.per_sample]
    products = [step for step in values if step.op.name in ("hadamard", "scale") and all(arg.per_sample for arg in step.args)]
    entering = {node.name: sum(edge.target == node.name for edge in found.edges) for node in found.nodes}
    rings = [node for node in found.nodes if node.kind == "operation" and node.sign in (r"\odot", r"\times")]
    assert sum(entering[node.name] - 1 for node in rings) == len(products)
    functions = [node for node in found.nodes if node.kind in ("gate", "function", "open")]
    assert len(functions) == sum(step.op.name in ("map", "call") for step in values)
    groups = [str(group.get("class")).split()[0] for group in root.iter(f"{SVG}g")]
    assert groups.count("operation") == sum(node.kind == "operation" for node in found.nodes)
    assert sum(group in ("gate", "function", "open") for group in groups) == len(functions)
    labels = [str(text.get("class")) for text in root.iter(f"{SVG}text")].count("value")
    assert labels == sum(bool(node.label) for node in found.nodes)
    named = {step.target.tex for step in values if step.target.tex}
    assert named == {node.value for node in found.nodes if node.value}


@pytest.mark.parametrize("name", NAMES)
def test_direct_ways_are_the_diagonal_part_of_the_jacobian(name: str) -> None:
    found, _, _ = drawn(name)
    cell = cell_of(name)
    program = flatten(cell)
    new = {port.key: port.var.tex for port in program.ports(Role.NEW, out=True)}
    expected = set()
    for port in program.ports(Role.OLD):
        terms = rp.derive(cell).jacobian(new[port.key], port.var.tex).terms
        if any(not term.rest for term in terms):
            expected.add((port.var.tex, new[port.key]))
    assert set(found.ways) == expected
    thick = {edge for edge in found.edges if edge.direct}
    for port in program.ports(Role.OLD):
        reached, waiting = set(), [f"old {port.key}"]
        while waiting:
            source = waiting.pop()
            reached.add(source)
            waiting += [edge.target for edge in thick if edge.source == source and edge.target not in reached]
        assert (f"new {port.key}" in reached) == ((port.var.tex, new[port.key]) in expected)
    for edge in thick:  # no loose ends: each goes on, back to an old state and forth to a new one
        assert edge.source.startswith("old ") or any(other.target == edge.source for other in thick)
        assert edge.target.startswith("new ") or any(other.source == edge.target for other in thick)


def test_of_several_ways_the_one_with_fewest_activations_is_direct() -> None:
    program = flatten(cell_of("lstm_peephole"))
    assert {(str(arg), str(result)) for arg, result in direct(program).links} == {("c_prev", "f_c_prev"), ("f_c_prev", "c")}
    recurrent = flatten(cell_of("vector recurrence"))
    assert {str(result) for _, result in direct(recurrent).links} == {"u_h_prev", "a_h", "h"}


def box(place: Place) -> tuple[float, float, float, float]:
    wide, high = place.extent.width / 2, place.extent.height / 2
    return place.x - wide, place.y - high, place.x + wide, place.y + high


@pytest.mark.parametrize("name", NAMES)
def test_nodes_and_texts_have_room(name: str) -> None:
    _, placed, root = drawn(name)
    for place in placed.places:
        left, top, right, bottom = box(place)
        assert 0 <= left <= right <= placed.width and 0 <= top <= bottom <= placed.height
        assert max([width(line) * 16 for line in place.extent.lines], default=0) <= place.extent.split
        if place.node.kind != "joint" and place.node.sign not in ("+", r"\odot", r"\times"):
            assert width(place.node.sign) * 16 <= place.extent.width - place.extent.split
    for one, other in combinations(placed.places, 2):
        (left, top, right, bottom), (left2, top2, right2, bottom2) = box(one), box(other)
        assert right < left2 or right2 < left or bottom < top2 or bottom2 < top, (one.node.name, other.node.name)
    boxes = [box(place) for place in placed.places]
    for place in placed.places:
        if place.node.label:
            left, right = (
                place.x + place.extent.width / 2 + 5,
                place.x + place.extent.width / 2 + 5 + width(place.node.label) * 16,
            )
            top, bottom = place.y - 19, place.y - 3
            assert top >= 0 and right <= placed.width
            assert not any(left < x2 and x1 < right and top < y2 and y1 < bottom for x1, y1, x2, y2 in boxes), place.node.name
    view = [float(number) for number in root.attrib["viewBox"].split()]
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= view[2] and 12 <= float(text.attrib["y"]) <= view[3]


@pytest.mark.parametrize("name", NAMES)
def test_letters_of_a_wide_font_stay_inside_their_boxes(name: str) -> None:
    manager = pytest.importorskip("matplotlib.font_manager")
    fonts = pytest.importorskip("matplotlib.ft2font")
    face = fonts.FT2Font(manager.findfont(manager.FontProperties(family="DejaVu Serif", style="italic")))

    def measured(tex: str) -> float:
        total, before, level = 0.0, 0.0, 0
        for run in runs(tex):
            face.set_size(12 if run.level else 16, 72)
            face.set_text(run.text)
            wide = face.get_width_height()[0] / 64
            total += max(wide - before, 0.0) if run.level * level < 0 else wide  # one script above the other
            before, level = wide, run.level
        return total

    for place in drawn(name)[1].places:
        sign = place.node.sign if place.node.sign not in ("+", r"\odot", r"\times") else ""
        assert all(measured(line) <= place.extent.split - 4 for line in place.extent.lines), place.extent.lines
        assert not sign or measured(sign) <= place.extent.width - place.extent.split - 4, sign


def curve(d: str) -> Iterator[tuple[float, float]]:
    """Points along a path of M, H and C."""
    x = y = 0.0
    for letter, rest in re.findall(r"([MHC])([^MHC]*)", d):
        numbers = [float(number) for number in rest.split()]
        if letter == "M":
            x, y = numbers
            yield x, y
            continue
        ends = [numbers[0], y, numbers[0], y, numbers[0], y] if letter == "H" else numbers
        for step in range(1, 41):
            t = step / 40
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            xs, ys = (x, *ends[0::2]), (y, *ends[1::2])
            if letter == "H":
                yield x + t * (ends[0] - x), y
            else:
                yield sum(map(math.prod, zip(weights, xs, strict=True))), sum(map(math.prod, zip(weights, ys, strict=True)))
        x, y = ends[4:]


@pytest.mark.parametrize("name", NAMES)
def test_no_line_goes_through_a_node(name: str) -> None:
    _, placed, root = drawn(name)
    lines = [path.attrib["d"] for path in root.iter(f"{SVG}path") if "line" in str(path.get("class")).split()]
    routes = sorted(placed.routes, key=lambda route: route.edge.direct)
    assert len(lines) == len(routes)
    for d, route in zip(lines, routes, strict=True):
        ends = (route.edge.source, route.edge.target)
        others = [box(place) for place in placed.places if place.node.name not in ends and place.node.kind != "joint"]
        for x, y in curve(d):
            assert not any(left < x < right and top < y < bottom for left, top, right, bottom in others), ends


@pytest.mark.parametrize("name", catalogue.names())
def test_catalogue_pictures_fit_a_page(name: str) -> None:
    found, placed, _ = drawn(name)
    assert placed.width <= 766 and placed.height <= 260
    assert len(found.nodes) <= 20


def test_lines_that_run_level_stay_level() -> None:
    for name in ("lstm", "gru", "gru_reset_after", "lstm_peephole", "shortcut", "gate"):
        _, placed, _ = drawn(name)
        thick = [y for route in placed.routes if route.edge.direct for _, y in route.points]
        assert max(thick) - min(thick) < 1e-9, name


def test_hostile_names_are_escaped() -> None:
    hostile = "</text><script>alert(1)</script>&\"'"
    cell = lstm()
    notation = (("h_old", r"\mathrm{" + hostile + "}"), ("W_i", f"{hostile}_<b>"), ("i", "&amp;<i>"), ("f", "]]>--><!--"))
    cell = replace(cell, name=f'{hostile} "x" onload=', notation=notation)
    svg = picture(cell).svg
    root = ElementTree.fromstring(svg)
    assert {found.tag.removeprefix(SVG) for found in root.iter()} <= {
        *("svg", "title", "desc", "style", "g", "path", "rect", "circle", "text", "tspan")
    }
    assert "<script" not in svg and "onload=" in str(root.find(f"{SVG}title").text)  # type: ignore[union-attr]
    assert any("</text><script>alert(1)</script>&" in text for text in texts(root))
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", found.attrib["id"]) for found in root.iter() if "id" in found.attrib)


def templates(text: Text) -> Iterator[str]:
    if isinstance(text, Message):
        yield text.template
        for _, value in text.values:
            yield from templates(value)
    elif isinstance(text, Listed):
        for part in (text.between, *text.parts):
            yield from templates(part)


@pytest.mark.parametrize("name", NAMES)
def test_words_say_what_is_drawn_in_both_languages(name: str) -> None:
    found, _, _ = drawn(name)
    made = picture(cell_of(name), "ja")
    assert set(templates(made.says)) | set(templates(made.alt)) <= set(message.catalogue("ja"))
    for text in (made.alt, made.says):
        for language in ("en", "ja"):
            words = str(in_language(text, language))
            assert words.count("$") % 2 == 0 and "{}" not in words
            assert ("thick" in words or "太線" in words) == bool(found.ways)
    alt = str(made.alt)
    for node in found.nodes:
        for tex in (node.value, node.sign if node.kind in ("input", "given", "old", "new") else "", *node.weights):
            assert not tex or f"${tex}$" in alt
    title = ElementTree.fromstring(made.svg).find(f"{SVG}title")
    assert title is not None and "データ" in str(title.text)


def test_without_igraph_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(UsageError, match=r"rnnproof\[report\]"):
        picture(cell_of("gru"))


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"W_{\bar{h}}", [("W", 0), ("h\u0304", -1)]),
        (r"h_{t-1}", [("h", 0), ("t", -1), ("\u22121", -1)]),
        (r"\tilde{C}_t", [("C\u0303", 0), ("t", -1)]),
        (r"\bar{h_t}", [("h\u0304", 0), ("t", -1)]),
        (r"W_c^{(l)}", [("W", 0), ("c", -1), ("(", 1), ("l", 1), (")", 1)]),
        (r"a_{i_t}", [("a", 0), ("i", -1), ("t", -2)]),
        (r"W - W^{\top}", [("W", 0), (" \u2212 ", 0), ("W", 0), ("T", 1)]),
        (r"\frac{1}{\tau}", [("1/", 0), ("\u03c4", 0)]),
        (r"\operatorname{hard\_sigmoid}", [("hard_sigmoid", 0)]),
        (r"\sigma", [("\u03c3", 0)]),
        (r"\alpha V", [("\u03b1", 0), (" ", 0), ("V", 0)]),
        (r"x_", [("x", 0)]),
        (r"}x{", [("x", 0)]),
    ],
)
def test_symbols(tex: str, expected: list[tuple[str, int]]) -> None:
    assert [(run.text, run.level) for run in runs(tex)] == expected


def test_lines_that_end_together_keep_their_order_and_distance() -> None:
    drops, wanted = [30.0, -50.0, 2.0, 31.0], [20.0, -40.0, 1.0, 21.0]
    found = spread(drops, wanted, 30.0, 2)
    assert found[2] == 0.0 and found[1] == -40.0 and [found[0], found[3]] == [30.0, 60.0]
    free = spread(drops, wanted, 30.0, None)
    ordered = [value for _, value in sorted(zip(drops, free, strict=True))]
    assert all(below - above >= 30.0 - 1e-9 for above, below in pairwise(ordered))
    assert sum(free) == pytest.approx(sum(wanted))
