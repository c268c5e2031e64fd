"""`rnnproof report`: a page for every cell, for the checks, the notation and how it works, chapters of others, a front page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.generation import annotate
from rnnproof.pages import cell_page, checks_page, dataflow, files, front_page, how_it_works, notation, tables
from rnnproof.pages.blocks import Block, Code, Document, Figure
from rnnproof.pages.chapter import Chapter, Progress
from rnnproof.pages.derivation import derive
from rnnproof.pages.message import Text, say
from rnnproof.pages.site import Book, without_clash
from rnnproof.pages.writers.terminal import table
from rnnproof.proofs import prove, prove_rules
from rnnproof.verification import Evidence, check, recorded
from rnnproof.verification.evidence import SILENT

_TONES = {
    tables.PASS: "good",
    tables.PROVED: "good",
    tables.TOO_LARGE: "part",
    tables.FAIL: "bad",
    tables.KINK: "part",
    tables.NOT_INSTALLED: "none",
    tables.DOES_NOT_APPLY: "none",
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
    folder: Path,
    asked: Sequence[Asked] = (),
    languages: Sequence[str] = ("en",),
    progress: Progress | None = None,
    chapters: Sequence[Chapter] = (),
) -> Written:
    """Write the pages of these cells, or of everything, as HTML and Markdown in every language.

    The evidence is that of FOLDER/findings/evidence.json with what this run adds to it, so the pages are the same bytes
    wherever a run says nothing new. `chapters` add their pages, in the order given. Raises UsageError for a folder that cannot
    be written or read.
    """
    entries = _entries(chapters)
    if asked:
        names = [name for chapter in chapters for name in chapter.names]
        reserved = (*entries, "README", *names, *_catalogue_pages(folder))
        without_clash([request.cell.name for request in asked if not request.listed], reserved)
    before = recorded.read(folder)
    if asked:
        studies = _studies(asked, before, progress)
        return _written(folder, studies, _cell_pages(studies, chapters), languages, chapters)
    if progress is not None:
        progress(0, len(catalogue.names()), "the rules")
    rules = prove_rules()
    studies = _studies([Asked(catalogue.load(name), name, True) for name in catalogue.names()], before, progress)
    documents = [
        front_page.document(studies, rules, [block for chapter in chapters for block in chapter.front()]),
        *_cell_pages(studies, chapters),
        checks_page.document([rules, *(study.proof for study in studies)], _evidence(studies), studies[-1].record),
        *(document for chapter in chapters for document in chapter.documents()),
        notation.document(),
        how_it_works.document(),
    ]
    return _written(folder, studies, documents, languages, chapters)


def _catalogue_pages(folder: Path) -> list[str]:
    """The catalogue's cells that have a page in the folder: with a front page all of them."""
    site = any((folder / f"index{suffix}.html").exists() for suffix in ("", ".ja"))
    return [name for name in catalogue.names() if site or (folder / "derivations" / f"{name}.md").exists()]


def _entries(chapters: Sequence[Chapter]) -> dict[str, Text]:
    """The links at the top of each page."""
    entries: dict[str, Text] = {"index": say("Overview")}
    for chapter in chapters:
        entries |= chapter.entries
    return entries | {"checks": say("Checks"), "notation": say("Notation"), "how-it-works": say("How it works")}


def _studies(asked: Sequence[Asked], record: recorded.Record, progress: Progress | None) -> list[cell_page.Study]:
    """The study of each; the last one's record has what all of them add."""
    studies: list[cell_page.Study] = []
    for request in asked:
        studies.append(study(request, studies[-1].record if studies else record, progress))
    return studies


def study(asked: Asked, record: recorded.Record, progress: Progress | None = None) -> cell_page.Study:
    """Derive, draw, prove, and where no function is open generate and check one cell, adding to the record."""
    cell = asked.cell
    d = derive(cell)
    picture = dataflow.picture(cell)
    figure = Figure(f"dataflow-{cell.name}", picture.says, picture.alt)
    code, fresh, evidence = None, None, None
    if not cell.open_functions:
        annotated = annotate(d)
        code = Code(annotated.text, "python", annotated.marks)
        fresh = check(cell.name if asked.listed else cell, progress=progress)
        record, evidence = record.merged(cell.name, annotated.text, fresh)
    proof = prove(cell, progress=progress)
    return cell_page.Study(asked.word, asked.listed, d, figure, proof, code, evidence, picture.svg, record, fresh)


def _cell_pages(studies: Sequence[cell_page.Study], chapters: Sequence[Chapter]) -> list[Document]:
    def figures(study: cell_page.Study) -> list[Figure]:
        return [figure for chapter in chapters for figure in chapter.figures(study.name)] if study.listed else []

    return [cell_page.document(study, figures(study)) for study in studies]


def _written(
    folder: Path,
    studies: Sequence[cell_page.Study],
    documents: Sequence[Document],
    languages: Sequence[str],
    chapters: Sequence[Chapter],
) -> Written:
    drawn = {study.picture.name: study.svg for study in studies}
    plotted = {name: _figure(folder, name) for document in documents for name in _figures(document.blocks) if name not in drawn}
    names = dict.fromkeys((*catalogue.names(), *(study.name for study in studies)))
    entries = [*_entries(chapters).items(), *((name, name) for name in names)]
    tones = {key: tone for part in (_TONES, *(chapter.tones for chapter in chapters)) for key, tone in part.items()}
    book = Book(folder, documents, frozenset(names), {**plotted, **drawn}, frozenset(drawn), entries, tones, languages)
    texts: dict[Path, str | bytes] = {**book.files()}
    pages = [path for path in texts if path.suffix == ".html"]
    record = studies[-1].record
    if record.groups:
        texts[recorded.path(folder)] = record.dump()
    files.write(texts)
    evidence = _evidence(studies)
    lines = (
        *(str(row) for row in evidence.failures),
        *_summary(studies),
        f"wrote {pages[0] if len(pages) == 1 else f'{len(texts)} files'}; open {pages[0]} in a browser",
    )
    return Written(tuple(texts), all(study.ok for study in studies), lines, table(tables.summary(evidence, record)))


def _evidence(studies: Sequence[cell_page.Study]) -> Evidence:
    return Evidence(tuple(row for study in studies for row in study.evidence or ()))


def _summary(studies: Sequence[cell_page.Study]) -> list[str]:
    """What was proved and compared, now and before; what holds."""
    rows = [row for row in _evidence(studies) if row.verdict not in SILENT]
    entries = sum(study.proof.entries for study in studies)
    held = "all hold" if all(study.ok for study in studies) else "NOT all hold"
    if not rows:
        return [f"{entries} entries proved; a function is open, so no code to compare; {held}"]
    first = f"{entries} entries proved; {len(rows)} comparisons by {len({row.oracle for row in rows})} oracles; {held}"
    fresh = [row for study in studies for row in study.fresh or ()]
    absent = sorted({row.oracle for row in fresh if row.verdict == "not installed"})
    second = f"{sum(row.verdict not in SILENT for row in fresh)} of them made now"
    if absent:
        second += f"; not installed here: {', '.join(absent)}, of which what is on record for the same code stays"
    return [first, second]


def _figures(blocks: Sequence[Block]) -> list[str]:
    names = [block.name for block in blocks if isinstance(block, Figure)]
    return names + [name for block in blocks for name in _figures(getattr(block, "blocks", ()))]


def _figure(folder: Path, name: str) -> str:
    path = folder / "figures" / f"{name}.svg"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); run its experiment again") from None
