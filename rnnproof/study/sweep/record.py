"""What an experiment leaves for the reports: FOLDER/findings/NAME.json, in no language, without the numbers of its trials."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnproof.errors import UsageError
from rnnproof.pages import message
from rnnproof.pages.message import Text
from rnnproof.study.sweep.findings import CONDITION, HOLDS, NOT, Findings, Statement, Table

FORMAT = 1


@dataclass(frozen=True)
class Shown:
    """A figure, which lies in figures/NAME.svg: its caption, and what is drawn for those who do not see it."""

    name: str
    says: Text
    alt: Text


@dataclass(frozen=True)
class Record:
    """An experiment's outcome: `command` made it from `trials` trials; the findings are those of its page, without curves."""

    name: str
    title: Text
    command: str
    trials: int
    findings: Findings
    figures: tuple[Shown, ...]


def dump(record: Record) -> str:
    """The record as JSON, the same bytes every time."""
    outcome = record.findings
    data = {
        "format": FORMAT,
        "name": record.name,
        "title": message.dump(record.title),
        "command": record.command,
        "trials": record.trials,
        "setting": [message.dump(text) for text in outcome.setting],
        "statements": [{key: message.dump(value) for key, value in vars(entry).items()} for entry in outcome.statements],
        "tables": [_table(table) for table in outcome.tables],
        "figures": [{key: message.dump(value) for key, value in vars(entry).items()} for entry in record.figures],
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table(table: Table) -> dict[str, Any]:
    """A table whose rows are only in the files for machines is here without them."""
    rows = [[message.dump(cell) for cell in row] for row in table.rows] if table.page else []
    headers = [message.dump(head) for head in table.headers]
    return {"name": table.name, "says": message.dump(table.says), "headers": headers, "rows": rows, "page": table.page}


def load(text: str) -> Record:
    """What `dump` made. Raises ValueError, LookupError, TypeError, AttributeError or RecursionError for anything else."""
    data = json.loads(text)
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}")
    loaded = message.load
    statements = tuple(Statement(**{key: loaded(value) for key, value in entry.items()}) for entry in data["statements"])
    tables = tuple(
        Table(
            entry["name"],
            loaded(entry["says"]),
            tuple(map(loaded, entry["headers"])),
            tuple(tuple(map(loaded, row)) for row in entry["rows"]),
            entry["page"],
        )
        for entry in data["tables"]
    )
    figures = tuple(Shown(**{key: loaded(value) for key, value in entry.items()}) for entry in data["figures"])
    findings = Findings(tuple(map(loaded, data["setting"])), tables, statements)
    record = Record(data["name"], loaded(data["title"]), data["command"], data["trials"], findings, figures)
    _check(record)
    return record


def _check(record: Record) -> None:
    """Raise ValueError or KeyError for a record that could not be written as a page."""
    for name in (record.name, *(table.name for table in record.findings.tables), *(figure.name for figure in record.figures)):
        if not re.fullmatch(r"[a-z0-9-]+", name):
            raise ValueError(f"{name!r} is no name of a file")
    for statement in record.findings.statements:
        if statement.verdict not in (HOLDS, CONDITION, NOT):
            raise ValueError(f"{statement.verdict} is no verdict")
    texts: list[Any] = [record.title, *record.findings.setting]
    texts += [text for entry in record.findings.statements for text in (entry.claim, entry.evidence)]
    texts += [text for entry in record.figures for text in (entry.says, entry.alt)]
    texts += [
        text
        for entry in record.findings.tables
        for text in (entry.says, *entry.headers, *(c for row in entry.rows for c in row))
    ]
    for text in texts:
        for language in message.LANGUAGES:
            message.in_language(text, language)


def path(folder: Path, name: str) -> Path:
    """Where an experiment's record lies."""
    return folder / "findings" / f"{name}.json"


def read(folder: Path, name: str) -> Record:
    """The record of an experiment. Raises UsageError, naming the command to run, where it is missing or damaged."""
    place = path(folder, name)
    again = f"run `rnnproof experiment {name} --out {folder}`"
    try:
        return load(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{place}: cannot be read ({error.strerror}); {again}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{place}: is no record of this version ({error!r}); {again}") from None
