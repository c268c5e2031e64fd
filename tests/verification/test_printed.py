"""Documents that print gradients beside a cell, in the manner of lectures, papers and answers, half of the gradients wrong.

`printed/NAME.toml` has the verdict on each. `truth` was found by differences in complex steps of a simulator that knows nothing
of this project, or, for about a fifth, by hand: right, wrong, or ambiguous, where the text does not say what is held fixed.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rnnproof.equations import reader
from rnnproof.verification import gradient_comparison as gc

PRINTED = Path(__file__).parent / "printed"
DOCUMENTS = sorted(path for path in PRINTED.iterdir() if path.suffix != ".toml")


def due(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))["gradient"]
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_printed_gradient_is_judged_as_it_is_due(path: Path) -> None:
    found = [one for cell in reader.read(path) for one in gc.compare_printed_gradients(cell)]
    judged = [(one.where.split(":")[-1], one.verdict, one.notes, one.reason) for one in found]
    assert judged == [(e["where"], e["verdict"], tuple(e.get("notes", ())), e.get("reason", "")) for e in due(path)]


def test_no_right_gradient_differs_and_a_wrong_one_agrees_only_under_a_note_that_says_so() -> None:
    every = [(path.name, entry) for path in DOCUMENTS for entry in due(path)]
    assert sum(entry.get("truth") == "right" and entry["verdict"] == gc.AGREES for _, entry in every) > 250
    assert sum(entry.get("truth") == "wrong" and entry["verdict"] == gc.DIFFERS for _, entry in every) > 150
    assert not [name for name, entry in every if entry.get("truth") == "right" and entry["verdict"] == gc.DIFFERS]
    taken = [
        set(entry.get("notes", ())) for _, entry in every if entry.get("truth") == "wrong" and entry["verdict"] == gc.AGREES
    ]
    assert all(notes & {gc.ONE_STEP, gc.TRANSPOSED} for notes in taken)
