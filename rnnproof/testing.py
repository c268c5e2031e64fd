"""For your own test suite: `assert_healthy` fails with the name of the mistake, `assert_gradients` with both numbers.

from rnnproof.testing import assert_gradients, assert_healthy

def test_my_backward_pass():
    assert_healthy(make, cell="lstm")  # make(T, B, rng) -> loss, arrays, claimed

def test_my_cell():
    assert_gradients(my_module, against="lstm")  # a module of the contract
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rnnproof.doctor import Report, examine
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.verification import ORACLES, Evidence, check

# Oracles that know a gradient, beside those of the contract alone.
JUDGES = tuple(oracle.name for oracle in ORACLES.values() if oracle.judges != "contract")


def assert_healthy(loss: Any, *arguments: Any, **options: Any) -> Report:
    """Examine a backward pass of your own as `rnnproof.doctor.examine` does, with its arguments; returns its Report.

    Raises AssertionError with the report where a gradient is wrong: which, from which length on, and which mistake it is.
    Clipping and truncation, which may be meant, are in the report and fail nothing.
    """
    __tracebackhide__ = True
    report = examine(loss, *arguments, **options)
    if not report.ok:
        raise AssertionError(str(report))
    return report


def assert_gradients(
    cell_or_module: Any,
    *,
    against: Cell | str | None = None,
    oracles: Iterable[str] | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    seed: int = 0,
    sizes: Iterable[Mapping[str, int]] | None = None,
    seeds: Iterable[str] | None = None,
    initial: bool | Iterable[str] = True,
) -> Evidence:
    """Check every gradient of a Cell, a catalogue cell or your own module; returns the Evidence.

    `against` is the Cell (or the catalogue's name for it) that a module of yours should agree with; without it a module is
    compared with differences of its own forward. `seeds=["h"]` are the states your loss reads, `initial=False` says that every
    state starts from zero; `rnnproof.check` has the whole contract. `print(evidence)` says what was compared and what was left
    out. Raises AssertionError with each fault once, and UsageError for a bad argument or where no gradient was compared.
    """
    __tracebackhide__ = True
    evidence = check(
        cell_or_module,
        against=against,
        oracles=oracles,
        dtypes=dtypes,
        seed=seed,
        sizes=sizes,
        seeds=seeds,
        initial=initial,
    )
    if not evidence.ok:
        raise AssertionError(str(evidence))
    if not any(row.oracle in JUDGES and row.verdict == "pass" for row in evidence):
        asked = ", ".join(dict.fromkeys(row.oracle for row in evidence))
        raise UsageError(f"no gradient was compared: {asked} test the contract alone; add one of {', '.join(JUDGES)}")
    return evidence
