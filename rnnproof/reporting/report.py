"""`rnnproof report`: a page for every cell, for the checks, the claims, the experiments and the notation, and an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnproof import claims, experiments
from rnnproof.claims import claim as verdicts
from rnnproof.documents.blocks import Block, Code, Document, Figure
from rnnproof.documents.derivation import derive
from rnnproof.documents.message import Text, say
from rnnproof.documents.terminal import table
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.experiments import findings, record
from rnnproof.generation import annotate
from rnnproof.proofs import prove, prove_rules
from rnnproof.reporting import cell, checks, dataflow, files, how_it_works, index, notation, tables
from rnnproof.reporting import claims as ledger
from rnnproof.reporting import experiments as measured
from rnnproof.reporting.site import Book, without_clash
from rnnproof.verification import Evidence, check, recorded
from rnnproof.verification.evidence import SILENT

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
    """What a report consists of and whether every check and proof in it holds.

    `lines` are the summary for a terminal, what does not hold ahead of it; `details` the table of all comparisons.
    """

    paths: tuple[Path, ...]
    ok: bool
    lines: tuple[str, ...]
    details: str


def write(
    folder: Path, asked: Sequence[Asked] = (), languages: Sequence[str] = ("en",), progress: Progress | None = None
) -> Written:
    """Write the pages of these cells, or of everything, as HTML and Markdown in every language.

    The evidence is that of FOLDER/findings/evidence.json with what this run adds to it, so the pages are the same bytes
    wherever a run says nothing new. The experiments' results are those in FOLDER/findings. Raises UsageError for a folder that
    cannot be written or read.
    """
    if asked:
        site = any((folder / f"index{suffix}.html").exists() for suffix in ("", ".ja"))
        reserved = (*_ENTRIES, "README", *experiments.NAMES, *(catalogue.names() if site else ()))
        without_clash([one.cell.name for one in asked if not one.listed], reserved)
    records = [found for name in experiments.NAMES if (found := _record(folder, name))]
    before = recorded.read(folder)
    if asked:
        studies = _studies(asked, before, progress)
        return _written(folder, studies, _cell_pages(studies, records), languages)
    if progress is not None:
        progress(0, len(catalogue.names()), "the rules")
    rules = prove_rules()
    studies = _studies([Asked(catalogue.load(name), name, True) for name in catalogue.names()], before, progress)
    outcomes = claims.ledger(claims.Sources(folder), progress=progress)
    documents = [
        index.document(studies, rules, outcomes, records),
        *_cell_pages(studies, records),
        ledger.document(outcomes),
        checks.document([rules, *(one.proof for one in studies)], _evidence(studies), studies[-1].record),
        *(measured.document(one) for one in records),
        notation.document(),
        how_it_works.document(),
    ]
    return _written(folder, studies, documents, languages)


def _studies(asked: Sequence[Asked], record: recorded.Record, progress: Progress | None) -> list[cell.Study]:
    """The study of each; the last one's record has what all of them add."""
    studies: list[cell.Study] = []
    for one in asked:
        studies.append(study(one, studies[-1].record if studies else record, progress))
    return studies


_ENTRIES: dict[str, Text] = {
    "index": say("Overview"),
    "index#experiments": say("Experiments"),
    "claims": say("Claims"),
    "checks": say("Checks"),
    "notation": say("Notation"),
    "how-it-works": say("How it works"),
}


def study(asked: Asked, record: recorded.Record, progress: Progress | None = None) -> cell.Study:
    """Derive, draw, prove, and where no function is open generate and check one cell, adding to the record."""
    found = asked.cell
    d = derive(found)
    picture = dataflow.picture(found)
    figure = Figure(f"dataflow-{found.name}", picture.says, picture.alt)
    code, fresh, evidence = None, None, None
    if not found.open_functions:
        made = annotate(d)
        code = Code(made.text, "python", made.marks)
        fresh = check(found.name if asked.listed else found, progress=progress)
        record, evidence = record.merged(found.name, made.text, fresh)
    proof = prove(found, progress=progress)
    return cell.Study(asked.word, asked.listed, d, figure, proof, code, evidence, picture.svg, record, fresh)


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
    made: dict[Path, str | bytes] = {**book.files()}
    pages = [path for path in made if path.suffix == ".html"]
    record = studies[-1].record
    if record.groups:
        made[recorded.path(folder)] = record.dump()
    files.write(made)
    evidence = _evidence(studies)
    lines = (
        *(str(row) for row in evidence.failures),
        *_summary(studies),
        f"wrote {pages[0] if len(pages) == 1 else f'{len(made)} files'}; open {pages[0]} in a browser",
    )
    return Written(tuple(made), all(one.ok for one in studies), lines, table(tables.summary(evidence, record)))


def _evidence(studies: Sequence[cell.Study]) -> Evidence:
    return Evidence(tuple(row for one in studies for row in one.evidence or ()))


def _summary(studies: Sequence[cell.Study]) -> list[str]:
    """What was proved and compared, now and before; what holds."""
    rows = [row for row in _evidence(studies) if row.verdict not in SILENT]
    entries = sum(one.proof.entries for one in studies)
    held = "all hold" if all(one.ok for one in studies) else "NOT all hold"
    if not rows:
        return [f"{entries} entries proved; a function is open, so no code to compare; {held}"]
    first = f"{entries} entries proved; {len(rows)} comparisons by {len({row.oracle for row in rows})} oracles; {held}"
    fresh = [row for one in studies for row in one.fresh or ()]
    absent = sorted({row.oracle for row in fresh if row.verdict == "not installed"})
    second = f"{sum(row.verdict not in SILENT for row in fresh)} of them made now"
    if absent:
        second += f"; not installed here: {', '.join(absent)}, of which what is on record for the same code stays"
    return [first, second]


def _figures(blocks: Sequence[Block]) -> list[str]:
    found = [block.name for block in blocks if isinstance(block, Figure)]
    return found + [name for block in blocks for name in _figures(getattr(block, "blocks", ()))]


def _figure(folder: Path, name: str) -> str:
    path = folder / "figures" / f"{name}.svg"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); run its experiment again") from None
