"""`rnnproof report`: what it writes, the same bytes every time, and what it says of a check that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnproof.errors import UsageError
from rnnproof.reporting import files, report
from rnnproof.verification import Evidence, check
from rnnproof.verification.evidence import Row


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two cells and one oracle: the rest takes a minute and is tested where it is made."""
    monkeypatch.setattr(report.catalogue, "names", lambda: ("shortcut", "simple_rnn"))
    monkeypatch.setattr(report, "check", lambda name, progress: check(name, oracles=["complex"], progress=progress))
    return monkeypatch


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("short")
def test_a_report_is_complete_and_the_same_every_time(tmp_path: Path) -> None:
    written = [report.write(tmp_path / name) for name in ("one", "two")]
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert set(one) == {"derivations/shortcut.md", "derivations/simple_rnn.md", "checks.md"}
    assert one == two
    assert all(found.ok for found in written)
    assert str(tmp_path / "one" / "checks.md") in written[0].lines[-1] and "all hold" in written[0].lines[-1]
    assert "hidden=3, input=3" in one["checks.md"] and "initial h" in one["checks.md"]


def test_a_failed_check_is_told(short: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = Row("simple_rnn", "W", "complex", "float64", "T=2", 1.0, 1e-12, "rounding", "FAIL")
    short.setattr(report, "check", lambda name, progress: Evidence((row,)))
    written = report.write(tmp_path)
    assert not written.ok
    assert "NOT all hold" in written.lines[-1] and any("gradient W" in line for line in written.lines)
    assert "2 FAIL" in (tmp_path / "checks.md").read_text(encoding="utf-8")


def test_nothing_is_written_where_one_file_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="folder"):
        files.write({tmp_path / "good": "text", tmp_path / "folder": "text"})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_link_and_a_files_mode_survive(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    files.write({tmp_path / "link": "new"})
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
