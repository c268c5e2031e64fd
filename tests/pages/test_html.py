"""The HTML writer: formulas as MathML in pieces, prose, links, marks between formulas and code, and what is escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from rnnproof.equations import catalogue
from rnnproof.pages.blocks import Beside, Code, Document, Figure, Formula, Heading, Paragraph, Table
from rnnproof.pages.derivation import derive
from rnnproof.pages.message import say
from rnnproof.pages.writers.html import mathml
from rnnproof.pages.writers.html import prose as inline
from rnnproof.pages.writers.html.writer import Site, html
from tests.zoo import CELLS

EVERY = [*catalogue.names(), *CELLS]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" role="img"><title>t</title></svg>'
SITE = Site(
    lambda target: {"page:lstm": "lstm.html"}.get(target, ""),
    {"own": SVG, "plot": SVG},
    frozenset({"own"}),
    [("index", "Overview")],
    [("ja", "index.ja.html")],
    {say("pass"): "good"},
)


@pytest.mark.parametrize("name", EVERY)
def test_every_formula_of_every_cell_becomes_mathml(name: str) -> None:
    cell = catalogue.load(name) if name in catalogue.names() else CELLS[name]()
    for step in derive(cell).steps:
        assert " ".join(part.strip() for part in mathml.pieces(step.tex)).split() == step.tex.split(), (
            "the pieces are the whole"
        )
        root = ElementTree.fromstring(f"<all>{mathml.display(step.tex)}</all>")
        namespace = "{http://www.w3.org/1998/Math/MathML}"
        assert list(root.iter(f"{namespace}math")) and not list(root.iter(f"{namespace}merror"))
        words = "".join(root.itertext())
        assert "\\" not in words and "{" not in words, f"TeX is left over in {words}"


def test_a_long_formula_breaks_ahead_of_its_outermost_signs() -> None:
    tex = r"\delta = \left(\frac{a + b}{c}\right)_{x} + (P + \operatorname{diag}(1 - z)) Q - f(u - v)"
    assert list(mathml.pieces(tex)) == [
        r"\delta",
        r"= \left(\frac{a + b}{c}\right)_{x}",
        "+ (P",
        r"+ \operatorname{diag}(1 - z)) Q",
        "- f(u - v)",
    ]


def test_prose_marks_and_escapes() -> None:
    made = inline.html("a < b & `x<y` **bold $h_t$** *em* [LSTM](page:lstm) [gone](page:gone) 2*3*4", SITE.address)
    assert "a &lt; b &amp; <code>x&lt;y</code> <strong>bold <math" in made and "<em>em</em>" in made
    assert '<a href="lstm.html">LSTM</a> gone 2*3*4' in made


def page(*blocks: object) -> str:
    return html(Document("index", "A <title>", tuple(blocks)), SITE)  # type: ignore[arg-type]


def test_nothing_a_document_says_becomes_markup() -> None:
    made = page(
        Heading("<script>alert(1)</script>", anchor="x"),
        Paragraph('<img src=x onerror="alert(1)"> [a](javascript:alert(1))'),
        Table(("<b>",), [("</td><script>",)]),
        Code("if a < b: '</script>'"),
    )
    assert "<script>alert" not in made and "<img src=x" not in made and "javascript:" not in made
    assert made.count("<script>") == 1 and "&lt;b&gt;" in made and "A &lt;title&gt;" in made


def test_a_formula_and_its_lines_point_at_each_other() -> None:
    code = Code("import numpy\n\na = 1\nb = 2\nc = 3\n", "python", ((3, (1,)), (4, (1, 2)), (5, (2,))))
    made = page(Beside((Formula("a = 1", 1), Formula("c = 3", 2), Formula("d", 3)), "says", code))
    assert re.search(r'id="f-1".*?<a href="#line-3">lines 3–4</a>', made, re.S)
    assert re.search(r'id="line-4" data-f="1 2".*?<a href="#f-1" aria-label="formula 1">\(1\)</a><a href="#f-2"', made, re.S)
    third = made[made.index('id="f-3"') :]
    assert "to-code" not in third[: third.index("</details>")], "a formula without lines points nowhere"
    assert made.count('class="line') == 5, "an empty line of code is a line"


def test_a_page_holds_all_it_shows_and_asks_for_nothing() -> None:
    made = page(Figure("own", "caption", "alt"), Figure("plot", "caption", "what is drawn"), Table(("v",), [(say("pass"),)]))
    assert "default-src 'none'" in made and not re.search(r"(?:src|href)=\"(?:https?:)?//", made)
    assert made.count(SVG) == 1 and 'alt="what is drawn"' in made and "data:image/svg+xml,%3Csvg" in made
    assert '<span class="tone good">pass</span>' in made
    assert made == page(
        Figure("own", "caption", "alt"), Figure("plot", "caption", "what is drawn"), Table(("v",), [(say("pass"),)])
    )
