"""One comparison of a check, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass

# Verdicts that say nothing about the gradient; a row with one holds only where nobody asked for that oracle by name.
SILENT = ("not installed", "does not apply", "left out")

# The basis of a row that compares no number: a promise of the contract that does not hold.
CONTRACT = "the contract"


@dataclass(frozen=True)
class Row:
    """One comparison: `error` is max |ours - theirs| / max |theirs| over the array, `ours` and `theirs` its worst entry.

    `step` is the time step of that entry where the array has a time axis. Verdicts: "pass", "FAIL", "kink" (the point lies at
    a kink, where there is no derivative to compare), "not installed", "does not apply", "left out" (as asked). A `directed` row
    compares derivatives along random directions, and its index counts those. A row whose basis is `CONTRACT` compares nothing:
    its note says which promise does not hold.
    """

    cell: str
    gradient: str
    oracle: str
    dtype: str
    sizes: str
    error: float
    tolerance: float
    basis: str
    verdict: str
    index: tuple[int, ...] = ()
    step: int | None = None
    ours: float = 0.0
    theirs: float = 0.0
    note: str = ""
    required: bool = False
    directed: bool = False

    @property
    def ok(self) -> bool:
        """Whether the row stands in nobody's way: it passed, or is silent and was not asked for by name."""
        return self.verdict == "pass" or (self.verdict in SILENT and not self.required)

    def __str__(self) -> str:
        if self.verdict == "left out":
            return f"{self.cell}: {self.note}"
        if self.verdict in SILENT:
            return f"{self.cell}: oracle {self.oracle} {self.verdict}: {self.note}"
        if self.basis == CONTRACT:
            return f"{self.cell}: {self.note} ({self.oracle}, {self.dtype}, {self.sizes})"
        return f"{self.cell}: {self.compared(self.oracle)}"

    def compared(self, oracles: str) -> str:
        """Which entry, both numbers, by which oracles, where, and how far apart they are."""
        where = f"({self.dtype}, {self.sizes})"
        if self.verdict == "kink":
            return f"gradient {self.gradient}: kink, where there is nothing to compare: {self.note}, by {oracles} {where}"
        if self.ours != self.ours and self.theirs != self.theirs and self.note:
            return f"gradient {self.gradient}: {self.verdict}: {self.note}, by {oracles} {where}"
        return (
            f"gradient {self.place}: {self.verdict}: {self.ours!r} here, {self.theirs!r} by {oracles} {where}; {self.measured}"
        )

    @property
    def place(self) -> str:
        """The gradient and the entry: "inputs[0, 2, 1] at time step 0"."""
        if self.directed:
            return f"{self.gradient} along a random direction"
        entry = f"{self.gradient}[{', '.join(map(str, self.index))}]" if self.index else self.gradient
        return f"{entry} at time step {self.step}" if self.step is not None else entry

    @property
    def measured(self) -> str:
        """The error, the tolerance, where that comes from, and the note."""
        numbers = f"relative error {self.error:.2e}, tolerance {self.tolerance:.1e} ({self.basis})"
        return f"{numbers}; {self.note}" if self.note else numbers
