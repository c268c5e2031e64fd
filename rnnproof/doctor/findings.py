"""What an examination found, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# Not mistakes but choices, told with their limits.
INTENDED = ("truncated", "clipped-by-norm", "clipped-by-value")


@dataclass(frozen=True)
class Named:
    """A mistake by its name: `kind`, `where` (lines of the derivation, or arrays), `says`, a sentence.

    `due` are the lines as they should be, `written` as they are. `entry` is one number of the case: the array's entry, what
    was claimed and what is due there.
    """

    kind: str
    where: str
    says: str
    due: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    entry: tuple[str, float, float] | None = None

    @property
    def intended(self) -> bool:
        """Whether it may well be meant: clipping and truncation are no faults."""
        return self.kind in INTENDED


@dataclass(frozen=True)
class ArrayReport:
    """One array: `verdict` is "right", "wrong", "clipped", "truncated" or "not claimed".

    `error` is the largest error of all cases relative to the largest entry of the right gradient, `errors` that of each case
    by (T, B). `signature` names what a wrong array is ("transposed"), `says` in a sentence; both are empty where nothing fits.
    """

    verdict: str
    error: float
    signature: str = ""
    says: str = ""
    errors: Mapping[tuple[int, int], float] = field(default_factory=dict)


@dataclass(frozen=True)
class Findings:
    """What an examination found.

    `ok` where no gradient is wrong and nothing else is; clipping and truncation are told and leave it so. `wrong` maps each
    array that is not the loss's gradient to the smallest T from which on it is not. `layout` says line by line how the cell was
    found in the arrays. `mistakes` name what is wrong; `unnamed` are the arrays whose error has no name in the table.
    """

    wrong: Mapping[str, int]
    arrays: Mapping[str, ArrayReport]
    mistakes: tuple[Named, ...]
    unnamed: tuple[str, ...]
    layout: tuple[str, ...]
    cell: str
    notes: tuple[str, ...]
    steps: tuple[int, ...]
    batches: tuple[int, ...]
    precision: str = "float64"

    @property
    def ok(self) -> bool:
        return not any(not mistake.intended for mistake in self.mistakes) and not self.faulty

    @property
    def faulty(self) -> tuple[str, ...]:
        """The arrays that are wrong and neither clipped nor truncated."""
        return tuple(name for name, array in self.arrays.items() if array.verdict == "wrong")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the mistakes."""
        return tuple(dict.fromkeys(mistake.kind for mistake in self.mistakes))

    def json(self) -> str:
        """Everything as JSON; numbers that are not finite become strings."""
        arrays = {
            name: {**asdict(array), "errors": [{"T": t, "B": b, "error": _plain(e)} for (t, b), e in array.errors.items()]}
            for name, array in self.arrays.items()
        }
        for array in arrays.values():
            array["error"] = _plain(array["error"])
        mistakes = [{**asdict(mistake), "intended": mistake.intended} for mistake in self.mistakes]
        answer = {"ok": self.ok, "wrong": dict(self.wrong), "arrays": arrays, "mistakes": mistakes}
        rest = {name: list(getattr(self, name)) for name in ("unnamed", "layout", "notes", "steps", "batches")}
        return json.dumps(answer | rest | {"cell": self.cell, "precision": self.precision}, indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    return value if not isinstance(value, float) or value - value == 0 else str(value)
