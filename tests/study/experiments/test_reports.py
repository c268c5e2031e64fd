"""`rnnproof experiment NAME --quick`: every page, table and figure is there, says what it shows, and is the same each time."""

from __future__ import annotations

import csv
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from rnnproof.cli import main
from rnnproof.errors import UsageError
from rnnproof.pages.message import listed, say
from rnnproof.pages.writers.markdown import markdown
from rnnproof.study import experiment_pages as pages
from rnnproof.study import experiments, figure_style
from rnnproof.study.sweep import record
from rnnproof.study.sweep.findings import CONDITION, HOLDS, NOT, Findings, Statement, Table
from tests.pages.site import english

pytestmark = [pytest.mark.slow]

TIMED = ("gru-vs-lstm", "unroll")


@pytest.mark.parametrize("name", experiments.experiments())
def test_an_experiment_from_the_command_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Any] = []
    rendered = figure_style.Drawing.rendered
    monkeypatch.setattr(figure_style.Drawing, "rendered", lambda self: figures.append(_labels(self.figure)) or rendered(self))
    line = ["experiment", name, "--quick", "--out", str(tmp_path)]
    assert main(line) == 0
    told = capsys.readouterr()
    assert [p.name for p in tmp_path.iterdir()] == ["quick"], "a quick run has a folder of its own"
    outer, tmp_path = tmp_path, tmp_path / "quick"
    page = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert re.search(rf"{name}: \d+ trials run, 0 found done", told.out) and not told.err
    verdicts = re.findall(rf"\| ({HOLDS}|{CONDITION}|{NOT}) +\|", page)
    assert not verdicts and "too few for a verdict" in page
    # every figure and table of the page is there, with a caption; every axis has its label
    shown = re.findall(r"!\[[^\]]{40,}\]\((figures/[\w-]+\.svg)\)\n\n\*(.+)\*\n", page)
    assert shown and len(shown) == page.count("![") and all(len(caption) > 60 for _, caption in shown)
    for place, _ in shown:
        ElementTree.parse(tmp_path / place)
        width, height = struct.unpack(">II", (tmp_path / place.replace(".svg", ".png")).read_bytes()[16:24])
        assert width == 1080 and 300 < height < 1200
    assert len(figures) == len(shown) and all(labels and all(labels) for labels in figures)
    tables = re.findall(r"\(tables/([\w-]+)\.csv\)", page)
    assert tables and sorted(p.stem for p in tmp_path.glob("tables/*.csv")) == sorted(tables)
    for table in tables:
        rows = list(csv.reader((tmp_path / "tables" / f"{table}.csv").read_text().splitlines()))
        assert len(rows) > 1 and {len(row) for row in rows} == {len(rows[0])}
        assert r"\toprule" in (tmp_path / "tables" / f"{table}.tex").read_text()
    # the page is made of the record alone, in either language
    found = record.read(tmp_path, name)
    assert record.load(record.dump(found)) == found
    assert markdown(pages.document(found), link=pages.link) == page
    translated = markdown(pages.document(found), "ja", pages.link)
    assert not english(translated)
    # again: nothing is run, and every byte is the same
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "sqlite" not in p.name}
    assert main(line) == 0
    assert re.search(rf"{name}: 0 trials run, \d+ found done", capsys.readouterr().out)
    assert {p: p.read_bytes() for p in before} == before
    if name not in TIMED:
        assert main(["experiment", name, "--quick", "--out", str(outer / "other"), "--jobs", "1"]) == 0
        other = outer / "other" / "quick"
        capsys.readouterr()
        assert {p.relative_to(tmp_path): data for p, data in before.items()} == {
            p.relative_to(other): p.read_bytes() for p in other.rglob("*") if p.is_file() and "sqlite" not in p.name
        }


