"""The page "How it works" is true: its code, run from top to bottom, prints what stands below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rnnproof.pages import how_it_works
from rnnproof.pages.writers.markdown import markdown

PAGE = Path(__file__).parents[2] / "reports" / "how-it-works.md"


@pytest.mark.slow
def test_the_code_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(python|text)\n(.*?)\n```$", text, re.M | re.S)
    namespace: dict[str, object] = {}
    ran = 0
    for (kind, code), (following, output) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python" and following == "text":
            exec(compile(code, "how-it-works", "exec"), namespace)
            assert capsys.readouterr().out.rstrip("\n") == output
            ran += 1
    assert ran == 6


@pytest.mark.slow
def test_the_page_shows_a_refuted_fault_and_is_short() -> None:
    text = markdown(how_it_works.document(), "en")
    assert "REFUTED: d x1 is off by" in text and "REFUTED: d loss / d W" in text
    assert len(text.splitlines()) < 250
