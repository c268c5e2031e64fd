"""What a check found, for a person: each fact once, with both numbers, the oracles that agree on it, and what is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rnnproof.verification.row import CONTRACT, SILENT, Row

# Oracles that know no gradient but hold a module to a promise, and what a difference means.
PROMISES = {
    "linearity": "backward is not linear in d_states, as a derivative is: something in it clips or thresholds (clip what it "
    "returns, after it)",
    "zero seeds": "a gradient is not zero where every d_states is zero",
    "missing seeds": "a state that d_states lacks does not count as zero",
    "again": "backward uses its trace up: a second call on it answers otherwise (leave what it holds, or work on a copy)",
    "step": "step and forward compute different states",
}

# Those of them that a right gradient may break, by how it can be used.
USE = ("missing seeds", "again", "step")

# Wrong gradients told with their numbers; of the others the name must do.
SHOWN = 5


def explanation(rows: Iterable[Row]) -> str:
    """Paragraphs, one for each cell: the verdict, a wrong forward, wrong gradients, other breaches, what was left out."""
    cells: dict[str, list[Row]] = {}
    for row in rows:
        cells.setdefault(row.cell, []).append(row)
    return "\n".join(line for name, group in cells.items() for line in _cell(name, group)) or "nothing was compared"


def _cell(name: str, rows: list[Row]) -> list[str]:
    compared = [row for row in rows if row.basis != CONTRACT and row.verdict not in SILENT]
    broken = [row for row in rows if row.basis == CONTRACT and not row.ok]
    promises = [row for row in compared if row.oracle in PROMISES]
    judged = [row for row in compared if row.oracle not in PROMISES]
    wrong = list(dict.fromkeys(row.gradient for row in judged if not row.ok))
    first = [row for row in broken if row.oracle == "forward" or not compared]
    last = [row for row in broken if row not in first]
    sentences = [*_broken(first, rows), *_promises(promises), *_wrong(wrong, judged), *_broken(last, rows), *_silent(rows)]
    if broken and not compared:
        return [
            f"{name}: {sentences[0]}",
            *(f"  {line}" for line in sentences[1:]),
            "  nothing else was compared, as it would mean nothing",
        ]
    return [f"{name}: {_verdict(compared, broken)}", *(f"  {line}" for line in sentences)]


def _silent(rows: list[Row]) -> list[str]:
    """What was left out, and the oracles that could not speak, which matters where all is right or they were asked for."""
    right = all(row.ok for row in rows)
    unheard = [row for row in rows if row.verdict in SILENT and (right or row.required or row.verdict == "left out")]
    silent = dict.fromkeys((row.verdict, row.oracle, row.note) for row in unheard)
    return [note if verdict == "left out" else f"{oracle} {verdict}: {note}" for verdict, oracle, note in silent]


def _verdict(compared: list[Row], broken: list[Row]) -> str:
    """What is wrong, and what is right."""
    otherwise = any(row.oracle == "forward" for row in broken)
    labels = list(dict.fromkeys(row.gradient for row in compared if not (otherwise and row.gradient.startswith("output "))))
    known = {row.gradient for row in compared if row.oracle not in PROMISES}
    wrong = {row.gradient for row in compared if row.verdict == "FAIL" and row.oracle not in USE}
    unjudged = {row.gradient for row in compared if row.verdict == "kink"} - wrong
    right = [label for label in labels if label in known - wrong - unjudged]
    if wrong or otherwise or unjudged:
        bad = [*(["its forward"] if otherwise else []), *([_results([x for x in labels if x in wrong])] if wrong else [])]
        kinks = f"not judged: {_results([label for label in labels if label in unjudged])}; " if unjudged else ""
        return f"{f'wrong: {_listed(bad)}; ' if bad else ''}{kinks}right: {_results(right) or 'nothing'}"
    by = _listed(list(dict.fromkeys(row.oracle for row in compared)))
    dtypes = _listed(list(dict.fromkeys(row.dtype for row in compared)))
    if not compared:
        return "nothing was compared"
    counted = f"{len(compared)} comparisons in {dtypes} by {by}"
    if not known:
        return f"no gradient was compared, the promises of the contract alone ({counted})"
    contract = "the contract is broken, though no number is wrong; " if broken or not all(row.ok for row in compared) else ""
    return f"{contract}right: {_results(right)} ({counted})"


def _results(labels: list[str]) -> str:
    """ "the gradients of W, b, inputs and initial h, the state h"."""
    states = [label.removeprefix("output ") for label in labels if label.startswith("output ")]
    gradients = [label for label in labels if not label.startswith("output ")]
    return ", ".join(
        f"the {what}{'s' * (len(names) > 1)}{of} {_listed(names)}"
        for what, of, names in (("gradient", " of", gradients), ("state", "", states))
        if names
    )


def _broken(broken: list[Row], rows: Sequence[Row]) -> list[str]:
    """Each promise of the contract that does not hold, once."""
    lines = []
    for note in dict.fromkeys(row.note for row in broken):
        alike = [row for row in broken if row.note == note]
        row = alike[0]
        if row.oracle == "forward":
            extent = _extent(alike, [other for other in rows if other.oracle == "central"])
            lines.append(
                f"its forward computes something else than these equations: {note}; {row.place.removeprefix('output ')} is "
                f"{row.ours!r} here, {row.theirs!r} by the equations ({row.dtype}, {row.sizes}; relative error {row.error:.2e}"
                f"{', about what float32 gives' if row.error < 1e-5 else ''}){extent}. "
                "Its gradients are judged by differences of its own forward"
            )
        else:
            lines.append(f"{note} ({row.dtype}, {row.sizes})")
    return lines


def _promises(rows: list[Row]) -> list[str]:
    """A line for each promise that is tested with numbers, such as linearity, with the gradients that break it."""
    lines = []
    for oracle, says in PROMISES.items():
        tested = [row for row in rows if row.oracle == oracle]
        if failing := [row for row in tested if not row.ok]:
            labels = list(dict.fromkeys(row.gradient for row in failing))
            row = failing[0]
            numbers = f"{row.place} is {row.ours!r}, where {row.theirs!r} is due ({row.dtype}, {row.sizes})"
            every = len(labels) > 1 and set(labels) == {row.gradient for row in tested}
            place = "in every gradient" if every else f"in {_results(labels)}"
            means = f"{place}, {row.note}" if row.note else place
            lines.append(f"{says}: {means}; {numbers}{_extent(failing, tested)}")
    return lines


def _wrong(labels: list[str], judged: list[Row]) -> list[str]:
    lines = [_line([row for row in judged if row.gradient == label]) for label in labels[:SHOWN]]
    rest = labels[SHOWN:]
    return [*lines, *([f"and {len(rest)} more"] if rest else [])]


def _line(judged: list[Row]) -> str:
    """One wrong gradient: the first row that shows it, the oracles that agree, those that do not see it, and where."""
    failing = [row for row in judged if row.verdict == "FAIL"] or [row for row in judged if not row.ok]
    first = failing[0]
    agreeing = list(dict.fromkeys(row.oracle for row in failing if row.oracle != first.oracle))
    oracles = f"{first.oracle} ({_listed(agreeing)} agree{'s' * (len(agreeing) == 1)})" if agreeing else first.oracle
    blind = list(dict.fromkeys(row.oracle for row in judged if row.oracle not in {first.oracle, *agreeing}))
    sees = f"; {_listed(blind)} see{'s' * (len(blind) == 1)} no difference" if blind else ""
    return first.compared(oracles) + _extent(failing, judged) + sees


def _extent(failing: Sequence[Row], judged: Sequence[Row]) -> str:
    """Where the fault shows: "; at every size", or from which length, batch or number of units on."""
    kinds = {row.oracle for row in failing}
    bad = list(dict.fromkeys(row.sizes for row in failing))
    good = list(dict.fromkeys(row.sizes for row in judged if row.oracle in kinds and row.sizes not in bad))
    doubles = {row.dtype for row in judged if row.oracle in kinds} - {"float32"}
    alone = ", in float32 alone" if doubles and {row.dtype for row in failing} == {"float32"} else ""
    if not good:
        return f"{'; at every size' if len(bad) > 1 else ''}{alone}"
    return f"; right {_bounds(bad, good) or 'at ' + ' and at '.join(good)}{alone}"


def _bounds(bad: list[str], good: list[str]) -> str:
    """The sizes that part the wrong points from the right ones: "up to B=7 or hidden=17"."""
    wrong, right = ([dict(_pair(word) for word in sizes.split()) for sizes in group] for group in (bad, good))
    ranges = {name: ([sizes[name] for sizes in wrong], [sizes[name] for sizes in right]) for name in right[0]}
    below = [f"{name}={max(fine)}" for name, (off, fine) in ranges.items() if max(fine) < min(off)]
    above = [f"{name}={min(fine)}" for name, (off, fine) in ranges.items() if max(off) < min(fine)]
    return _listed([f"{word} {_listed(names, 'or')}" for word, names in (("up to", below), ("from", above)) if names], "or")


def _pair(word: str) -> tuple[str, int]:
    name, _, size = word.partition("=")
    return name, int(size)


def _listed(names: list[str], last: str = "and") -> str:
    return f" {last} ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
