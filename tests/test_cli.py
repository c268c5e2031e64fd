"""The command line: what it prints and writes, and its exit status for every kind of fault."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rnnproof.cli import console
from rnnproof.cli.commands import cli, main
from rnnproof.equations import catalogue

# Two systems: one with a function left open, in a line of prose, and a plain recurrent cell in a display.
DOCUMENT = r"""# 二つの層

第l層の出力を $o^{(l)} = f^{(l)}(o^{(l-1)}) + o^{(l-1)}$ とする。ノルムは $||v||_2$ と書く。

$$
h_t = \tanh(W x_t + R h_{t-1} + b)
$$
"""
BODY = r"f=\tanh(W o + b)"


class Ran(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def runner(*arguments: str | Path) -> Ran:
        status = main([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return runner


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "two.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    return path


def faulty(ran: Ran, *words: str) -> None:
    """Status 2, nothing on stdout, one message without a traceback that has the words."""
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("rnnproof: ") and ran.err.count("rnnproof: ") == 1 and "Traceback" not in ran.err
    for word in words:
        assert word in ran.err


def test_cells_lists_the_catalogue(run: Run) -> None:
    ran = run("cells")
    assert ran.status == 0
    rows = [line for line in ran.out.splitlines()[2:] if not line.startswith(" ")]  # a long list goes on below
    assert {line.split()[0] for line in rows} == set(catalogue.names())


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_help_shows_an_example(run: Run, command: str) -> None:
    ran = run(command, "--help")
    assert ran.status == 0
    assert f"Example: rnnproof {command}" in ran.out


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_derive_leaves_an_open_function_open_and_lists_what_it_passed_over(run: Run, document: Path, form: str) -> None:
    ran = run("derive", document, "--format", form)
    assert ran.status == 0
    written = ran.out.replace(r"\_", "_")
    assert "J_" in written and "two_o" in written and "two_h" in written
    assert "two.md: passed over, " in ran.err and "||v||_2 (line 3)" in ran.err


def test_derive_writes_latex_documents_one_for_each_cell(run: Run, document: Path, tmp_path: Path) -> None:
    faulty(run("derive", document, "--format", "latex", "--cell", "nonsense"), "two_h")
    assert run("derive", document, "--format", "latex").status == 2
    assert run("derive", document, "--format", "latex", "--output", f"{tmp_path}/tex/").status == 0
    texts = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "tex").iterdir()}
    assert sorted(texts) == ["two_h.tex", "two_o.tex"]
    assert all(text.count(r"\documentclass") == 1 for text in texts.values())


def test_derive_writes_what_it_prints(run: Run, tmp_path: Path) -> None:
    printed = run("derive", "simple_rnn", "--format", "markdown").out
    assert run("derive", "simple_rnn", "--format", "markdown", "--output", tmp_path / "new" / "a.md").status == 0
    assert (tmp_path / "new" / "a.md").read_text(encoding="utf-8") == printed


def test_generate_prints_a_module(run: Run) -> None:
    ran = run("generate", "simple_rnn")
    assert ran.status == 0
    compile(ran.out, "generated", "exec")
    assert "def backward" in ran.out


def test_generate_writes_one_file_for_each_cell(run: Run, document: Path, tmp_path: Path) -> None:
    assert run("generate", document, "--bind", BODY, "--output", f"{tmp_path}/made/").status == 0
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["two_h.py", "two_o.py"]


def test_generate_writes_nothing_where_one_cell_is_at_fault(run: Run, document: Path, tmp_path: Path) -> None:
    faulty(run("generate", document, "--output", f"{tmp_path}/made/"), "two_o", "f", "--bind")
    assert not (tmp_path / "made").exists()


def test_a_failed_write_leaves_what_was_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    faulty(run("generate", "simple_rnn", "--output", tmp_path / "file" / "a.py"), "cannot be written")
    faulty(run("generate", "simple_rnn", "--output", "/dev/null"), "not a plain file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "mine"


def test_check_of_a_document_binds_and_compares(run: Run, document: Path) -> None:
    ran = run("check", document, "--bind", BODY, "--oracle", "complex", "--oracle", "autograd")
    assert ran.status == 0, ran.err
    assert [line.split()[:2] for line in ran.out.splitlines()[2:]] == [
        [cell, oracle] for cell in ("two_o", "two_h") for oracle in ("complex", "autograd")
    ]
    assert ran.out.count("pass") == 4


def test_check_as_json_has_every_comparison(run: Run) -> None:
    rows = json.loads(run("check", "simple_rnn", "--oracle", "complex", "--json").out)
    assert {row["gradient"] for row in rows} == {"W", "R", "b", "inputs", "initial h"}
    assert all(row["verdict"] == "pass" and row["error"] <= row["tolerance"] for row in rows)


@pytest.mark.slow
def test_check_of_ones_own_module_finds_a_planted_fault(run: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    text = run("generate", "simple_rnn").out
    good.write_text(text)
    wrong = text.replace("d_h += seed_h", "d_h -= seed_h")
    assert wrong != text
    bad.write_text(wrong)
    assert run("check", "--module", good, "--oracle", "complex").status == 0
    assert run("check", "simple_rnn", "--module", good, "--oracle", "autograd").status == 0
    ran = run("check", "simple_rnn", "--module", bad, "--oracle", "autograd")
    assert ran.status == 1
    assert "FAIL" in ran.out and "gradient W" in ran.err and "by autograd" in ran.err


def test_what_ones_own_module_raises_is_a_failure(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("PARAMETERS, STATES = {'W': ('hidden', 'input')}, ('h',)\ndef forward(*_):\n    1 / 0\nbackward = forward")
    ran = run("check", "--module", mine)
    assert ran.status == 1
    assert "ZeroDivisionError" in ran.err
    mine.write_text("import sys\nsys.exit(0)\n")
    faulty(run("check", "--module", mine), "mine.py", "SystemExit")


def test_an_oracle_asked_for_that_cannot_speak_is_a_fault_but_its_table_is_shown(run: Run) -> None:
    ran = run("check", "shortcut", "--oracle", "keras", "--oracle", "complex")
    assert ran.status == 2
    assert "does not apply" in ran.out and "pass" in ran.out
    assert "keras does not apply" in ran.err and "another oracle" in ran.err


def test_check_can_test_itself(run: Run) -> None:
    ran = run("check", "simple_rnn", "--mutation")
    assert ran.status == 0
    assert "100.0 %" in ran.out


def test_prove_one_cell(run: Run) -> None:
    ran = run("prove", "simple_rnn")
    assert ran.status == 0
    assert "simple_rnn" in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["Missing command", "--help"]),
        (["nonsense"], ["nonsense"]),
        (["derive"], ["CELL", "--help"]),
        (["derive", "nonsense"], ["nonsense", "lstm", "path"]),
        (["derive", "no/such/file.md"], ["no/such/file.md"]),
        (["derive", "."], [".:", "directory"]),
        (["derive", "lstm", "--format", "html"], ["html", "markdown"]),
        (["derive", "lstm", "--cell", "other"], ["other", "lstm"]),
        (["generate", "lstm", "--bind", "f"], ["--bind", "body"]),
        (["generate", "lstm", "--bind", BODY], ["--bind", "f", "none"]),
        (["check", "lstm", "--oracle", "nonsense"], ["nonsense", "autograd"]),
        (["check", "lstm", "gru", "--module", "x.py"], ["--module", "one cell"]),
        (["check", "--module", "x.py"], ["x.py"]),
        (["check", "lstm", "--mutation", "--json"], ["--mutation"]),
        (["report", "--output", "/dev/null"], ["/dev/null"]),
    ],
)
def test_a_persons_fault_is_one_message(run: Run, arguments: list[str], words: list[str]) -> None:
    faulty(run(*arguments), *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x7fELF\x02\xff\xfe", ["UTF-8"]),
        (b"", ["no system"]),
        (rb"$$h_t = \tanh(W x_t + R h_{t-1}$$", ["doc.md:1"]),
        (rb"$$h_t = \foo{W} h_{t-1}$$", ["doc.md:1", "foo"]),
        (rb"$$h_t = \text{__import__('os').system('touch owned')} h_{t-1}$$", ["doc.md"]),
    ],
    ids=["binary", "empty", "unbalanced", "macro", "code"],
)
def test_a_bad_document_is_one_message(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("doc.md").write_bytes(content)
    faulty(run("derive", "doc.md"), *words)
    assert os.listdir() == ["doc.md"]


def test_a_document_of_several_cells_wants_a_folder_or_a_choice(run: Run, document: Path) -> None:
    faulty(run("generate", document, "--bind", BODY), "two_o, two_h", "--cell", "DIR/")
    assert run("generate", document, "--cell", "two_h").status == 0


def test_an_interruption_is_status_130(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert console.status(interrupted) == 130
    assert capsys.readouterr().err == "rnnproof: interrupted\n"


def test_a_fault_of_our_own_keeps_its_traceback_and_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    assert console.status(broken) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.slow
def test_a_reader_that_stops_reading_is_met_in_silence() -> None:
    command = [sys.executable, "-m", "rnnproof", "generate", "lstm"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_progress_is_for_terminals(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "PATIENCE", -1.0)
    with console.Progress() as progress:
        progress(1, 2, "lstm")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with console.Progress() as progress:
        progress(1, 2, "lstm")
    assert "1/2 lstm" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["cp932", "cp1252"])
@pytest.mark.parametrize(
    "line",
    [
        ["cells"],
        ["derive", "lstm"],
        ["generate", "simple_rnn"],
        ["check", "simple_rnn", "--oracle", "autograd"],
        ["prove", "simple_rnn"],
        ["claims", "--lang", "ja"],
        ["experiment", "cliff", "--quick"],
        ["report", "shortcut", "--lang", "ja"],
        ["derive", "nothing.md"],
        ["--help"],
    ],
    ids=" ".join,
)
@pytest.mark.slow
def test_output_on_a_windows_console_s_encoding(line: list[str], encoding: str, tmp_path: Path) -> None:
    """Into a pipe it is UTF-8 whatever the system's encoding is: nothing is lost, nothing is a traceback."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    run = subprocess.run([sys.executable, "-m", "rnnproof", *line], capture_output=True, env=environment, cwd=tmp_path)
    out, told = run.stdout.decode("utf-8"), run.stderr.decode("utf-8")
    assert run.returncode == (2 if "nothing.md" in line else 0), told
    assert "Traceback" not in told and (out or told)


