"""`rnnproof report`: what it writes, the same bytes every time, and what it says of a check that fails."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from rnnproof.cli import main
from rnnproof.equations import catalogue
from rnnproof.errors import UsageError
from rnnproof.pages import cell_page, files, report
from rnnproof.pages.message import catalogue as messages
from rnnproof.study import claims
from rnnproof.study.experiments import experiments
from rnnproof.study.report_chapter import StudyChapter
from rnnproof.verification import Evidence, check
from rnnproof.verification.evidence import Row
from tests.pages.site import LANGUAGES, ROOT, SIZES, english

pytestmark = [pytest.mark.slow]

DOCUMENT = r"$h_t = \tanh(W x_t + R h_{t-1} + b)$ and, for a stack, $o^{(l)} = f^{(l)}(o^{(l-1)}) + o^{(l-1)}$."


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two cells, one oracle, three claims: the rest takes a minute and is tested where it is made."""
    ledger = claims.ledger
    monkeypatch.setattr(report.catalogue, "names", lambda: ("shortcut", "simple_rnn"))
    monkeypatch.setattr(report, "check", lambda name, progress: check(name, oracles=["complex"], sizes=[SIZES]))
    names = ("units-is-length", "cliff-thrown", "shortcut-one-plus")
    monkeypatch.setattr(claims, "ledger", lambda sources, progress: ledger(sources, names))
    return monkeypatch


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in (".html", ".md", ".svg")
    }


@pytest.mark.usefixtures("short")
def test_a_report_is_complete_and_the_same_every_time(tmp_path: Path) -> None:
    written = [report.write(tmp_path / name, chapters=[StudyChapter(tmp_path / name)]) for name in ("one", "two")]
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    pages = {"claims", "checks", "how-it-works", "notation"}
    assert set(one) == {
        *(f"{name}.html" for name in ("index", "shortcut", "simple_rnn", *pages)),
        *(f"{name}.md" for name in ("README", "derivations/shortcut", "derivations/simple_rnn", *pages)),
        *(f"figures/dataflow-{name}.svg" for name in ("shortcut", "simple_rnn")),
    }
    assert one == two
    assert all(found.ok for found in written)
    first, second, third = written[0].lines
    assert "comparisons by 1 oracles; all hold" in first and "of them made now" in second and "index.html in a browser" in third
    assert "complex" in written[0].details and "measured with" in written[0].details
    assert "hidden=3, input=3" in one["checks.md"] and "initial h" in one["checks.md"]
    assert "rnnproof experiment cliff" in one["README.md"], "an experiment that was not run is named with its command"
    assert "not measured here" in one["claims.md"] and "not as stated" in one["claims.md"]


