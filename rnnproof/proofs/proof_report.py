"""What a proof reports: one row for each thing proved, with its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tabulate import tabulate


class Kind(Enum):
    """What a row proves, and how its line begins."""

    RULE = "rule "
    SLOPE = "slope of "
    CELL = ""


@dataclass(frozen=True)
class ProofRow:
    """A rule, an activation's slope or a cell at `sizes`: so many identities, in so many seconds.

    `failure` says which one does not hold and by how much.

    A row `too_large` is neither proved nor refuted.
    """

    kind: Kind
    name: str
    sizes: str
    entries: int
    seconds: float
    failure: str = ""
    too_large: bool = False

    @property
    def what(self) -> str:
        """The rule, the slope or the cell, by name."""
        return self.kind.value + self.name

    @property
    def ok(self) -> bool:
        """Whether nothing was refuted."""
        return not self.failure

    @property
    def proved(self) -> bool:
        """Whether every identity holds exactly."""
        return not self.failure and not self.too_large

    @property
    def verdict(self) -> str:
        """The word for it."""
        if self.too_large:
            return "not proved (too large)"
        return "proved" if self.ok else f"REFUTED: {self.failure}"


@dataclass(frozen=True)
class ProofReport:
    """The rows of one proof."""

    title: str
    rows: tuple[ProofRow, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was refuted, and there are any rows."""
        return bool(self.rows) and all(row.ok for row in self.rows)

    @property
    def proved(self) -> bool:
        """Whether all rows are proved, and there are any."""
        return bool(self.rows) and all(row.proved for row in self.rows)

    @property
    def entries(self) -> int:
        """How many identities in all."""
        return sum(row.entries for row in self.rows)

    def table(self, form: str = "simple") -> str:
        """The rows in a tabulate format."""
        headers = ("what", "sizes", "identities", "seconds", "verdict")
        rows = [(row.what, row.sizes, row.entries, f"{row.seconds:.2f}", row.verdict) for row in self.rows]
        return f"{self.title}\n\n{tabulate(rows, headers, tablefmt=form, disable_numparse=True)}"

    def __str__(self) -> str:
        return self.table()
