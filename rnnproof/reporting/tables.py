"""Tables for people, from the rows other rooms hand over."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from rnnproof.equations.cell import Cell
from rnnproof.proofs import ProofReport
from rnnproof.verification.evidence import SILENT, Evidence, Row


def cells(found: Iterable[Cell], format: str = "simple") -> str:
    """One row for each cell: its states, input, parameters and functions left open."""
    rows = [
        (
            cell.name,
            ", ".join(state.name for state in cell.states),
            ", ".join(x.name for x in cell.inputs) or "none",
            " ".join(parameter.name for parameter in cell.parameters) or "none",
            ", ".join(cell.open_functions) or "none",
        )
        for cell in found
    ]
    headers = ("cell", "states", "input", "parameters", "open functions")
    return str(tabulate(rows, headers=headers, tablefmt=format, maxcolwidths=[None, None, None, 60, None]))


def summary(evidence: Evidence, format: str = "simple") -> str:
    """One row for each cell, oracle and dtype: how much was compared, and the comparison nearest to (or over) its tolerance."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in evidence:
        groups.setdefault((row.cell, row.oracle, row.dtype), []).append(row)
    shown: list[tuple[object, ...]] = []
    for (cell, oracle, dtype), rows in groups.items():
        worst = Evidence(tuple(rows)).worst("cell")[0]
        if worst.verdict in SILENT:
            shown.append((cell, oracle, dtype, "", "", "", "", "", f"{worst.verdict}: {worst.note}"))
            continue
        verdict = "pass" if all(row.ok for row in rows) else f"{sum(not row.ok for row in rows)} {worst.verdict}"
        numbers = (f"{worst.error:.1e}", f"{worst.tolerance:.1e}")
        gradients = len({row.gradient for row in rows})
        shown.append((cell, oracle, dtype, gradients, len(rows), worst.gradient, *numbers, verdict))
    headers = ("cell", "oracle", "dtype", "gradients", "comparisons", "worst", "error", "tolerance", "verdict")
    return str(tabulate(shown, headers=headers, tablefmt=format, disable_numparse=True))


def proofs(reports: Iterable[ProofReport], format: str = "simple") -> str:
    """Every row of the proofs without its seconds, so that the table is the same every time."""
    rows = [(row.what, row.sizes, row.entries, row.verdict) for report in reports for row in report.rows]
    return str(tabulate(rows, headers=("what", "sizes", "identities", "verdict"), tablefmt=format, disable_numparse=True))
