"""A whole report as the tests need it: everything as it is, but for the checks: one oracle, one size; the rest is on record."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from rnnproof.pages import report
from rnnproof.study.report_chapter import StudyChapter
from rnnproof.verification import check
from rnnproof.verification.sample import DEFAULT_SIZES

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "ja")
SIZES = {"T": 3, "B": 2, "input": 4, "hidden": 5}


def site(folder: Path) -> Path:
    """The report in both languages, with the committed results of the experiments."""
    for part in ("findings", "figures", "tables"):
        shutil.copytree(ROOT / "reports" / part, folder / part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "check", lambda cell, progress: check(cell, oracles=["complex"], sizes=DEFAULT_SIZES[:1]))
        written = report.write(folder, languages=LANGUAGES, chapters=[StudyChapter(folder)])
    assert written.ok
    return folder


def english(markdown: str) -> list[str]:
    """Runs of four English words that are no code, math, target of a link, quotation or part of a fenced block."""
    prose = re.sub(
        r"```.*?```|\$\$.*?\$\$|\"[^\"]*\"|`[^`]*`|\$[^$]*\$|\]\([^)]*\)|<code>.*?</code>", " ", markdown, flags=re.S
    )
    return re.findall(r"(?:\b[a-z]{2,}[ ,]+){3}[a-z]{2,}\b", prose)


if __name__ == "__main__":
    site(Path(sys.argv[1]))
