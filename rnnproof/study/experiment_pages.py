"""`rnnproof experiment`: run the sweep, then write its page, its tables in four formats and its figures."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnnproof.extras import needed
from rnnproof.pages import files
from rnnproof.pages.blocks import Block, Document, Figure, Heading, Paragraph
from rnnproof.pages.blocks import Table as BlockTable
from rnnproof.pages.message import say
from rnnproof.pages.writers.markdown import markdown
from rnnproof.pages.writers.text_table import grid
from rnnproof.study import experiments
from rnnproof.study.sweep import record
from rnnproof.study.sweep.engine import Progress, sweep
from rnnproof.study.sweep.findings import Findings, Table
from rnnproof.study.sweep.record import Record, Shown
from rnnproof.study.sweep.store import Store

STORE = "trials.sqlite"
_LIBRARIES = ("joblib", "matplotlib", "threadpoolctl")


@dataclass(frozen=True)
class Written:
    """What an experiment left: its files, how many trials it found done and ran, and its findings for the terminal."""

    paths: tuple[Path, ...]
    found: int
    ran: int
    findings: Findings

    def text(self) -> str:
        """The tables, then what they say."""
        parts = [f"{table.says}\n\n{shown(table, 'simple')}" for table in self.findings.tables if table.page]
        parts.append("\n".join(f"{str(s.verdict).upper()}: {s.claim}\n    {s.evidence}" for s in self.findings.statements))
        return "\n\n".join(parts)


def write(
    name: str,
    folder: Path,
    *,
    scale: str = "default",
    seed: int = 0,
    jobs: int | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Written:
    """Run an experiment as far as its trials are not in FOLDER/trials.sqlite, and write NAME.md, tables/ and figures/ there.

    `jobs` processes, one for each core by default; `progress` as `sweep` takes it. Raises
    UsageError for what cannot be read, written or reached, Interrupted at Ctrl-C.
    """
    experiment = experiments.load(name)
    for library in _LIBRARIES:
        needed(library)
    trials = experiment.trials(scale, seed)
    with Store(folder / STORE) as store:
        done = sweep(name, trials, store, jobs=jobs or os.cpu_count() or 1, cluster=cluster, progress=progress)
    findings = experiment.findings(list(zip(done.trials, done.results, strict=True)))
    if scale == "quick":  # too few trials for a verdict
        findings = replace(findings, statements=())
    drawings = experiment.figures(findings)
    command = " ".join(["rnnproof experiment", name, *([] if scale == "default" else [f"--{scale}"]), f"--seed {seed}"])
    figures_ = tuple(Shown(drawing.name, drawing.says, drawing.alt) for drawing in drawings)
    outcome = Record(name, experiment.title, command, len(trials), findings, figures_)
    text = markdown(document(outcome), link=link)
    made: dict[Path, str | bytes] = {folder / f"{name}.md": text, record.path(folder, name): record.dump(outcome)}
    for table in findings.tables:
        texts = {".csv": comma_separated(table), ".tex": shown(table, "latex_booktabs"), ".txt": shown(table, "simple")}
        made |= {folder / "tables" / f"{table.name}{suffix}": text for suffix, text in texts.items()}
    for drawing in drawings:
        made |= {folder / "figures" / f"{drawing.name}{s}": c for s, c in ((".svg", drawing.svg), (".png", drawing.png))}
    files.write(made)
    return Written(tuple(made), done.found, done.ran, findings)


def document(outcome: Record) -> Document:
    """The page of an experiment."""
    rows = [(statement.claim, statement.verdict, statement.evidence) for statement in outcome.findings.statements]
    texts = say("Made by `{command}` ({trials} trials). The verdicts are computed from the numbers.", **_made(outcome))
    quick = say("Made by `{command}` ({trials} trials): too few for a verdict.", **_made(outcome))
    verdicts = BlockTable((say("claim"), say("result"), say("measured")), rows)
    blocks: list[Block] = [Paragraph(texts), verdicts] if rows else [Paragraph(quick)]
    blocks += [Figure(figure.name, figure.says, figure.alt) for figure in outcome.figures]
    blocks += [Heading(say("Setting"), anchor="setting"), *map(Paragraph, outcome.findings.setting)]
    blocks.append(Heading(say("Tables"), anchor="tables"))
    for table in outcome.findings.tables:
        files_ = {name: f"file:tables/{table.name}.{name}" for name in ("csv", "tex", "txt")}
        blocks.append(Paragraph(say("{says} ([CSV]({csv}), [LaTeX]({tex}), [text]({txt}))", says=table.says, **files_)))
        if table.page:
            blocks.append(BlockTable(table.headers, table.rows))
    return Document(outcome.name, outcome.title, tuple(blocks))


def _made(outcome: Record) -> dict[str, Any]:
    return {"command": outcome.command, "trials": outcome.trials}


def link(target: str) -> str:
    """Where a page in the folder of the tables and figures finds them."""
    return target.removeprefix("file:")


def shown(table: Table, format: str) -> str:
    """A table by tabulate, cells as they stand."""
    return grid(table.headers, table.rows, format) + "\n"


def comma_separated(table: Table) -> str:
    """A table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.headers)
    writer.writerows([["" if cell is None else cell for cell in row] for row in table.rows])  # Messages as English
    return text.getvalue()
