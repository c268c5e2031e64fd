"""The catalogue against the source: every text is in it, in both languages, with the same places; nothing else is."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import rnnproof
from rnnproof.equations import catalogue as cells
from rnnproof.pages.cell_page import escaped
from rnnproof.pages.message import catalogue, say

FILES = sorted(Path(rnnproof.__file__).parent.rglob("*.py"))
ABOUT_CELLS = {escaped(text) for name in cells.names() for text in cells.about(name)}


def said(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call of `say`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
            yield node


def literals() -> dict[str, str]:
    """Every template in the source, and the file it stands in."""
    found = {}
    for file in FILES:
        for call in said(ast.parse(file.read_text(encoding="utf-8"))):
            template = call.args[0]
            assert isinstance(template, ast.Constant), f"{file}:{call.lineno}: say() takes a literal"
            assert fits(call), f"{file}:{call.lineno}: the places of the text are not its values"
            found[template.value] = file.name
    return found


def fits(call: ast.Call) -> bool:
    """Whether the values beside a literal template are its places; values handed on with ** are not known here."""
    values = {keyword.arg for keyword in call.keywords}
    assert isinstance(call.args[0], ast.Constant)
    return None in values or values == {name for name, _ in places(call.args[0].value)}


def places(template: str) -> set[tuple[str, str]]:
    """The named places of a template with their formats."""
    return {(name, form or "") for _, name, form, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.slow
def test_every_text_of_the_source_is_in_the_catalogue() -> None:
    missing = {template: file for template, file in literals().items() if template not in catalogue("ja")}
    assert not missing


def test_the_catalogue_holds_nothing_that_is_never_said() -> None:
    assert not catalogue("ja").keys() - literals().keys() - ABOUT_CELLS


def unlike(template: str, translated: str) -> bool:
    """Whether a translation is missing, or has other places, math, code or links than its template."""
    links = [sorted(re.findall(r"\]\((.*?)\)", text)) for text in (template, translated)]
    marks = [(text.count("$"), text.count("`")) for text in (template, translated)]
    missing = not translated and template != " "
    return missing or places(translated) != places(template) or marks[0] != marks[1] or links[0] != links[1]


def test_both_languages_have_the_same_places() -> None:
    assert len(catalogue("ja")) > 500
    assert [template for template, translated in catalogue("ja").items() if unlike(template, translated)] == []


@pytest.mark.parametrize("translated", ["", "{m} 歩", "{n} $歩", "{n} `歩`", "{n} [歩](page:other)"])
def test_a_translation_that_lost_something_is_seen(translated: str) -> None:
    assert unlike("{n} [steps](page:flow)", translated)
    assert not unlike("{n} [steps](page:flow)", "{n} [歩](page:flow)")


def test_a_text_that_is_no_literal_would_be_seen() -> None:
    (call,) = said(ast.parse("say(f'{x} of {y}')"))
    assert not isinstance(call.args[0], ast.Constant)


@pytest.mark.parametrize(("text", "right"), [("say('{n} steps', n=3)", True), ("say('{n} steps', m=3)", False)])
def test_a_value_under_another_name_would_be_seen(text: str, right: bool) -> None:
    (call,) = said(ast.parse(text))
    assert fits(call) is right


@pytest.mark.parametrize(("template", "values"), [(r"$\frac{a}{b}$", {}), ("{n} steps", {}), ("steps", {"n": 3})])
def test_a_brace_of_tex_or_a_forgotten_value_is_told_where_it_is_said(template: str, values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="has the places"):
        say(template, **values)
