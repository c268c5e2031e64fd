"""The digits table and that of the vowels: `python -m tests.tables.training`."""

from __future__ import annotations

import numpy as np
from tabulate import tabulate

from tests.layers import training


def main() -> None:
    table = []
    for name, task in training.TASKS.items():
        for layer in training.LAYERS:
            given = task()
            batches = training.orders(given, given.epochs * -(-len(given.x) // 32))
            mine, theirs = training.ours(given, layer, batches), training.tf_keras_v1(given, layer, batches)
            apart = np.abs(mine.losses - theirs.losses)
            row = [name, layer, len(batches), f"{mine.accuracy:.4f}", f"{theirs.accuracy:.4f}"]
            row += [f"{apart[:100].max():.1e}", f"{apart.max():.1e}", f"{mine.seconds:.1f}", f"{theirs.seconds:.1f}"]
            table.append(row)
    print("The same model (a layer, then Dense softmax), first weights, batches and Adam in float64; tf_keras in a graph.\n")
    headers = ["task", "layer", "steps", "test accuracy", "tf_keras", "loss apart, 100 steps", "all steps", "s", "tf_keras s"]
    print(tabulate(table, headers=headers, disable_numparse=True))


if __name__ == "__main__":
    main()
