"""A report for a terminal, in Markdown and in a notebook: the verdict first, the table of errors last."""

from __future__ import annotations

import math
from html import escape

from tabulate import tabulate

from rnnproof.doctor.findings import Findings, Named


def _count(names: tuple[str, ...], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def _range(values: tuple[int, ...]) -> str:
    if not values:
        return "one length"
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def verdict(report: Findings) -> str:
    """One line: healthy, or what is wrong."""
    compared = tuple(name for name, array in report.arrays.items() if array.verdict != "not claimed")
    cases = f"T = {_range(report.steps)}, B = {', '.join(map(str, report.batches))}" if report.steps else "one case"
    intended = tuple(dict.fromkeys(mistake.kind for mistake in report.mistakes if mistake.intended))
    if report.ok:
        worst = max((a.error for a in report.arrays.values() if a.verdict == "right"), default=0.0)
        extra = f"; by intention: {', '.join(intended)}" if intended else ""
        return (
            f"healthy: {_count(compared, 'gradient')} agree with differences of the loss at {cases} "
            f"(largest error {worst:.1e}, {report.precision}){extra}"
        )
    kinds = [mistake.kind for mistake in report.mistakes]
    if not report.wrong and kinds:
        return f"the gradients are right, but: {', '.join(dict.fromkeys(kinds))}"
    named = f": {', '.join(dict.fromkeys(kinds))}" if kinds else ""
    return f"wrong: {len(report.wrong)} of {_count(compared, 'gradient')}{named}"


def _since(report: Findings) -> list[str]:
    """Which arrays are wrong from which T on, which are right."""
    lines = []
    for steps in sorted(set(report.wrong.values())):
        names = [name for name, since in report.wrong.items() if since == steps]
        why = {1: "within a step"}.get(steps, "what comes back through time" if steps == 2 else "further back")
        since = f"wrong from T = {steps} on ({why})" if report.steps else "wrong"
        lines.append(f"{since}: {', '.join(names)}")
    right = [name for name, array in report.arrays.items() if array.verdict == "right"]
    lines += [f"right: {', '.join(right)}"] if right and report.wrong else []
    silent = [name for name, array in report.arrays.items() if array.verdict == "not claimed"]
    return lines + ([f"not claimed: {', '.join(silent)}"] if silent else [])


def _named(mistake: Named) -> list[str]:
    lines = [f"{mistake.kind}, in {mistake.where}: {mistake.says}"]
    for due, written in zip(mistake.due, mistake.written, strict=True):
        lines += [f"    due:     {due}", f"    claimed: {written}"]
    if mistake.entry is not None:
        name, claimed, due_number = mistake.entry
        lines.append(f"    {name} is claimed {claimed:.6g}, due {due_number:.6g}")
    return lines


def plain(report: Findings) -> str:
    """For a terminal."""
    lines = [verdict(report)]
    for mistake in report.mistakes:
        lines += _named(mistake)
    lines += _since(report)
    signed = {name: array for name, array in report.arrays.items() if array.says and name in report.unnamed}
    lines += [f"{name}: {array.says}" for name, array in signed.items()]
    rest = [name for name in report.unnamed if name not in signed]
    if rest and report.cell:
        lines.append(
            f"no mistake of the table explains {', '.join(rest)}: where and since when is above, the name is not known"
        )
    lines += list(report.notes)
    if report.layout and not report.ok:
        lines += [f"the {report.cell} was found so:", *(f"    {line}" for line in report.layout)]
    return "\n".join(lines)


def _table(report: Findings) -> tuple[list[str], list[list[str]]]:
    cases = list(dict.fromkeys(case for array in report.arrays.values() for case in array.errors))
    headers = ["gradient", *(f"T={t}" if b == cases[0][1] else f"T={t}, B={b}" for t, b in cases)]
    rows = [[name, *(_cell(array.errors.get(case)) for case in cases)] for name, array in report.arrays.items() if array.errors]
    return headers, rows


def _cell(error: float | None) -> str:
    return "" if error is None else f"{error:.0e}"


def markdown(report: Findings) -> str:
    """For a page: what a terminal shows as paragraphs, and the errors by array and T."""
    parts = [f"**{verdict(report)}**"]
    for mistake in report.mistakes:
        head, *rest = _named(mistake)
        parts.append(f"- {head}" + ("\n\n```text\n" + "\n".join(line[4:] for line in rest) + "\n```" if rest else ""))
    parts += _since(report)
    parts += [f"{name}: {report.arrays[name].says}" for name in report.unnamed if report.arrays[name].says]
    parts += list(report.notes)
    headers, rows = _table(report)
    if rows:
        parts.append("Largest error of each gradient, relative to its largest entry:")
        parts.append(str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)))
    if report.layout:
        parts.append(f"The {report.cell} was found so:\n\n" + "\n".join(f"- {line}" for line in report.layout))
    return "\n\n".join(parts)


def html(report: Findings) -> str:
    """For a notebook: the errors as a heat map."""
    lines = plain(report).split("\n")
    headers, rows = _table(report)
    head = "".join(f"<th>{escape(text)}</th>" for text in headers)
    body = ""
    for (name, *_), array in zip(rows, (a for a in report.arrays.values() if a.errors), strict=True):
        cells = "".join(_heat(array.errors.get(case)) for case in _cases(report))
        body += f"<tr><th style='text-align:left'>{escape(name)}</th>{cells}</tr>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    return f"<p><b>{escape(lines[0])}</b></p><pre>{escape(chr(10).join(lines[1:]))}</pre>{table}"


def _cases(report: Findings) -> list[tuple[int, int]]:
    return list(dict.fromkeys(case for array in report.arrays.values() for case in array.errors))


def _heat(error: float | None) -> str:
    """A cell from white (right to 1e-9) to red (an error of the gradient's own size), its number readable on it."""
    if error is None:
        return "<td></td>"
    share = 1.0 if not math.isfinite(error) else min(1.0, max(0.0, (math.log10(max(error, 1e-300)) + 9) / 9))
    light = round(100 - 45 * share)
    return f"<td style='background:hsl(8 85% {light}%);color:#000;text-align:right'>{error:.0e}</td>"
