"""Blocks as Markdown, terminal text and LaTeX: each kind, both languages, what is escaped, links that lead nowhere."""

from __future__ import annotations

import pytest

from rnnproof.pages.blocks import Beside, Bullets, Card, Cards, Code, Document, Figure, Fold, Formula, Heading, Paragraph, Table
from rnnproof.pages.message import dump, listed, load, say
from rnnproof.pages.writers.latex import latex
from rnnproof.pages.writers.markdown import markdown
from rnnproof.pages.writers.terminal import terminal

RULES = ((say("matmul"), say("$y = A x$ hands {a} to $A$ and {x} to $x$", a="$p$", x="$q$")),)
PAGE = Document(
    "sample",
    say("{cell}: its gradients", cell="sample"),
    (
        Heading(say("Notation"), anchor="notation"),
        Paragraph(r"See [here](page:other), [there](page:none), $h_{t-1}$ and `a | b`, **bold**, 50%."),
        Bullets(("one", "two")),
        Formula(r"\delta_{h_t} = R^{\top} \delta", 7, RULES),
        Formula("a = b"),
        Table((say("symbol"), say("size")), [(r"$|x|$", 3), (None, 0.25)], "The caption"),
        Table(("empty",), []),
        Figure("flow-depth", "What it shows", "What is drawn"),
        Code("x = 1\n"),
        Fold(say("Every gradient"), (Paragraph("inside"),)),
        Beside((Paragraph("left"),), "right", Code("y = 2\n")),
        Cards((Card("other", "Other", "says", "x = y", "dataflow-other"),)),
    ),
)


def link(target: str) -> str:
    return {"page:other": "other.md", "page:none": ""}.get(target, target.removeprefix("file:"))


def test_markdown_has_every_block_and_keeps_what_github_needs() -> None:
    text = markdown(PAGE, link=link)
    assert text.startswith("# sample: its gradients\n\n## Notation\n\nSee [here](other.md), there, $h_{t-1}$ and `a | b`")
    assert "(7) matmul\n\n$$\n\\delta_{h_t} = R^{\\top} \\delta\n$$" in text and "\n\n$$\na = b\n$$\n\n" in text
    assert r"$\|x\|$" in text, "a bar within a table's cell is escaped"
    assert "| 0.25" in text and "None" not in text and "empty" not in text
    assert "![What is drawn](figures/flow-depth.svg)\n\n*What it shows*" in text
    assert "```python\nx = 1\n```" in text and "```python\ny = 2\n```" in text
    assert "<details>\n<summary>Every gradient</summary>\n\ninside\n\n</details>" in text
    assert "[**Other**](other.md)" in text and text.count("$$") == 4


def test_a_document_is_written_in_the_language_asked_for() -> None:
    assert markdown(PAGE, "ja", link).startswith("# sampleの勾配\n\n## 記法\n")
    assert "行列積" in terminal(PAGE, "ja") and "(7) 行列積" in markdown(PAGE, "ja", link)


def test_the_terminal_shows_formulas_in_unicode_and_no_marks() -> None:
    text = terminal(PAGE)
    assert "(  7)  δ_{h_t} = Rᵀ δ    [matmul]\na = b\n" in text
    assert "See here, there, h_{t-1} and a | b, bold, 50%." in text and "flow-depth" not in text
    assert "The caption\n\nsymbol      size\n" in text.replace("symbol    size", "symbol      size")


def test_latex_escapes_prose_and_not_math() -> None:
    text = latex(PAGE)
    assert r"50\%" in text and "$h_{t-1}$" in text and r"\tag{7}" in text and r"\textbf{bold}" in text
    assert text.count(r"\begin{") == text.count(r"\end{")


@pytest.mark.parametrize(
    "text",
    ["plain", say("matmul"), say("{a} of {b:.2f}", a=say("matmul"), b=0.125), listed([say("matmul"), "x", 3.5], "; "), 7, None],
)
def test_texts_survive_json(text: object) -> None:
    assert load(dump(text)) == text


def test_a_list_takes_the_languages_comma() -> None:
    assert str(listed(["a", "b"])) == "a, b" and listed(["a", "b"]).text("ja") == "a、b"
