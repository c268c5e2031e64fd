"""The trajectories' tables: `python -m tests.programs.tables.optimizers`."""

from __future__ import annotations

from tabulate import tabulate

from tests.runtime import test_trajectories, trajectories

# Read in the sources of tf_keras 2.21 (optimizer_v1, optimizers.legacy) and Keras 3.15.
WHY = {
    "Adagrad": "all start the sum of squares from 0.1, not 0",
    "RMSprop": "new, Keras 3: epsilon is under the root",
    "Nadam": "new, Keras 3: the momentum's schedule is 0.96^t, not 0.96^(0.004 t)",
}


def text(format: str) -> str:
    worst: dict[tuple[str, str], float] = {}
    for row in trajectories.rows():
        key = row.optimizer, row.clip
        worst[key] = max(worst.get(key, 0.0), row.error)
    table = [[name, *(f"{worst[name, clip]:.1e}" for clip in trajectories.CLIPS)] for name in trajectories.OPTIONS]
    later: dict[str, dict[str, float]] = {}
    for row in trajectories.generations():
        later.setdefault(row.optimizer, {})[row.reference] = row.error
    parted = [[name, *(f"{error:.1e}" for error in errors.values()), WHY.get(name, "")] for name, errors in later.items()]
    return "\n\n".join(
        (
            "The variables over 50 steps in float64, the largest difference from tf_keras's v1 optimisers (Keras 2.2.4's "
            f"rules) over the largest variable; tolerance {test_trajectories.TOLERANCE:.0e}: 50 steps of ten roundings.",
            tabulate(table, headers=["optimiser", *trajectories.CLIPS], tablefmt=format, disable_numparse=True),
            "Later generations (tf_keras.optimizers.legacy, tf_keras.optimizers, Keras 3) with our hyperparameters, unclipped, "
            "lr=0.1, on gradients of order 10 and of order 0.01: the largest difference over the longest way of a variable. "
            "Above 1e-3 the rule is another one, else it is their float32.",
            tabulate(
                parted,
                headers=["optimiser", *next(iter(later.values())), "what differs"],
                tablefmt=format,
                disable_numparse=True,
            ),
        )
    )


def main() -> None:
    print(text("simple"))


if __name__ == "__main__":
    main()
