"""For your own test suite: `assert_gradients` fails with both numbers, the parameter, the time step and the oracle.

from rnnproof.testing import assert_gradients

def test_my_cell():
    assert_gradients(my_module, against="lstm")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rnnproof.equations.cell import Cell
from rnnproof.verification import Evidence, check

SHOWN = 10


def assert_gradients(
    cell_or_module: Any,
    *,
    against: Cell | str | None = None,
    oracles: Iterable[str] | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    seed: int = 0,
    sizes: Iterable[Mapping[str, int]] | None = None,
) -> Evidence:
    """Check every gradient of a Cell, a catalogue cell or your own module; returns the Evidence.

    `against` is the Cell (or the catalogue's name for it) that a module of yours should agree with; without it a module is
    compared with differences of its own forward. Raises AssertionError with the worst comparisons, and UsageError for a bad
    argument.
    """
    __tracebackhide__ = True
    evidence = check(cell_or_module, against=against, oracles=oracles, dtypes=dtypes, seed=seed, sizes=sizes)
    if evidence.ok:
        return evidence
    worst = evidence.worst("gradient", "oracle", "dtype").failures
    lines = [str(row) for row in worst[:SHOWN]] or ["no gradient was compared: no oracle is installed that applies here"]
    more = [f"and {len(worst) - SHOWN} more"] if len(worst) > SHOWN else []
    raise AssertionError("\n".join([f"{len(evidence.failures)} of {len(evidence)} comparisons failed", *lines, *more]))
