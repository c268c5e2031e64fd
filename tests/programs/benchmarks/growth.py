"""`python -m tests.programs.benchmarks.growth`: seconds and peak memory of derive, prove and generate as cells grow.

Each cell is read and worked on in a process of its own, so that neither SymPy's caches nor another cell's memory counts; the
seconds are those of the work, without Python's start. Depth, width and the number of states are each doubled; work that is
linear in a cell's text then doubles too, as the table's last column says of the last two rows.
"""

from __future__ import annotations

import json
import subprocess
import sys

import click
from tabulate import tabulate

WORK = {
    "derive": "rp.derive(cell).text()",
    "prove": "rp.prove(cell).proved",
    "generate": "rp.generate(cell)",
}
_RUN = """
import json, resource, sys, time
import rnnproof as rp
cell = rp.read_text(sys.stdin.read(), name="grown")[0]
started = time.perf_counter()
{work}
seconds = time.perf_counter() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(cell.equations)]))
"""


def aligned(lines: list[str]) -> str:
    """Equations in one display."""
    return r"$$\begin{align}" + r" \\ ".join(lines) + r"\end{align}$$"


def chain(depth: int) -> str:
    """a_i = tanh(R_i a_{i-1}), so many times."""
    first = r"a^{(1)}_t &= \tanh(W x_t + R_1 h_{t-1})"
    rest = [rf"a^{{({i})}}_t &= \tanh(R_{{{i}}} a^{{({i - 1})}}_t)" for i in range(2, depth + 1)]
    return aligned([first, *rest, rf"h_t &= \tanh(Q a^{{({depth})}}_t)"])


def squares(depth: int) -> str:
    """a_i = a_{i-1} * a_{i-1}: written out, twice as long each time."""
    first = r"a^{(1)}_t &= R_1 h_{t-1} + W x_t"
    rest = [rf"a^{{({i})}}_t &= a^{{({i - 1})}}_t \odot a^{{({i - 1})}}_t" for i in range(2, depth + 1)]
    return aligned([first, *rest, rf"h_t &= \tanh(a^{{({depth})}}_t)"])


def dense(depth: int) -> str:
    """Each reads all before it: the text itself grows with the square."""
    first = r"a^{(1)}_t &= \tanh(W x_t + R_1 h_{t-1})"
    rest = [
        rf"a^{{({i})}}_t &= \tanh({' + '.join(rf'R_{{{i},{j}}} a^{{({j})}}_t' for j in range(1, i))})"
        for i in range(2, depth + 1)
    ]
    return aligned([first, *rest, rf"h_t &= \tanh(Q a^{{({depth})}}_t)"])


def stack(layers: int) -> str:
    """GRU layers on one another."""
    lines, x = [], "x_t"
    for k in range(1, layers + 1):
        h = rf"h^{{({k})}}"
        lines += [
            rf"z^{{({k})}}_t &= \sigma(W_{{z{k}}} {x} + R_{{z{k}}} {h}_{{t-1}} + b_{{z{k}}})",
            rf"r^{{({k})}}_t &= \sigma(W_{{r{k}}} {x} + R_{{r{k}}} {h}_{{t-1}} + b_{{r{k}}})",
            rf"g^{{({k})}}_t &= \tanh(W_{{g{k}}} {x} + r^{{({k})}}_t \odot (R_{{g{k}}} {h}_{{t-1}}) + b_{{g{k}}})",
            rf"{h}_t &= (1 - z^{{({k})}}_t) \odot {h}_{{t-1}} + z^{{({k})}}_t \odot g^{{({k})}}_t",
        ]
        x = rf"{h}_t"
    return aligned(lines)


def states(count: int) -> str:
    """States that read one another in a ring."""
    return aligned(
        [
            rf"s^{{({i})}}_t &= \tanh(W_{{{i}}} x_t + R_{{{i}}} s^{{({i % count + 1})}}_{{t-1}} + s^{{({i})}}_{{t-1}})"
            for i in range(1, count + 1)
        ]
    )


def gates(count: int) -> str:
    """Gates of one state side by side."""
    lines = [rf"g^{{({i})}}_t &= \sigma(W_{{{i}}} x_t + R_{{{i}}} h_{{t-1}})" for i in range(1, count + 1)]
    return aligned([*lines, "h_t &= " + " + ".join(rf"g^{{({i})}}_t \odot h_{{t-1}}" for i in range(1, count + 1))])


def terms(count: int) -> str:
    """A long sum."""
    return aligned(["h_t &= " + " + ".join(rf"W_{{{i}}} x_t" for i in range(1, count + 1)) + r" + R h_{t-1}"])


GROWN = {
    "chain": (chain, (25, 50, 100, 200)),
    "squares": (squares, (5, 10, 20)),
    "dense": (dense, (5, 10, 20)),
    "stack of GRUs": (stack, (1, 2, 4, 8)),
    "states": (states, (5, 10, 20, 40)),
    "gates": (gates, (12, 25, 50)),
    "terms": (terms, (50, 100, 200)),
}


def measured(text: str, work: str) -> tuple[float, float]:
    """Seconds and peak megabytes of one kind of work on one document, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", _RUN.format(work=WORK[work])], input=text, capture_output=True, text=True, check=True
    )
    seconds, megabytes, _ = json.loads(run.stdout)
    return seconds, megabytes


@click.command()
@click.argument("names", nargs=-1)
@click.option("--work", "works", multiple=True, type=click.Choice(list(WORK)), help="Only this; repeatable.")
def main(names: tuple[str, ...], works: tuple[str, ...]) -> None:
    """Print the table, a row for each size."""
    rows = []
    chosen = list(works) or list(WORK)
    for name, (text, sizes) in GROWN.items():
        if names and name not in names:
            continue
        for place, size in enumerate(sizes):
            document = text(size)
            found = [measured(document, work) for work in chosen]
            times = [seconds for seconds, _ in found]
            before = rows[-1][3 : 3 + len(chosen)] if place else None
            growth = " ".join(f"{now / then:.1f}" for now, then in zip(times, before, strict=True)) if before else ""
            rows.append([name, size, len(document), *times, max(megabytes for _, megabytes in found), growth])
            click.echo(f"{name} {size}: " + ", ".join(f"{w} {t:.2f} s" for w, t in zip(chosen, times, strict=True)), err=True)
    headers = ["cell", "size", "characters", *(f"{work}, s" for work in chosen), "peak, MB", "times the row above"]
    click.echo(tabulate(rows, headers, floatfmt=("", "", "", *(".2f" for _ in chosen), ".0f", "")))


if __name__ == "__main__":
    main()
