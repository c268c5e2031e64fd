"""What the README shows is what happens: its documents, commands and snippets are run in order, their output compared."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from rnnproof.cli import main
from rnnproof.pages.how_it_works import rows
from tests import programs

pytestmark = [pytest.mark.slow]

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)

# "..." in the README stands for anything: what is left out, and errors and times, which differ from machine to machine.
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def same(got: str, wanted: str, what: str) -> None:
    assert doctest.OutputChecker().check_output(wanted, got, FLAGS), f"{what}\nthe README says\n{wanted}\nbut it is\n{got}"


def test_the_readme_tells_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    ran: list[str] = []
    for at, (kind, name, text) in enumerate(BLOCKS):
        if kind == "tex":
            Path(name).write_text(text, encoding="utf-8")
        elif kind == "python":
            exec(compile(text, f"README block {at}", "exec"), namespace)
            follows = BLOCKS[at + 1] if at + 1 < len(BLOCKS) else ("", "", "")
            same(capsys.readouterr().out, follows[2] if follows[0] == "text" else "", text)
        elif kind == "console":
            for command, wanted in re.findall(r"^\$ rnnproof (.*)\n((?:(?!\$ ).*\n)*)", text, re.M):
                status = main(shlex.split(command))
                written = capsys.readouterr()
                assert status == 0, written.err
                same(written.out, wanted, command)
                ran.append(command.split()[0])
    assert {"derive", "check", "report"} <= set(ran)
    assert Path("mgu", "mgu.html").is_file() and Path("mgu", "derivations", "mgu.md").is_file()


def test_each_use_is_shown_in_under_ten_lines() -> None:
    """Of the three uses, the part that a person types; the equations of a document of one's own come on top."""
    uses = README.read_text(encoding="utf-8").split("\n## Three uses\n")[1].split("\n## ")[0].split("\n### ")[1:]
    assert len(uses) == 3
    for use in uses:
        typed = [
            text for kind, _, text in re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", use, re.M | re.S) if kind == "python"
        ]
        typed += re.findall(r"^\$ .*$", use, re.M)
        assert typed and len("\n".join(typed).splitlines()) < 10, use


def test_what_it_points_to_is_there() -> None:
    """Its pictures and pages, and one row for each dependency that pyproject.toml names."""
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        assert "://" in target or (README.parent / target).exists(), target
    project = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for group in project["optional-dependencies"].values() for one in group)]
    rows = " ".join(re.findall(r"^\| ([^|]+) \| [^|]+ \|$", text, re.M))
    for name in {re.split(r"[\[<>=]", one)[0] for one in asked} - {"rnnproof"}:
        assert re.search(rf"\b{re.escape(name)}\b", rows), f"{name} has no row among the dependencies"


@pytest.mark.frameworks
def test_the_programs_it_names_can_be_imported() -> None:
    """And all others of their folder; what they measure is run by hand."""
    named = re.findall(r"python -m (tests\.\w[\w.]*)", README.read_text(encoding="utf-8"))
    assert len(named) > 9
    for name in (*named, *(found.name for found in pkgutil.walk_packages(programs.__path__, f"{programs.__name__}."))):
        importlib.import_module(name)


def test_its_two_commands_stand_within_thirty_lines() -> None:
    start = "\n".join(README.read_text(encoding="utf-8").splitlines()[:30])
    assert re.search(r"^python3 -m venv .* && \S*rnnproof report$", start, re.M)
    assert re.search(r"^python3 -m venv .* install torch==\S+ && .* && \S*pytest$", start, re.M)


def test_the_table_of_adjoints_is_the_codes() -> None:
    (shown,) = (text for kind, _, text in BLOCKS if kind == "py")
    assert shown == f"{rows()}\n"


def test_the_map_of_contributing_is_the_packages() -> None:
    text = (README.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = README.parent / "rnnproof"
    mapped = re.findall(r"^\| `(\w+)` \|", text.split("## The map")[1].split("\n## ")[0], re.M)
    assert set(mapped) == {path.parent.name for path in package.glob("*/__init__.py")}
    for path in re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", text):
        assert (package / path).exists() or (README.parent / path).exists(), path
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (README.parent / target).exists(), target


def test_every_package_says_what_it_is_for() -> None:
    for path in (README.parent / "rnnproof").rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
