"""Tables for people, of cells, evidence and proofs."""

from __future__ import annotations

from collections.abc import Iterable

from rnnproof.equations.cell import Cell
from rnnproof.pages.blocks import Table
from rnnproof.pages.message import Text, listed, say
from rnnproof.pages.rule_captions import RULES
from rnnproof.proofs import Kind, ProofReport, ProofRow
from rnnproof.verification.evidence import CONTRACT, SILENT, Evidence, Row
from rnnproof.verification.recorded import Measured, Record

PASS, FAIL, KINK = say("pass"), say("FAIL"), say("kink")
NOT_INSTALLED, DOES_NOT_APPLY = say("not installed"), say("does not apply")
PROVED, REFUTED, TOO_LARGE = say("proved"), say("REFUTED"), say("not proved (too large)")
LEFT_OUT = say("left out")
_VERDICTS = {str(verdict): verdict for verdict in (PASS, FAIL, KINK, NOT_INSTALLED, DOES_NOT_APPLY, LEFT_OUT)}

_NO_LAYER = (say("the cell names no keras layer it equals"), say("the cell names no torch layer it equals"))
_REASONS = {str(reason): reason for reason in _NO_LAYER}


def cells(listed: Iterable[Cell]) -> Table:
    """One row for each cell: its states, input, parameters and functions left open."""
    none = say("none")
    rows = [
        (
            cell.name,
            ", ".join(state.name for state in cell.states),
            ", ".join(x.name for x in cell.inputs) or none,
            " ".join(parameter.name for parameter in cell.parameters) or none,
            ", ".join(cell.open_functions) or none,
        )
        for cell in listed
    ]
    return Table((say("cell"), say("states"), say("input"), say("parameters"), say("open functions")), rows)


def summary(evidence: Evidence, record: Record | None = None) -> Table:
    """One row for each cell, oracle and dtype: how much was compared, and the comparison nearest to (or over) its tolerance.

    With the record that the evidence is of, also when each was made, and with which versions.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in evidence:
        groups.setdefault((row.cell, row.oracle, row.dtype), []).append(row)
    table_rows: list[tuple[Text | int, ...]] = []
    for (cell, oracle, dtype), rows in groups.items():
        worst = Evidence(tuple(rows)).worst("cell")[0]
        if worst.verdict in SILENT:
            silent = say("{verdict}: {reason}", verdict=_VERDICTS[worst.verdict], reason=_REASONS.get(worst.note, worst.note))
            table_rows.append((cell, oracle, dtype, "", "", "", "", "", silent))
            continue
        if worst.basis == CONTRACT:  # nothing was measured: a promise does not hold
            table_rows.append((cell, oracle, dtype, "", "", "", "", "", FAIL))
            continue
        bad = sum(not row.ok for row in rows)
        verdict = say("{count} {verdict}", count=bad, verdict=_VERDICTS[worst.verdict]) if bad else PASS
        gradients = len({row.gradient for row in rows})
        numbers = (f"{worst.error:.1e}", f"{worst.tolerance:.1e}")
        table_rows.append((cell, oracle, dtype, gradients, len(rows), worst.gradient, *numbers, verdict))
    headers: list[Text] = [
        say("cell"),
        say("oracle"),
        say("dtype"),
        say("gradients"),
        say("comparisons"),
        say("worst"),
        say("error"),
        say("tolerance"),
        say("verdict"),
    ]
    if record is None:
        return Table(headers, table_rows)
    dates = [_made(record.groups.get((cell, oracle))) for cell, oracle, _ in groups]
    return Table([*headers, say("measured with")], [(*row, when) for row, when in zip(table_rows, dates, strict=True)])


def _made(group: Measured | None) -> str:
    if group is None or group.silent:
        return ""
    return f"{group.date}, {', '.join(f'{name} {version}' for name, version in group.versions.items() if name != 'rnnproof')}"


def gradients(evidence: Evidence) -> Table:
    """One row for each gradient, oracle and dtype: the comparison nearest to (or over) its tolerance."""
    rows = [
        (
            row.cell,
            row.gradient,
            row.oracle,
            row.dtype,
            row.sizes,
            f"{row.error:.1e}",
            f"{row.tolerance:.1e}",
            _VERDICTS[row.verdict],
        )
        for row in evidence.worst("cell", "gradient", "oracle", "dtype")
        if row.verdict not in SILENT
    ]
    headers = (
        say("cell"),
        say("gradient"),
        say("oracle"),
        say("dtype"),
        say("sizes"),
        say("error"),
        say("tolerance"),
        say("verdict"),
    )
    return Table(headers, rows)


def _proof_verdict(row: ProofRow) -> Text:
    if row.too_large:
        return TOO_LARGE
    return PROVED if row.ok else listed([REFUTED, row.failure], ": ")


def _proved(row: ProofRow) -> Text:
    """What a row proves, a rule in words."""
    if row.kind is Kind.RULE:
        return say("rule {name}: {words}", name=row.name, words=RULES[row.name].says)
    return say("slope of {function}", function=row.name) if row.kind is Kind.SLOPE else row.name


def proofs(reports: Iterable[ProofReport]) -> Table:
    """Every row of the proofs without its seconds, so that the table is the same every time."""
    rows = [(_proved(row), row.sizes, row.entries, _proof_verdict(row)) for report in reports for row in report.rows]
    return Table((say("what"), say("sizes"), say("identities"), say("verdict")), rows)
