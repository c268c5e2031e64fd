"""What a check found, for a person: each fact once, with both numbers, the oracles that agree on it, and what is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rnnproof.verification.row import CONTRACT, SILENT, Row

# Wrong gradients told with their numbers; of the others the name must do.
SHOWN = 5


def explanation(rows: Iterable[Row]) -> str:
    """Paragraphs, one for each cell: the verdict first, then a line for each fault, then what was left out."""
    cells: dict[str, list[Row]] = {}
    for row in rows:
        cells.setdefault(row.cell, []).append(row)
    return "\n".join(line for name, group in cells.items() for line in _cell(name, group)) or "nothing was compared"


def _cell(name: str, rows: list[Row]) -> list[str]:
    compared = [row for row in rows if row.basis != CONTRACT and row.verdict not in SILENT]
    broken = [row for row in rows if row.basis == CONTRACT and not row.ok]
    labels = dict.fromkeys(row.gradient for row in compared)
    failing = {label: [row for row in compared if row.gradient == label and not row.ok] for label in labels}
    wrong = [label for label in labels if failing[label]]
    lines = [f"{name}: {_verdict(list(labels), wrong, bool(broken), compared)}"]
    lines += [f"  {line}" for line in _broken(broken, rows)]
    lines += [f"  {_line(failing[label], [row for row in compared if row.gradient == label])}" for label in wrong[:SHOWN]]
    if len(wrong) > SHOWN:
        lines.append(f"  and {len(wrong) - SHOWN} more: {', '.join(wrong[SHOWN:])}")
    silent = [row for row in rows if row.verdict == "left out" or (row.verdict in SILENT and row.required)]
    return lines + [f"  {_without_name(row)}" for row in silent]


def _without_name(row: Row) -> str:
    return str(row).removeprefix(f"{row.cell}: ")


def _verdict(labels: list[str], wrong: list[str], broken: bool, compared: Sequence[Row]) -> str:
    """Which gradients are wrong, and which are right."""
    right = [label for label in labels if label not in wrong]
    if not labels:
        return "no gradient was compared"
    if not wrong:
        by = _listed(list(dict.fromkeys(row.oracle for row in compared)))
        dtypes = " and ".join(dict.fromkeys(row.dtype for row in compared))
        kept = "but a promise of the contract is broken; " if broken else ""
        return f"{kept}{_names(right)} are right: {len(compared)} comparisons by {by} in {dtypes} hold"
    return f"{len(wrong)} of {len(labels)} results are wrong: {_names(wrong)}; right: {_names(right) or 'none'}"


def _names(labels: list[str]) -> str:
    return ", ".join(labels)


def _broken(broken: list[Row], rows: Sequence[Row]) -> list[str]:
    """Each promise of the contract that does not hold, once."""
    lines = []
    for note in dict.fromkeys(row.note for row in broken):
        alike = [row for row in broken if row.note == note]
        row = alike[0]
        if row.oracle == "forward":
            lines.append(
                f"its forward computes something else than these equations: {note}; {row.place.removeprefix('output ')} is "
                f"{row.ours!r} here, {row.theirs!r} by the equations ({row.dtype}, {row.sizes}){_extent(alike, rows)}. "
                "Gradients are judged against differences of its own forward"
            )
        else:
            lines.append(f"{note} ({row.dtype}, {row.sizes})")
    return lines


def _line(failing: list[Row], judged: list[Row]) -> str:
    """One wrong gradient: the first row that shows it, the oracles that agree, those that do not see it, and where."""
    first = failing[0]
    agreeing = list(dict.fromkeys(row.oracle for row in failing if row.oracle != first.oracle))
    oracles = f"{first.oracle} ({_listed(agreeing)} agree{'s' * (len(agreeing) == 1)})" if agreeing else first.oracle
    blind = [row.oracle for row in judged if row.ok and row.oracle not in {first.oracle, *agreeing}]
    sees = f"; {_listed(list(dict.fromkeys(blind)))} hold{'s' * (len(set(blind)) == 1)}" if blind else ""
    return first.compared(oracles) + _extent(failing, judged) + sees


def _extent(failing: Sequence[Row], judged: Sequence[Row]) -> str:
    """Where the fault shows: "; at every size", or from which length, batch or number of units on."""
    kinds = {row.oracle for row in failing}
    bad = list(dict.fromkeys(row.sizes for row in failing))
    good = list(dict.fromkeys(row.sizes for row in judged if row.oracle in kinds and row.sizes not in bad))
    dtypes = {row.dtype for row in failing}
    alone = f", in {dtypes.pop()} alone" if len(dtypes) == 1 < len({r.dtype for r in judged if r.oracle in kinds}) else ""
    if not good:
        return f"{'; at every size' if len(bad) > 1 else ''}{alone}"
    return f"; right {_either(_bounds(bad, good)) or 'at ' + ' and at '.join(good)}{alone}"


def _bounds(bad: list[str], good: list[str]) -> list[str]:
    """The sizes that part the wrong points from the right ones, as "up to hidden=17"."""
    wrong, right = ([dict(_pair(word) for word in sizes.split()) for sizes in group] for group in (bad, good))
    bounds = []
    for name in right[0]:
        low, high = {sizes[name] for sizes in wrong}, {sizes[name] for sizes in right}
        if max(high) < min(low):
            bounds.append(f"up to {name}={max(high)}")
        elif max(low) < min(high):
            bounds.append(f"from {name}={min(high)} on")
    return bounds


def _pair(word: str) -> tuple[str, int]:
    name, _, size = word.partition("=")
    return name, int(size)


def _either(texts: list[str]) -> str:
    return _listed(texts, "or")


def _listed(names: list[str], last: str = "and") -> str:
    return f" {last} ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
