"""`rnnproof report`: a page for every cell, for the checks, the claims, the experiments and the notation, and an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnproof import claims, experiments
from rnnproof.claims import claim as verdicts
from rnnproof.derivation.derivation import derive
from rnnproof.documents.blocks import Block, Code, Document, Figure
from rnnproof.documents.message import Text, say
from rnnproof.documents.terminal import table
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.experiments import findings, record
from rnnproof.generation import annotate
from rnnproof.proofs import prove, prove_rules
from rnnproof.reporting import cell, checks, dataflow, files, index, notation, tables
from rnnproof.reporting import claims as ledger
from rnnproof.reporting import experiments as measured
from rnnproof.reporting.site import Book, without_clash
from rnnproof.verification import Evidence, check

Progress = Callable[[int, int, str], None]

# The experiments' figures that show a cell.
_SHOWN = {
    "gate": ("flow-depth",),
    "shortcut": ("flow-depth",),
    "simple_rnn": ("flow-time", "flow-bound", "clipping-diverged", "temporal-order"),
    "lstm": ("flow-time", "gru-vs-lstm-training"),
    "gru": ("flow-time", "gru-vs-lstm-training"),
    "gru_reset_after": ("gru-vs-lstm-time",),
}
_TONES = {
    tables.PASS: "good",
    tables.PROVED: "good",
    tables.TOO_LARGE: "part",
    tables.FAIL: "bad",
    tables.KINK: "part",
    tables.NOT_INSTALLED: "none",
    tables.DOES_NOT_APPLY: "none",
    findings.HOLDS: "good",
    findings.CONDITION: "part",
    findings.NOT: "bad",
    verdicts.PROVED: "good",
    verdicts.CONFIRMED: "good",
    verdicts.CONDITION: "part",
    verdicts.NOT: "bad",
    verdicts.UNMEASURED: "none",
}


@dataclass(frozen=True)
class Asked:
    """A cell to report on; `word` is what the command line called it by, `listed` whether it is a catalogue cell as it is."""

    cell: Cell
    word: str
    listed: bool = False


@dataclass(frozen=True)
class Written:
    """What a report consists of and whether every check and proof in it holds."""

    paths: tuple[Path, ...]
    ok: bool
    lines: tuple[str, ...]


def write(
    folder: Path, asked: Sequence[Asked] = (), languages: Sequence[str] = ("en",), progress: Progress | None = None
) -> Written:
    """Write the pages of these cells, or of everything, as HTML and Markdown in every language.

    The pages are the same bytes every time on one machine. The experiments' results are those in FOLDER/findings. Raises
    UsageError for a folder that cannot be written or read.
    """
    if asked:
        reserved = (*experiments.NAMES, *_ENTRIES, *catalogue.names()) if (folder / "index.html").exists() else ()
        without_clash([one.cell.name for one in asked if not one.listed], reserved)
    records = [found for name in experiments.NAMES if (found := _record(folder, name))]
    if asked:
        studies = [study(one, progress) for one in asked]
        return _written(folder, studies, _cell_pages(studies, records), languages)
    rules = prove_rules()
    names = catalogue.names()
    studies = [study(Asked(catalogue.load(name), name, True), progress) for name in names]
    outcomes = claims.ledger(claims.Sources(folder), progress=progress)
    evidence = Evidence(tuple(row for one in studies for row in one.evidence or ()))
    documents = [
        index.document(studies, rules, outcomes, records),
        *_cell_pages(studies, records),
        ledger.document(outcomes),
        checks.document([rules, *(one.proof for one in studies)], evidence),
        *(measured.document(one) for one in records),
        notation.document(),
    ]
    return _written(folder, studies, documents, languages)


_ENTRIES: dict[str, Text] = {
    "index": say("Overview"),
    "index#experiments": say("Experiments"),
    "claims": say("Claims"),
    "checks": say("Checks"),
    "notation": say("Notation"),
}


def study(asked: Asked, progress: Progress | None = None) -> cell.Study:
    """Derive, draw, prove, and where no function is open generate and check one cell."""
    found = asked.cell
    d = derive(found)
    picture = dataflow.picture(found)
    figure = Figure(f"dataflow-{found.name}", picture.says, picture.alt)
    code, evidence = None, None
    if not found.open_functions:
        made = annotate(d)
        code = Code(made.text, "python", made.marks)
        evidence = check(found.name if asked.listed else found, progress=progress)
    return cell.Study(asked.word, asked.listed, d, figure, prove(found, progress=progress), code, evidence, picture.svg)


def _cell_pages(studies: Sequence[cell.Study], records: Sequence[record.Record]) -> list[Document]:
    figures = {figure.name: Figure(figure.name, figure.says, figure.alt) for one in records for figure in one.figures}
    return [
        cell.document(one, [figures[name] for name in _SHOWN.get(one.name, ()) if name in figures and one.listed])
        for one in studies
    ]


def _record(folder: Path, name: str) -> record.Record | None:
    return record.read(folder, name) if (folder / "findings" / f"{name}.json").exists() else None


def _written(folder: Path, studies: Sequence[cell.Study], documents: Sequence[Document], languages: Sequence[str]) -> Written:
    drawn = {one.picture.name: one.svg for one in studies}
    plotted = {name: _figure(folder, name) for document in documents for name in _figures(document.blocks) if name not in drawn}
    names = dict.fromkeys((*catalogue.names(), *(one.name for one in studies)))
    entries = [*_ENTRIES.items(), *((name, name) for name in names)]
    book = Book(folder, documents, frozenset(names), {**plotted, **drawn}, frozenset(drawn), entries, _TONES, languages)
    made = book.files()
    files.write(made)
    evidence = Evidence(tuple(row for one in studies for row in one.evidence or ()))
    ok = all(one.ok for one in studies)
    compared = f"{len(evidence)} comparisons" if len(evidence) else "a function is open, so no code to compare; the proofs"
    told = f"{compared}; {'all hold' if ok else 'NOT all hold'}"
    pages = [path for path in made if path.suffix == ".html"]
    first = pages[0] if len(pages) > 1 else None
    lines = (
        table(tables.summary(evidence)),
        "",
        *(str(row) for row in evidence.failures),
        *(f"wrote {path}" for path in pages),
        f"open {first or pages[0]} in a browser ({told})",
    )
    return Written(tuple(made), ok, lines)


def _figures(blocks: Sequence[Block]) -> list[str]:
    found = [block.name for block in blocks if isinstance(block, Figure)]
    return found + [name for block in blocks for name in _figures(getattr(block, "blocks", ()))]


def _figure(folder: Path, name: str) -> str:
    path = folder / "figures" / f"{name}.svg"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); run its experiment again") from None
