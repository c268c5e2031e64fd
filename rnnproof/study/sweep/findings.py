"""What an experiment hands to the reports: tables, and statements that the numbers bear out or do not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnproof.pages.message import Message, Text, say


@dataclass(frozen=True)
class Table:
    """Rows of numbers and texts; `says` is the caption. Without `page` it is only in the files for machines."""

    name: str
    says: Text
    headers: tuple[Text, ...]
    rows: tuple[tuple[Any, ...], ...]
    page: bool = True


@dataclass(frozen=True)
class Statement:
    """Something said about gradients, and what was measured of it.

    `verdict` is HOLDS, CONDITION or NOT, computed from the numbers; `evidence` says them, and so under which condition.
    """

    name: str
    claim: Text
    verdict: Message
    evidence: Text


HOLDS, CONDITION, NOT = say("holds"), say("holds with a condition"), say("not as stated")


@dataclass(frozen=True)
class Findings:
    """An experiment's outcome; `curves` is what its figures draw, by name."""

    setting: tuple[Text, ...]
    tables: tuple[Table, ...]
    statements: tuple[Statement, ...]
    curves: dict[str, Any] = field(default_factory=dict)


def verdict(holds: bool, sometimes: bool = False) -> Message:
    """HOLDS, or CONDITION where it holds in part, or NOT."""
    return HOLDS if holds else CONDITION if sometimes else NOT


def present(values: Iterable[float | None]) -> list[float]:
    """The numbers that are there."""
    return [value for value in values if value is not None]


def median(values: Iterable[float | None]) -> float | None:
    """The median of the numbers that are there; None where there is none."""
    there = present(values)
    return float(np.median(there)) if there else None


def quartiles(values: Iterable[float | None]) -> tuple[float | None, float | None, float | None]:
    """25 %, 50 % and 75 % of the numbers that are there, each one of them (so that some may be infinite)."""
    there = present(values)
    if not there:
        return None, None, None
    low, middle, high = (float(q) for q in np.percentile(there, (25, 50, 75), method="inverted_cdf"))
    return low, middle, high


def spread(values: Iterable[float | None]) -> str:
    """ "median [25 %, 75 %]" for a table."""
    low, middle, high = quartiles(values)
    return "" if low is None or middle is None or high is None else f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def share(flags: Sequence[bool]) -> float:
    """How many are true, from 0 to 1."""
    return sum(flags) / len(flags) if flags else 0.0


def chance(better: int, worse: int) -> float:
    """The probability of at least so many better ones among pairs that differ, were each a toss of a coin (sign test)."""
    return float(sum(math.comb(better + worse, k) for k in range(better, better + worse + 1)) / 2 ** (better + worse))


def power(log: float | None) -> str:
    """10^log for a table, also where a float could not hold it."""
    if log is None:
        return ""
    if -3 <= log < 4:
        return f"{10**log:.3g}"
    exponent = math.floor(log + math.log10(1 / 0.995))  # 9.96 is 1.0e+01
    return f"{10 ** (log - exponent):.1f}e{exponent:+03d}"
