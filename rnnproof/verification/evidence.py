"""The answer of a check: `Evidence`, one `Row` for each gradient, oracle, dtype and size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import overload

from tabulate import tabulate

from rnnproof.verification.explanation import explanation
from rnnproof.verification.row import CONTRACT, SILENT, Row

__all__ = ["CONTRACT", "SILENT", "Evidence", "Row"]

COLUMNS = ("cell", "gradient", "oracle", "dtype", "sizes", "error", "tolerance", "basis", "verdict")


@dataclass(frozen=True)
class Evidence(Sequence[Row]):
    """All rows of a check; `ok` where every row is and at least one gradient was compared."""

    rows: tuple[Row, ...]

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.rows + other.rows)

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows) and any(row.verdict == "pass" for row in self.rows)

    def __str__(self) -> str:
        """What was found, each fact once, with the oracles that agree on it."""
        return explanation(self)

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that are not ok."""
        return tuple(row for row in self.rows if not row.ok)

    def worst(self, *by: str) -> Evidence:
        """The worst row of each group of equal columns `by`: a row that is not ok first, else that nearest to its tolerance."""
        groups: dict[tuple[str, ...], Row] = {}
        for row in self.rows:
            key = tuple(getattr(row, column) for column in by)
            if key not in groups or _badness(row) > _badness(groups[key]):
                groups[key] = row
        return Evidence(tuple(groups.values()))

    def table(self, format: str = "simple", by: tuple[str, ...] = ()) -> str:
        """A table in any format of tabulate ("simple" for terminals, "github"); with `by`, the worst row of each group."""
        rows = self.worst(*by) if by else self
        cells = [[_cell(getattr(row, column)) for column in COLUMNS] for row in rows]
        return str(tabulate(cells, headers=COLUMNS, tablefmt=format, disable_numparse=True))

    def json(self) -> str:
        """Every row with all its fields; non-finite numbers become strings, as JSON has none."""
        return json.dumps(
            [{key: _plain(value) for key, value in asdict(row).items()} for row in self.rows], indent=1, allow_nan=False
        )


def _badness(row: Row) -> tuple[bool, float]:
    return (not row.ok, row.error / row.tolerance if row.tolerance else 0.0)


def _cell(value: object) -> str:
    return f"{value:.1e}" if isinstance(value, float) else str(value)


def _plain(value: object) -> object:
    finite = not isinstance(value, float) or value - value == 0
    return value if finite else str(value)
