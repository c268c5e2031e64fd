"""Documents in the manner of real ones, each with the reading that is right beside it: every container, dialect and language.

`case_*`, `trap_*` and `trap2_*` are minimal: one cause each of what was once misread, or refused with a message that misled.
Beside `NAME.md` (or any other suffix) stands `NAME.toml`: the cells, or with `refused` the first line of the message.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rnnproof.equations import reader
from rnnproof.equations.cell import Cell
from rnnproof.errors import EquationError
from tests import corpus_fuzzing

CORPUS = Path(__file__).parent / "corpus"
DOCUMENTS = sorted(path for path in CORPUS.iterdir() if path.suffix != ".toml")


def expected(path: Path) -> dict[str, Any]:
    """What stands beside a document."""
    return tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))


def told(cell: Cell) -> dict[str, Any]:
    """A cell in the form of the files: names, shapes, and each equation as SymPy prints it."""
    reading = cell.reading()
    return {
        "name": reading.name,
        "index": reading.index,
        "states": [state.name for state in reading.states],
        "inputs": [one.name for one in reading.inputs],
        "functions": list(reading.functions),
        "parameters": {one.name: list(one.shape) for one in reading.parameters},
        "equations": {e.symbol.name: " ".join(str(e.expression).split()) for e in cell.equations},
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_read_as_a_careful_person_reads_it(path: Path) -> None:
    due = expected(path)
    if "refused" in due:
        with pytest.raises(EquationError) as caught:
            reader.read(path)
        assert str(caught.value).split("\n")[0].split(": ", 1)[1] == due["refused"]
        return
    assert [told(cell) for cell in reader.read(path)] == due["cells"]


def test_the_corpus_has_every_container_and_language() -> None:
    names = [path.name for path in DOCUMENTS]
    assert len(names) >= 120
    for suffix in (".md", ".tex", ".rst", ".py", ".jl", ".ipynb", ".html"):
        assert sum(name.endswith(suffix) for name in names) >= 4, suffix
    for language in ("zh", "ja", "ko", "es", "ru", "en"):
        assert sum(name.startswith(language) for name in names) >= 7, language
    assert sum("refused" in expected(path) for path in DOCUMENTS) >= 20


def test_no_two_documents_share_what_stands_beside_them() -> None:
    assert len({path.with_suffix("") for path in DOCUMENTS}) == len(DOCUMENTS)


def test_the_first_of_the_mutated_documents() -> None:
    """`python -m tests.corpus_fuzzing` runs 20,000: nothing is read otherwise without a word."""
    found = [(mutant, corpus_fuzzing.outcome(mutant)) for mutant in corpus_fuzzing.mutants(200, 0)]
    assert {what for _, (what, _, _) in found} == {"read", "refused"}, found


def test_a_reader_that_drops_a_term_is_seen() -> None:
    """The fuzzer's own check, against a reader that reads every mutant as the document it was made of."""
    mutants = [mutant for mutant in corpus_fuzzing.mutants(100, 0) if mutant.due == "changed"]
    unread = [corpus_fuzzing.broken(mutant, mutant.path, reader.read_report(mutant.path)) for mutant in mutants]
    assert mutants and all(unread)