def _labels(figure: Any) -> list[str]:
    """What each row and column of axes is labelled with; a shared axis is labelled once."""
    labels = []
    for axes in figure.axes:
        if hasattr(axes, "get_zlabel"):
            labels += [axes.get_xlabel(), axes.get_ylabel(), axes.get_zlabel()]
            continue
        spec = axes.get_subplotspec()
        shared_x = len(axes.get_shared_x_axes().get_siblings(axes)) > 1 and spec is not None and not spec.is_last_row()
        shared_y = spec is not None and not spec.is_first_col()
        if axes.get_label() != "<colorbar>":
            labels += [axes.get_xlabel() or ("shared" if shared_x else "")]
        labels += [axes.get_ylabel() or ("shared" if shared_y else "")]
    return labels


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["experiment"], "Missing argument 'NAME...'"),
        (["experiment", "cliffs"], "there is no experiment 'cliffs'; there are cliff, flow, clipping"),
        (["experiment", "cliff", "flows"], "there is no experiment 'flows'"),
        (["experiment", "cliff", "--quick", "--full"], "--quick and --full: give one of them"),
        (["experiment", "cliff", "--jobs", "0"], "0 is not in the range x>=1"),
        (["experiment", "cliff", "--seed", "-1"], "-1 is not in the range x>=0"),
        (["experiment", "cliff", "--out", "/proc/none"], "/proc/none/trials.sqlite: cannot be opened"),
    ],
)
def test_bad_input_is_told(
    line: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line) == 2
    said = capsys.readouterr()
    assert told in said.err and said.err.count("\n") == 1 and not said.out
    assert not list(tmp_path.iterdir())


RECORD = record.Record(
    "cliff",
    say("Tables"),
    "rnnproof experiment cliff",
    3,
    Findings(
        ("plain",),
        (Table("t-1", say("says"), ("a", say("loss")), ((np.int64(1), None), (np.float64(0.5), listed(["x", say("loss")])))),)
        + (Table("t-2", "says", ("a",), ((1,),), page=False),),
        (Statement("one", say("claim"), HOLDS, say("{n} runs", n=np.int64(3))),),
    ),
    (record.Shown("cliff-1", "caption", say("what is drawn")),),
)
GOOD = record.dump(RECORD)


def test_a_record_comes_back_as_it_was_but_for_the_rows_that_are_on_no_page() -> None:
    found = record.load(GOOD)
    first, second = found.findings.tables
    assert first == RECORD.findings.tables[0] and second.rows == () and not second.page
    assert found.findings.statements[0].evidence.text() == "3 runs" and record.dump(found) == GOOD
    infinite = replace(RECORD, findings=replace(RECORD.findings, tables=(replace(first, rows=((float("inf"), 1),)),)))
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.dump(infinite)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("", "is no record of this version"),
        ('{"format": 0}', "is no record of this version"),
        ('{"format": 1, "name": "cliff"}', "is no record of this version"),
        ("[1, 2]", "is no record of this version"),
        (GOOD.replace("holds", "bogus"), "bogus is no verdict"),
        (GOOD.replace('"n": 3', '"m": 3'), "is no record of this version"),
        (GOOD.replace('"cliff-1"', '"../../cliff"'), "is no name of a file"),
    ],
)
def test_a_record_that_is_missing_or_damaged_is_told(text: str | None, told: str, tmp_path: Path) -> None:
    if text is not None:
        record.path(tmp_path, "cliff").parent.mkdir()
        record.path(tmp_path, "cliff").write_text(text)
    with pytest.raises(UsageError, match=f"{told}.*run `rnnproof experiment cliff --out"):
        record.read(tmp_path, "cliff")


def test_tables_in_four_formats() -> None:
    table = Table("t", "says", ("a, b", "x_1"), ((1, 0.5), ("100 %", None)))
    assert pages.comma_separated(table) == '"a, b",x_1\n1,0.5\n100 %,\n'
    assert pages.shown(table, "github").splitlines()[2].split() == ["|", "1", "|", "0.5", "|"]
    assert r"100 \%" in pages.shown(table, "latex_booktabs") and r"x\_1" in pages.shown(table, "latex_booktabs")
    assert pages.shown(table, "simple").splitlines()[0].split() == ["a,", "b", "x_1"]


def test_every_course_has_a_look_of_its_own() -> None:
    """Nobody needs the colours: each series has a marker and a dash of its own, and there are never more series than looks."""
    assert len(set(figure_style.COLOURS)) == len(set(figure_style.MARKERS)) == len(set(map(str, figure_style.DASHES))) == 7
    with pytest.raises(AssertionError, match="more courses in one panel"):
        figure_style.line(None, 7, [], [])
