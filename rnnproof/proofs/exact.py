"""`prove(cell)`: at explicit sizes, the derived gradient minus the derivative of the loss is exactly 0, entry by entry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import sympy as sp

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.program import Program
from rnnproof.equations.cell import Cell
from rnnproof.proofs.induction import Differs, Induction
from rnnproof.proofs.polynomial import TooLarge, Work
from rnnproof.proofs.proof_report import Kind, ProofReport, ProofRow

STEPS = 2
_WORK = 600_000  # terms of polynomials made in one proof, two seconds or so: three times what fifty gates need
Progress = Callable[[int, int, str], None]


def prove(cell: Cell, progress: Progress | None = None, *, backward: Program | None = None) -> ProofReport:
    """Prove every gradient of a cell: parameters, inputs, initial states; two steps, one row for each choice of sizes.

    The loss is the sum of seed times state, with seeds of its own for every entry, so it stands for every loss. Activations
    and functions left open are opaque: the proof holds for all of them. `backward` is the adjoint Program to prove, by
    default the derived one. Sizes are 1 to 3, see `choices`. A row that would take the proof beyond 600,000 terms of
    polynomials says "not proved (too large)".
    """
    forward = flatten(cell)
    backward = adjoint(forward) if backward is None else backward
    symbols = cell.sizes
    numbers = choices(len(symbols))
    work = Work(_WORK)
    rows = []
    for done, chosen in enumerate(numbers):
        if progress is not None:
            progress(done, len(numbers), f"prove {cell.name}")
        sizes = {symbol: sp.Integer(number) for symbol, number in zip(symbols, chosen, strict=True)}
        rows.append(_row(cell, forward, backward, sizes, work))
    title = f"{cell.name}: derived gradient minus the derivative of the loss, {STEPS} steps"
    return ProofReport(title, tuple(rows))


def choices(count: int) -> list[tuple[int, ...]]:
    """The sizes tried for so many size symbols.

    All of 1, 2, 3 for up to two symbols, all of 1, 2 for up to four; beyond, all 1, all 2, and 1, 2, 3, 1, 2, 3 in turn with
    each of the three first, so that every size takes every value and neighbours differ.
    """
    if count <= 4:
        return list(product((1, 2, 3) if count <= 2 else (1, 2), repeat=count))
    return [(1,) * count, (2,) * count, *(tuple(1 + (at + first) % 3 for at in range(count)) for first in range(3))]


def _row(cell: Cell, forward: Program, backward: Program, sizes: Mapping[Any, sp.Integer], work: Work) -> ProofRow:
    started = time.perf_counter()
    assignment = ", ".join(f"{size}={number}" for size, number in sizes.items()) or "-"
    count, failure, too_large = 0, "", False
    try:
        count = Induction(cell, forward, backward, sizes, STEPS, work).prove()
    except Differs as difference:
        failure = str(difference)
    except TooLarge:
        too_large = True
    return ProofRow(Kind.CELL, cell.name, assignment, count, time.perf_counter() - started, failure, too_large)
