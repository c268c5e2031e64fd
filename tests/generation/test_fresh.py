"""The committed modules of rnnproof.cells are what the generator makes today; `pytest --update` writes them anew."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

import rnnproof.cells
from rnnproof.equations import catalogue
from rnnproof.generation.numpy.module import print_for_package
from rnnproof.generation.pipeline import pipeline

FOLDER = Path(rnnproof.cells.__file__).parent


@pytest.mark.parametrize("name", catalogue.names())
def test_committed_module_is_fresh(name: str, request: pytest.FixtureRequest) -> None:
    path, fresh = FOLDER / f"{name}.py", print_for_package(pipeline(catalogue.load(name))).text
    if request.config.getoption("--update"):
        path.write_text(fresh)
    committed = path.read_text() if path.exists() else ""
    changes = difflib.unified_diff(committed.splitlines(), fresh.splitlines(), "committed", "fresh", lineterm="")
    assert committed == fresh, "\n".join(["run pytest tests/generation/test_fresh.py --update", *changes])


def test_no_module_without_a_document() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == {"__init__", "support", *catalogue.names()}
