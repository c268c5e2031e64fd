"""`python -m tests.random_cells --count N --seed S --jobs J`: random cells against torch; exit status 1 where one is wrong."""

from __future__ import annotations

import sys
import time

import click

from tests.random_cells import campaign, verdicts


@click.command(help=__doc__)
@click.option("--count", default=500, show_default=True, help="How many cells.")
@click.option("--seed", default=0, show_default=True, help="The first cell's seed; the others follow.")
@click.option("--jobs", default=1, show_default=True, help="Worker processes; the cells are the same whatever their number.")
@click.option("--only", type=int, help="One seed again: its text, its reason and its worst gradient.")
@click.option("--shrink", is_flag=True, help="With --only: the smallest cell that fails in the same way.")
@click.option("--used", is_flag=True, help="How often each operation and notation was used.")
def main(count: int, seed: int, jobs: int, only: int | None, shrink: bool, used: bool) -> None:
    """Run the cells and print the verdicts."""
    campaign.quieten()
    if only is not None:
        sys.exit(verdicts.show_one(only, shrink))
    tally, start = campaign.Tally(), time.monotonic()
    try:
        with click.progressbar(length=count, label="random cells", file=sys.stderr) as bar:
            for outcome in campaign.outcomes(range(seed, seed + count), jobs):
                tally.add(outcome)
                bar.update(1)
    except KeyboardInterrupt:
        click.echo(f"\nstopped after {tally.cells} of {count} cells", err=True)
        click.echo(verdicts.summary(tally, time.monotonic() - start))
        sys.exit(130)
    click.echo(verdicts.summary(tally, time.monotonic() - start))
    if used:
        click.echo(verdicts.coverage_table(tally))
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
