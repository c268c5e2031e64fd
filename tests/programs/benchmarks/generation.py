"""`python -m tests.programs.benchmarks.generation`: how long a module takes to generate, and its validation in that.

Each cell is generated with and without the validation in turns, in this process, after one round that warms SymPy's caches: a
new process takes many times as long for its first cells, of which the validation then is a smaller part.
"""

from __future__ import annotations

import time
from unittest.mock import patch

import click
from tabulate import tabulate

from rnnproof.generation import generate
from rnnproof.generation.numpy import module
from tests.generation.planting import every_cell
from tests.programs.benchmarks.run import interleaved, measured

NAMED = ("simple_rnn", "lstm", "gru", "lstm_peephole")


@click.command()
@click.option("--seconds", default=2.0, show_default=True, help="For each cell.")
def main(seconds: float) -> None:
    """Print a table: milliseconds without and with validation, and the validation's part of the whole."""
    cells = list(every_cell())
    first = time.perf_counter()
    for cell in cells:
        generate(cell)
    first = (time.perf_counter() - first) / len(cells)
    rows = []
    with click.progressbar(cells) as progress:
        for cell in progress:
            without, validated = interleaved(
                [lambda c=cell: _unvalidated(c), lambda c=cell: measured(lambda: generate(c))], seconds
            )
            rows.append([cell.name, without * 1e3, validated * 1e3])
    rows = [
        *(row for row in rows if row[0] in NAMED),
        [f"mean of all {len(rows)}", *(sum(row[column] for row in rows) / len(rows) for column in (1, 2))],
    ]
    table = [[name, without, validated, f"{(validated - without) / validated:.1%}"] for name, without, validated in rows]
    click.echo(tabulate(table, ["cell", "without, ms", "with, ms", "part"], floatfmt=".1f"))
    click.echo(f"the first time in a process, validated: {first * 1e3:.0f} ms a cell")


def _unvalidated(cell: object) -> float:
    with patch.object(module, "validate", lambda *_: None):
        return measured(lambda: generate(cell))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