def test_read_tells_how_a_document_is_read(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("From $h_0 = 0$:\n\n$$h_t = \\tanh(W x_t + R h_{t-1})$$\n", encoding="utf-8")
    ran = run("read", path)
    assert ran.status == 0 and ran.err == ""
    for words in (
        "notes, step t",
        "h (hidden)",
        "x (input)",
        "W (hidden x input)",
        "notes.md:3",
        "notes.md:1: h_0 = 0: a value",
    ):
        assert words in ran.out
    told = json.loads(run("read", path, "--json").out)
    assert told["cells"][0]["parameters"][1] == {"name": "R", "tex": "R", "shape": ["hidden", "hidden"], "per_step": False}
    assert told["passed_over"][0]["reason"] == "a value, no equation"


def test_every_command_that_reads_a_document_tells_the_reading(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("$$h_t = a h_{t-1} + W x_t$$\n", encoding="utf-8")
    faulty(run("derive", path), "could be a scalar")
    for command in ("derive", "generate", "prove"):
        ran = run(command, path, "--declare", "a: scalar", "--reading")
        assert ran.status == 0 and "a (scalar)" in ran.err and "notes, step t" in ran.err
    faulty(run("derive", path, "--declare", "z: scalar"), "no symbol z", "W, a, h, x")
    faulty(run("derive", path, "--declare", "a: number"), "cannot read the declaration")


def test_a_document_may_come_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("h_t = \\tanh(W x_t + R h_{t-1})"))
    ran = run("read", "-")
    assert ran.status == 0 and "standard input:1" in ran.out


def test_check_reads_standard_input_once_and_fails_for_a_printed_gradient_that_differs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = r"$$h_t = \tanh(W x_t + R h_{t-1} + b)$$ and "
    for gradient, status in ((r"R", 1), (r"\mathrm{diag}(1 - h_t^2) R", 0)):
        text = cell + rf"$$\frac{{\partial h_t}}{{\partial h_{{t-1}}}} = {gradient}$$"
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert main(["check", "-", "--oracle", "complex"]) == status
        out, err = capsys.readouterr()
        assert ("differs" in err, "agrees" in out) == (status == 1, status == 0)
