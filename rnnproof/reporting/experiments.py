"""`rnnproof experiment`: run the sweep, then write its page, its tables in four formats and its figures."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from rnnproof import experiments
from rnnproof.experiments.engine import Progress, needed, sweep
from rnnproof.experiments.findings import Findings, Table
from rnnproof.experiments.store import Store
from rnnproof.reporting import figures, files
from rnnproof.reporting.figures.style import Drawing

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
        parts.append("\n".join(f"{s.verdict.upper()}: {s.claim}\n    {s.evidence}" for s in self.findings.statements))
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
    module = experiments.load(name)
    for library in _LIBRARIES:
        needed(library)
    trials = module.trials(scale, seed)
    with Store(folder / STORE) as store:
        done = sweep(name, trials, store, jobs=jobs or os.cpu_count() or 1, cluster=cluster, progress=progress)
    findings = module.findings(list(zip(done.trials, done.results, strict=True)))
    drawings = figures.draw(name, findings)
    command = " ".join(["rnnproof experiment", name, *([] if scale == "default" else [f"--{scale}"]), f"--seed {seed}"])
    made: dict[Path, str | bytes] = {folder / f"{name}.md": page(module.TITLE, command, len(trials), findings, drawings)}
    for table in findings.tables:
        texts = {".csv": comma_separated(table), ".tex": shown(table, "latex_booktabs"), ".txt": shown(table, "simple")}
        made |= {folder / "tables" / f"{table.name}{suffix}": text for suffix, text in texts.items()}
    for drawing in drawings:
        made |= {folder / "figures" / f"{drawing.name}{s}": c for s, c in ((".svg", drawing.svg), (".png", drawing.png))}
    files.write(made)
    return Written(tuple(made), done.found, done.ran, findings)


def page(title: str, command: str, trials: int, findings: Findings, drawings: Sequence[Drawing]) -> str:
    """The experiment as Markdown."""
    rows = [(statement.claim, statement.verdict, statement.evidence) for statement in findings.statements]
    verdicts = tabulate(rows, headers=("claim", "result", "measured"), tablefmt="github", disable_numparse=True)
    parts = [f"# {title}", f"Made by `{command}` ({trials} trials). The verdicts are computed from the numbers.", verdicts]
    parts += [f"![{drawing.name}](figures/{drawing.name}.svg)\n\n*{drawing.says}*" for drawing in drawings]
    parts += ["## Setting", *findings.setting, "## Tables"]
    for table in findings.tables:
        files_ = f"[CSV](tables/{table.name}.csv), [LaTeX](tables/{table.name}.tex), [text](tables/{table.name}.txt)"
        parts.append(f"{table.says} ({files_})")
        if table.page:
            parts.append(shown(table, "github"))
    return "\n\n".join(parts) + "\n"


def shown(table: Table, format: str) -> str:
    """A table by tabulate, cells as they stand."""
    rows = [["" if cell is None else _plain(cell) for cell in row] for row in table.rows]
    return str(tabulate(rows, headers=table.headers, tablefmt=format, disable_numparse=True)) + "\n"


def _plain(cell: Any) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def comma_separated(table: Table) -> str:
    """A table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.headers)
    writer.writerows([["" if cell is None else cell for cell in row] for row in table.rows])
    return text.getvalue()
