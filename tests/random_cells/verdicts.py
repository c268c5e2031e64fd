"""What a run found, as text: counts, refusals by reason, failures with their seeds, what was used, one seed in full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import click
from tabulate import tabulate

from tests.random_cells.campaign import Tally
from tests.random_cells.cell_trial import Outcome, draw, run_seed
from tests.random_cells.shrinking import shrink


def summary(tally: Tally, seconds: float) -> str:
    """Counts, times and reasons."""
    counts = tally.verdicts
    parts = [
        f"{tally.cells} cells: {counts['right']} right, {counts['refused']} refused, {counts['misread']} misread, "
        f"{counts['wrong']} wrong, {counts['traceback']} tracebacks; {seconds:.0f} seconds",
        f"largest difference of the right ones: {tally.worst:.2g} of what rounding explains",
    ]
    if tally.cells:
        each = ", ".join(f"{stage} {1e3 * total / tally.cells:.0f} ms" for stage, total in tally.seconds.items())
        parts.append(f"a cell: {each}")
    for title, outcomes in (("refused", tally.refused), ("failed", tally.failed)):
        if outcomes:
            parts.append(_reasons(title, outcomes))
    return "\n".join(parts)


def _reasons(title: str, outcomes: Iterable[Outcome]) -> str:
    seeds: dict[str, list[int]] = defaultdict(list)
    for outcome in outcomes:
        seeds[outcome.kind].append(outcome.seed)
    rows = [(len(found), kind, " ".join(map(str, found[:6]))) for kind, found in seeds.items()]
    return tabulate(sorted(rows, reverse=True), headers=(title, "why", "seeds"), tablefmt="github")


def coverage_table(tally: Tally) -> str:
    """In how many cells each operation, activation and notation stands."""
    return tabulate(sorted(tally.used.items()), headers=("what", "cells"), tablefmt="github")


def show_one(seed: int, smallest: bool) -> int:
    """One seed in full; the exit status."""
    outcome = run_seed(seed)
    click.echo(f"{outcome.text}\n\nseed {seed}: {outcome.verdict}")
    click.echo(outcome.reason or f"largest difference: {outcome.worst:.2g} of what rounding explains")
    if smallest and outcome.verdict != "right":
        smaller = shrink(draw(seed)[0], outcome.kind)
        click.echo("\nprinted plainly, it does not fail so" if smaller is None else f"\n{smaller.text}\n{smaller.reason}")
    return int(outcome.verdict not in ("right", "refused"))
