"""Evidence that stays: FOLDER/findings/evidence.json, what every oracle found, on which code, with what, and when.

A measurement takes the place of a recorded one only where it says something that is not on record, so that a machine with fewer
oracles, or with other last digits, leaves the record as it is. To measure all anew, delete the file.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rnnproof.errors import UsageError
from rnnproof.verification.evidence import Evidence
from rnnproof.verification.oracles import ORACLES
from rnnproof.verification.row import Row

FORMAT = 1

# What a measurement says, whatever the machine's last digits.
_SAYS = ("gradient", "dtype", "sizes", "verdict")
_STORED = tuple(one.name for one in fields(Row) if one.name not in ("cell", "oracle"))


@dataclass(frozen=True)
class Measured:
    """What one oracle found of one cell: `code` is the SHA-256 of the generated module, `versions` those of the packages.

    `date` is the day of the measurement, as ISO 8601 writes it.
    """

    cell: str
    oracle: str
    code: str
    versions: Mapping[str, str]
    date: str
    rows: tuple[Row, ...]

    def confirmed(self, rows: Iterable[Row]) -> bool:
        """Whether all that these rows say is on record here."""
        return {_says(row) for row in rows} <= {_says(row) for row in self.rows}

    @property
    def silent(self) -> bool:
        """Whether it compared nothing, as the oracle does not apply to this cell."""
        return all(row.verdict == "does not apply" for row in self.rows)


@dataclass(frozen=True)
class Record:
    """What was measured last, by cell and oracle."""

    groups: Mapping[tuple[str, str], Measured]

    def __getitem__(self, key: tuple[str, str]) -> Measured:
        return self.groups[key]

    def __contains__(self, key: object) -> bool:
        return key in self.groups

    def merged(self, cell: str, code: str, evidence: Evidence) -> tuple[Record, Evidence]:
        """The record with a check of this cell's generated code, and the evidence for that code.

        Of an oracle that is not installed, or was not asked, what it found on this very code before is evidence still.
        """
        digest = hashlib.sha256(code.encode()).hexdigest()
        same = {oracle: group for (of, oracle), group in self.groups.items() if of == cell and group.code == digest}
        fresh: dict[str, list[Row]] = {oracle: [] for oracle in same if oracle in ORACLES}
        for row in evidence:
            fresh.setdefault(row.oracle, []).append(row)
        groups = {key: group for key, group in self.groups.items() if key[0] != cell}
        rows: list[Row] = []
        for oracle in sorted(fresh, key=_place):
            now = [row for row in fresh[oracle] if row.verdict != "not installed"]
            before = same.get(oracle)
            if before is None and not now:
                rows += fresh[oracle]
                continue
            if before is None or not before.confirmed(now):
                today = datetime.datetime.now(datetime.UTC).date().isoformat()
                before = Measured(cell, oracle, digest, _versions(oracle), today, tuple(now))
            groups[cell, oracle] = before
            rows += before.rows
        return Record(groups), Evidence(tuple(rows))

    def dump(self) -> str:
        """The record as JSON, a line for each comparison."""
        parts = []
        for key in sorted(self.groups):
            group = self.groups[key]
            head = {name: value for name, value in vars(group).items() if name != "rows"}
            lines = ",\n".join(json.dumps([_plain(getattr(row, name)) for name in _STORED]) for row in group.rows)
            parts.append(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}')
        start = f'{{"format": {FORMAT}, "columns": {json.dumps(_STORED)}, "groups": ['
        return start + "\n" + ",\n".join(parts) + "\n]}\n"


def load(text: str) -> Record:
    """What `Record.dump` made. Raises ValueError for anything else."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT or tuple(data["columns"]) != _STORED:
            raise ValueError("it is of another format")
        groups = [_group(one) for one in data["groups"]]
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not what is written here ({error})") from None
    return Record({(group.cell, group.oracle): group for group in groups})


def _group(data: Mapping[str, Any]) -> Measured:
    cell, oracle, code, date = (data[name] for name in ("cell", "oracle", "code", "date"))
    versions = data["versions"]
    if not all(isinstance(text, str) for text in (cell, oracle, *versions, *versions.values())):
        raise ValueError("a text is missing")
    if not re.fullmatch(r"[0-9a-f]{64}", code) or not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise ValueError(f"{cell}, {oracle}: its code or date is damaged")
    return Measured(cell, oracle, code, versions, date, tuple(_row(cell, oracle, row) for row in data["rows"]))


def _row(cell: str, oracle: str, values: list[Any]) -> Row:
    stored = dict(zip(_STORED, values, strict=True))
    for name in ("error", "tolerance", "ours", "theirs"):
        stored[name] = float(stored[name])
    if stored["verdict"] not in ("pass", "FAIL", "kink", "does not apply", "left out"):
        raise ValueError(f"{stored['verdict']!r} is no verdict")
    texts = ("gradient", "dtype", "sizes", "basis", "note")
    whole = [*stored["index"], *([] if stored["step"] is None else [stored["step"]])]
    if not all(isinstance(stored[name], str) for name in texts) or not all(type(value) is int for value in whole):
        raise ValueError(f"{cell}, {oracle}: a comparison is damaged")
    return Row(cell, oracle=oracle, **{**stored, "index": tuple(stored["index"])})


def path(folder: Path) -> Path:
    """Where the record of a folder of reports lies."""
    return folder / "findings" / "evidence.json"


def read(folder: Path) -> Record:
    """The record of a folder; an empty one where there is none. Raises UsageError where it cannot be read."""
    place = path(folder)
    try:
        return load(place.read_text(encoding="utf-8")) if place.exists() else Record({})
    except OSError as error:
        raise UsageError(f"{place}: cannot be read ({error.strerror}); give another folder") from None
    except ValueError as error:
        raise UsageError(f"{place}: is no record of this version: {error}; delete it to measure all anew") from None


def _says(row: Row) -> tuple[str, ...]:
    return tuple(getattr(row, name) for name in _SAYS)


def _place(oracle: str) -> int:
    """The oracles in their table's order, what else a check finds ahead of them."""
    return list(ORACLES).index(oracle) if oracle in ORACLES else -1


def _plain(value: Any) -> Any:
    finite = not isinstance(value, float) or value - value == 0
    return value if finite else str(value)


def _versions(oracle: str) -> dict[str, str]:
    """The versions of this package, of NumPy, and of what the oracle needs."""
    needs = ORACLES[oracle].needs if oracle in ORACLES else ()
    return {name: version for name in ("rnnproof", "numpy", *needs) if (version := _version(name))}


def _version(name: str) -> str:
    distributions = importlib.metadata.packages_distributions().get(name, [])
    return min((importlib.metadata.version(distribution) for distribution in distributions), default="")
