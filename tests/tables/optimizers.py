"""The trajectories' table: `python -m tests.tables.optimizers`."""

from __future__ import annotations

from tabulate import tabulate

from tests.runtime import test_trajectories, trajectories


def main() -> None:
    worst: dict[tuple[str, str], float] = {}
    for row in trajectories.rows():
        key = row.optimizer, row.clip
        worst[key] = max(worst.get(key, 0.0), row.error)
    table = [[name, *(f"{worst[name, clip]:.1e}" for clip in trajectories.CLIPS)] for name in trajectories.OPTIONS]
    print("Largest relative difference over 50 steps in float64 from tf_keras's v1 optimisers (Keras 2.2.4's rules)")
    print(f"(tolerance {test_trajectories.TOLERANCE:.0e}: 50 steps of ten roundings).\n")
    print(tabulate(table, headers=["optimiser", *trajectories.CLIPS], disable_numparse=True))
    later: dict[str, dict[str, float]] = {}
    for row in trajectories.generations():
        later.setdefault(row.optimizer, {})[row.reference] = row.error
    headers = ["optimiser", *next(iter(later.values()))]
    print("\nThe same from later generations, unclipped, lr=0.1: above 1e-3 the rule is another one, else float32.\n")
    print(tabulate([[n, *(f"{e:.1e}" for e in r.values())] for n, r in later.items()], headers=headers, disable_numparse=True))


if __name__ == "__main__":
    main()
