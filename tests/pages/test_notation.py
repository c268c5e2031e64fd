"""The page on notation: every example reads as its section says, nothing the reader knows is missing, nothing is typed in."""

from __future__ import annotations

import ast
import string
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lark
import pytest

import rnnproof
from rnnproof.equations import activations, source, syntax
from rnnproof.equations.system import OPEN_NAMES
from rnnproof.pages import notation
from rnnproof.pages.blocks import Block, Code, Formula, Heading, Paragraph, Table
from rnnproof.pages.message import say
from rnnproof.pages.notation import functions, model, names, page, refused
from rnnproof.pages.notation.model import Example, alike, cells, in_place, reading
from rnnproof.pages.writers.markdown import markdown
from tests.equations.test_reader import summary

PACKAGE = Path(rnnproof.__file__).parent
SOURCES = sorted((PACKAGE / "pages" / "notation").glob("*.py"))
MESSAGES = PACKAGE / "pages" / "messages" / "notation.toml"
EXAMPLES = {example.name: example for section in notation.SECTIONS for example in section.examples}


@pytest.fixture(scope="module")
def made() -> Any:
    return notation.document()


def blocks_of(example: Example) -> list[Block]:
    return list(page._Page().example(example))


def test_names_are_used_once() -> None:
    sections = [section.name for section in notation.SECTIONS]
    assert len(set(sections)) == len(sections)
    assert len(EXAMPLES) == sum(len(section.examples) for section in notation.SECTIONS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_reads_as_it_promises(name: str) -> None:
    example = EXAMPLES[name]
    assert tuple(map(summary, cells(example))) == example.expects
    for spelling in example.also:
        assert model.same(example, spelling), f"{spelling.text} is not the cell of {example.text}"
    blocks = blocks_of(example)
    assert any(isinstance(block, Code) and block.text == example.text for block in blocks)
    formulas = sum(isinstance(block, Formula) for block in blocks)
    assert formulas >= example.forward + len(example.gradients) + len(example.jacobians)
    assert example.over == any(isinstance(block, Table) and block.rows for block in blocks)


@pytest.mark.parametrize("one", notation.REFUSED, ids=[one.text for one in notation.REFUSED])
def test_a_refusal_is_one_and_its_way_out_is_read(one: Any) -> None:
    error = model.refused(one.text)
    assert error is not None, f"{one.text} is read"
    assert one.message in str(error)
    assert str(error).startswith("notes.md:1: ") and "^" in str(error).split("\n")[-1]
    if one.instead:
        assert len(reading(one.instead).cells) == 1


def test_every_activation_is_listed_and_read_by_each_of_its_names(made: Any) -> None:
    shown = markdown(made)
    for name in activations.names():
        entry = activations.find(name)
        assert entry is not None
        words = [rf"\operatorname{{{word}}}".replace("_", r"\_") for word in (name, *entry.aliases)]
        assert functions.written(entry) == tuple(dict.fromkeys((entry.tex, *words))), name
        for written in functions.written(entry):
            assert f"`{written}`" in shown


def test_every_name_that_is_open_by_itself_is() -> None:
    for name in OPEN_NAMES:
        written = name if len(name) == 1 else f"\\{name}"
        (cell,) = reading(f"h_t = {written}(W x_t + R h_{{t-1}})").cells
        assert cell.open_functions == (name,)
        assert f"${written}$" in str(EXAMPLES["open"].says)


def test_every_greek_letter_is_a_name_in_each_of_its_forms() -> None:
    for macro in syntax.macros("GREEK"):
        name = macro.removeprefix("\\")
        forms = {f"{macro}_a": f"{name}_a", rf"\var{name}_a": f"var{name}_a"}
        if name != "ell":
            case = "SMALL" if name.islower() else "CAPITAL"
            sign = unicodedata.lookup(f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
            forms[f"{sign}_a"] = f"{name}_a"
        for written, expected in forms.items():
            assert names.named(written)[1] == expected


def parsed(monkeypatch: pytest.MonkeyPatch) -> list[lark.Tree[Any]]:
    """Every tree that the reader parses while the page's examples and names are made, refusals aside."""
    found: list[lark.Tree[Any]] = []
    parser = syntax._parser()

    class Recorder:
        terminals = parser.terminals

        def parse(self, text: str, start: str) -> lark.Tree[Any]:
            found.append(parser.parse(text, start=start))
            return found[-1]

    monkeypatch.setattr(syntax, "_parser", Recorder)
    for example in EXAMPLES.values():
        blocks_of(example)
    for table in (names.table, functions.table):
        list(table())
    return found


def test_the_page_has_every_rule_and_every_sign_of_the_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = parsed(monkeypatch)
    rules = {str(tree.data) for found in trees for tree in found.iter_subtrees()}
    tokens = [token for found in trees for token in found.scan_values(lambda value: isinstance(value, lark.Token))]
    written: dict[str, set[str]] = {}
    for token in tokens:
        written.setdefault(token.type, set()).add(str(token))
    parser = lark.Lark(
        (PACKAGE / "equations" / "grammar.lark").read_text(encoding="utf-8"), start=["equation", "declaration", "body"]
    )
    heads = {str(token).split("{")[0].strip() for token in tokens}
    assert {str(rule.alias or rule.origin.name) for rule in parser.rules if _own(rule)} <= rules
    for terminal in parser.terminals:
        if terminal.name == "WS":
            continue
        assert terminal.name in written, f"no example has a {terminal.name}"
        signs = {sign for sign in terminal.pattern.value if ord(sign) > 127} if terminal.name != "GREEK" else set()
        macros = set(syntax.macros(terminal.name)) if terminal.name != "GREEK" else set()
        assert signs <= set("".join(written[terminal.name])), terminal.name
        assert macros <= heads, terminal.name


def _own(rule: Any) -> bool:
    """Whether a rule of the parser is one of the grammar's that leaves a node: not a repetition, not inlined."""
    name = str(rule.origin.name)
    return bool(rule.alias) or not (name.startswith("_") or rule.options.expand1)


def test_every_environment_is_an_example() -> None:
    shown = {spelling.shown for spelling in EXAMPLES["environments"].also}
    assert set(source.ENVIRONMENTS) <= shown
    assert {f"{name}*" for name in ("align", "eqnarray", "gather", "equation")} <= shown


def test_a_spelling_that_gives_another_cell_is_not_shown() -> None:
    text = r"h_t = \tanh(W x_t + R h_{t-1})"
    right = in_place(text, r"\tanh", r"\operatorname{tanh}")
    wrong = in_place(text, r"\tanh", r"\sigma", r"\foo")
    (shown,) = (
        str(b.text)
        for b in blocks_of(Example("planted", "", text, (), also=(*right, *wrong)))
        if "same" in str(getattr(b, "text", ""))
    )
    assert r"\operatorname{tanh}" in shown and "sigma" not in shown and "foo" not in shown


def test_what_is_said_of_a_text_is_what_was_read() -> None:
    def said(text: str) -> str:
        return " ".join(
            str(block.text) for block in blocks_of(Example("planted", "", text, ())) if isinstance(block, Paragraph)
        )

    assert "`u` (hidden)" in said(r"h_t = \tanh(W x_t + u \odot h_{t-1})")
    assert "`u` (a scalar)" in said(r"h_t = \tanh(W x_t + u h_{t-1}), u \in \mathbb{R}")
    assert "**left open** `g`" in said("h_t = g(h_{t-1})") and "left open" not in said("h_t = R h_{t-1} + x_t")
    assert "simple_rnn" in said(r"h_t = \tanh(W x_t + R h_{t-1} + b)")
    assert "simple_rnn" not in said(r"h_t = \sigma(W x_t + R h_{t-1} + b)")


def test_cells_are_alike_by_what_they_compute() -> None:
    def one(text: str) -> Any:
        return reading(text).cells[0]

    assert alike(one("o_l = f(o_{l-1}) \\\\ f(o) = W o"), one("o_l = f(o_{l-1}) \\\\ f(x) = W x"))
    assert not alike(one("o_l = f(o_{l-1}) \\\\ f(o) = W o"), one("o_l = f(o_{l-1}) \\\\ f(o) = W W o"))
    assert not alike(one("h_t = W h_{t-1}"), one("h_t = W^\\top h_{t-1}"))


def test_the_limits_are_the_readers() -> None:
    head = "$$ h_t = x_t + h_{t-1} $$"
    texts = {
        source.MAX_DEPTH: lambda n: f"$$h_t = {'(' * n}x_t{')' * n} + h_{{t-1}}$$",
        source.MAX_EQUATIONS: lambda n: f"{head}\n" * n,
        source.MAX_TEXT: lambda n: head.ljust(n),
        source.MAX_LENGTH: lambda n: f"$${head.strip('$ ')}{'+x_t' * n}"[: n + 2].rstrip("+x_") + "$$",
    }
    (table,) = (block for block in refused.limits() if isinstance(block, Table))
    assert {int(row[1].replace(",", "")) for row in table.rows} == set(texts)
    for most, text in texts.items():
        assert len(reading(text(most)).cells) == 1
        error = model.refused(text(most + 4))
        assert error is not None and f"{most}" in str(error)


def test_the_activation_of_ones_own_runs(made: Any) -> None:
    assert any(isinstance(block, Code) and block.text == functions.OWN for block in made.blocks)
    code = f"{functions.OWN}\nprint(cell.equations[0].expression.function.expr.func.__name__, len(cell.parameters))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["bent", "3"]


def test_the_page_is_the_same_twice_and_in_both_languages(made: Any) -> None:
    again = notation.document()
    assert made.name == "notation"
    texts = {language: markdown(made, language) for language in ("en", "ja")}
    assert texts == {language: markdown(again, language) for language in ("en", "ja")}
    anchors = [block.anchor for block in made.blocks if isinstance(block, Heading)]
    assert anchors == [section.name for section in notation.SECTIONS]
    assert texts["en"] != texts["ja"]
    for language, text in texts.items():
        fences = [line for line in text.split("\n") if line.startswith("```")]
        assert len(fences) % 2 == 0, language
        assert all(fence == "```" for fence in fences[1::2]), language


def _templates() -> Iterator[str]:
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == say.__name__:
                assert isinstance(node.args[0], ast.Constant), f"{file.name}: say takes a literal"
                yield node.args[0].value


def test_every_text_has_its_japanese_and_none_is_left_over() -> None:
    entries = tomllib.loads(MESSAGES.read_text(encoding="utf-8"))["message"]
    assert {entry["en"] for entry in entries} == set(_templates())
    for entry in entries:
        fields = [sorted(name for _, name, _, _ in string.Formatter().parse(entry[key]) if name) for key in ("en", "ja")]
        assert fields[0] == fields[1], entry["en"]
