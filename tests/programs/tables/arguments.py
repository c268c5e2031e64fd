"""The argument table, one row an argument: against what it was verified, over which values, and the largest error."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from rnnproof import layers
from tests.layers import cases, grid, references
from tests.layers.cases import Case, Data, Values

# Values that a comparison of numbers can't show, and the test that shows them instead.
ELSEWHERE = {
    "activation": "callables, traced: tests/equations/test_tracing.py",
    "recurrent_activation": "callables, traced: tests/equations/test_tracing.py",
    "kernel_initializer": "distributions and callables: tests/runtime/test_initializers.py",
    "recurrent_initializer": "orthogonality, exact to rounding: tests/runtime/test_initializers.py",
    "kernel_regularizer": "callables, numerical gradients: tests/layers/test_layers.py",
    "kernel_constraint": "what they promise: tests/runtime/test_constraints_and_dropout.py",
    "unroll": "time and memory: tests/programs/benchmarks/layers.py",
    "dropout": "the masks' statistics: tests/runtime/test_constraints_and_dropout.py",
    "recurrent_dropout": "as dropout",
    "seed": "the same numbers again, others from another seed: tests/layers/test_layers.py",
    "dtype": "float32 in, float32 out and back: tests/layers/test_against_tf_keras.py",
    "mask": "past go_backwards Sequential turns it round, Keras does not: tests/layers/test_going_on.py",
    "name": "in messages and get_config: tests/layers/test_layers.py",
}
CALL = ("mask", "initial_state", "training")


@dataclass(frozen=True)
class Outcome:
    """One case in one framework, and the largest of all its errors."""

    case: Case
    framework: str
    error: float


def outcomes() -> list[Outcome]:
    """Every case of the grids and of `zero_output_for_mask`, run in both."""
    found = []
    for layer in grid.FACTORS:
        for framework, run, given in (
            ("tf_keras v1", references.tf_keras_v1, [*grid.cases(layer), *grid.zero_output_cases(layer)]),
            ("Keras 3", references.keras_3, grid.keras_3_cases(layer)),
        ):
            found += [Outcome(case, framework, _error(case, run)) for case in given]
    return found


def _error(case: Case, run: Callable[[Case, Data], Values]) -> float:
    given = cases.data(case)
    return max(cases.compare(cases.run(case, given), run(case, given)).values())


def _value(case: Case, argument: str) -> Any:
    return getattr(case, argument) if argument in CALL else case.options.get(argument, "absent")


def _having(argument: str) -> list[str]:
    return [name for name in grid.FACTORS if argument in inspect.signature(getattr(layers, name)).parameters]


def table(found: list[Outcome], format: str = "github") -> str:
    """Penalised cases of Keras 3 are left out of the errors: its regularisers' numbers are float32."""
    constructors = [inspect.signature(getattr(layers, name)).parameters for name in grid.FACTORS]
    arguments = list(dict.fromkeys(name for names in constructors for name in names if name != "unknown"))
    rows = []
    for argument in (*arguments, *CALL):
        with_it = [o for o in found if _value(o.case, argument) != "absent"]
        values = sorted({str(_value(o.case, argument)) for o in with_it})
        errors: dict[str, list[float]] = {}
        for outcome in with_it:
            if outcome.framework != "Keras 3" or not _penalised(outcome.case):
                errors.setdefault(outcome.framework, []).append(outcome.error)
        against = [f"{name} ({len(e)} cases)" for name, e in errors.items()]
        largest = f"{max(max(e) for e in errors.values()):.0e}" if errors else ""
        has = "all" if argument in CALL or len(_having(argument)) == 3 else ", ".join(_having(argument))
        rows.append((f"`{argument}`", has, ", ".join(values), "; ".join(against), largest, ELSEWHERE.get(argument, "")))
    headers = ("argument", "layers", "values compared", "verified against", "largest error", "and")
    return str(tabulate(rows, headers=headers, tablefmt=format, disable_numparse=True))


def _penalised(case: Case) -> bool:
    return any(value is not None for name, value in case.arguments if name.endswith("regularizer"))


CAPTION = """\
Outputs, states, penalties, gradients of inputs, weights and initial states, constrained weights: the largest difference over
the largest entry of the array, in float64, over cases that together have every pair of values of any two arguments. Keras 3
keeps its regularisers' numbers in float32: its {count} cases that have one are left out and differ by {apart:.0e} at most."""


def text(format: str) -> str:
    found = outcomes()
    left_out = [o.error for o in found if o.framework == "Keras 3" and _penalised(o.case)]
    return f"{CAPTION.format(count=len(left_out), apart=max(left_out))}\n\n{table(found, format)}"


def main() -> None:
    print(text("simple"))


if __name__ == "__main__":
    main()