def test_a_failed_check_is_told(short: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = Row("simple_rnn", "W", "complex", "float64", "T=2", 1.0, 1e-12, "rounding", "FAIL")
    short.setattr(report, "check", lambda name, progress: Evidence((row,)))
    written = report.write(tmp_path, chapters=[StudyChapter(tmp_path)])
    assert not written.ok
    assert "NOT all hold" in written.lines[-3] and any("gradient W" in line for line in written.lines)
    assert "1 FAIL" in (tmp_path / "derivations" / "simple_rnn.md").read_text(encoding="utf-8")
    assert '<span class="tone bad">' in (tmp_path / "checks.html").read_text(encoding="utf-8")


def test_a_document_of_ones_own_gets_the_same_page(
    short: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.md").write_text(DOCUMENT)
    output = tmp_path / "out"
    assert main(["report", str(tmp_path / "notes.md"), "--output", str(output), "--lang", "ja"]) == 0
    assert "all hold" in capsys.readouterr().out
    (recurrent,) = (text for name, text in contents(output).items() if name.endswith(".html") and "R h" in text)
    assert 'lang="ja"' in recurrent and "逆方向の1ステップ" in recurrent and "--cell" in recurrent
    (opened,) = (
        text for name, text in contents(output).items() if name.endswith(".html") and "J_{f" in text and "R h" not in text
    )
    assert "--bind" in opened and 'id="code"' not in opened, "a function left open has no code yet"
    bound = ["report", str(tmp_path / "notes.md"), "--bind", r"f=\tanh(W o + b)", "--output", str(tmp_path / "bound")]
    assert main(bound) == 0
    assert sum('id="code"' in text for text in contents(tmp_path / "bound").values()) == 2


def test_only_the_page_that_is_asked_for_is_written(short: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert main(["report", "simple_rnn", "--output", str(tmp_path)]) == 0
    assert set(contents(tmp_path)) == {"simple_rnn.html", "derivations/simple_rnn.md", "figures/dataflow-simple_rnn.svg"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.md"], "nothing.md: neither a file nor a cell"),
        (["lstm", "--lang", "de"], "'de' is not one of"),
        (["notes.md"], "notes.md: no system of equations found"),
        (["lstm", "--bind", "f=x"], "no selected cell leaves f open"),
    ],
)
def test_bad_input_is_one_message_and_nothing_written(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("Nothing.")
    assert main(["report", *arguments, "--output", "out"]) == 2
    assert says in capsys.readouterr().err and not Path("out").exists()


def test_a_page_of_its_own_keeps_its_place_among_the_others(short: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Written again by itself, a catalogue cell's page is the one that the whole report wrote."""
    for part in ("findings", "figures", "tables"):
        shutil.copytree(ROOT / "reports" / part, tmp_path / part)
    report.write(tmp_path, languages=("ja",), chapters=[StudyChapter(tmp_path)])
    report.write(tmp_path, chapters=[StudyChapter(tmp_path)])
    before = contents(tmp_path)
    assert 'href="simple_rnn.ja.html"' in before["simple_rnn.html"] and "flow-time" in before["simple_rnn.html"]
    assert main(["report", "simple_rnn", "--output", str(tmp_path)]) == 0
    assert contents(tmp_path) == before
    (tmp_path / "simple_rnn.md").write_text(r"$h_t = \tanh(W x_t + R h_{t-1} + b)$")
    assert main(["report", str(tmp_path / "simple_rnn.md"), "--output", str(tmp_path)]) == 2
    assert main(["report", str(tmp_path / "simple_rnn.md"), "--output", str(tmp_path / "elsewhere")]) == 0


@pytest.mark.parametrize("name", ["index", "README", "claims", "Checks", "notation", "cliff"])
def test_a_document_of_a_pages_name_is_refused_anywhere(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.md").write_text(r"$h_t = \tanh(W x_t + R h_{t-1} + b)$")
    assert main(["report", f"{name}.md", "--output", "out"]) == 2
    assert "there is another page of that name; give the document" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.md"]


@pytest.mark.parametrize("there", ["index.html", "index.ja.html", "derivations/lstm.md"])
def test_a_document_does_not_take_a_catalogue_cells_place(
    there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where a file system takes LSTM.html and lstm.html for one."""
    monkeypatch.chdir(tmp_path)
    Path("out", there).parent.mkdir(parents=True)
    Path("out", there).write_text("a site")
    Path("LSTM.md").write_text(r"$h_t = \tanh(W x_t + R h_{t-1} + b)$")
    assert main(["report", "LSTM.md", "--output", "out"]) == 2
    assert "cell LSTM: there is another page of that name" in capsys.readouterr().err
    assert [path.as_posix() for path in Path("out").rglob("*") if path.is_file()] == [f"out/{there}"]


def test_results_that_were_damaged_are_told(short: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "cliff.json").write_text("{}")
    with pytest.raises(UsageError, match=r"cliff\.json"):
        report.write(tmp_path, chapters=[StudyChapter(tmp_path)])
    shutil.copy(ROOT / "reports" / "findings" / "cliff.json", tmp_path / "findings")
    with pytest.raises(UsageError, match=r"cliff-contour\.svg: cannot be read"):
        report.write(tmp_path, chapters=[StudyChapter(tmp_path)])


def test_the_committed_pages_are_those_that_are_made_now(folder: Path) -> None:
    """Every byte: what this machine's check finds of the evidence is on record, and so leaves it."""
    names = {path.stem.partition(".")[0] for path in folder.glob("*.html")}
    assert names == {*catalogue.names(), *experiments(), "index", "claims", "checks", "how-it-works", "notation"}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".md", ".svg")):
        committed = ROOT / "reports" / path.relative_to(folder)
        same = committed.read_bytes() == path.read_bytes()
        assert same, f"{committed}: run `rnnproof report {' '.join(f'--lang {one}' for one in LANGUAGES)}`"


def test_no_english_is_left_on_the_japanese_pages(folder: Path) -> None:
    """What GitHub does not take for math stands apart, too: a dollar sign with a letter that is no ASCII at its side."""
    assert english("勾配 of the pairs of runs") and not english('`a b c d` 勾配 SGD clipnorm "a book of that name"')
    pages = sorted(folder.rglob("*.ja.md"))
    assert len(pages) == len(catalogue.names()) + len(experiments()) + 5
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert not english(text), path.name
        prose = re.sub(r"```.*?```|\$\$.*?\$\$|`[^`]*`", " ", text, flags=re.S)
        for math in re.finditer(r"\$[^$\n]+\$", prose):
            sides = prose[math.start() - 1] + prose[math.end() : math.end() + 1]
            assert sides.isascii(), (path.name, prose[math.start() - 20 : math.end() + 5])


def test_pages_are_small_enough_to_send(folder: Path) -> None:
    assert len(list(folder.glob("*.html"))) == len(list(folder.rglob("*.md")))
    for path in folder.glob("*.html"):
        assert path.stat().st_size < 2_000_000, path.name


@pytest.mark.parametrize("name", catalogue.names())
def test_the_catalogues_words_are_in_both_languages(name: str) -> None:
    assert {cell_page.escaped(text) for text in catalogue.about(name)} <= messages("ja").keys()


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
