"""The digits' table and that of the vowels: `python -m tests.programs.tables.training`."""

from __future__ import annotations

import numpy as np
from tabulate import tabulate

from tests.layers import training

CAPTION = (
    "The same model (a layer, then Dense softmax), first weights, batches and Adam (clipnorm=1, per variable) in float64; "
    "tf_keras in a graph. `digits`: scikit-learn's, 8 steps of 8 pixels; `vowels`: JapaneseVowels, 7 to 29 steps of 12 "
    "channels, masked."
)


def text(format: str) -> str:
    table = []
    for name, task in training.TASKS.items():
        for layer in training.LAYERS:
            given = task()
            batches = training.orders(given, given.epochs * -(-len(given.x) // 32))
            mine, theirs = training.ours(given, layer, batches), training.tf_keras_v1(given, layer, batches)
            apart = np.abs(mine.losses - theirs.losses)
            row = [name, layer, len(batches), f"{mine.accuracy:.4f}", f"{theirs.accuracy:.4f}"]
            table.append([*row, f"{apart[:100].max():.1e}", f"{apart.max():.1e}"])
    headers = ["task", "layer", "steps", "test accuracy", "tf_keras", "losses apart, 100 steps", "all steps"]
    return f"{CAPTION}\n\n{tabulate(table, headers=headers, tablefmt=format, disable_numparse=True)}"


def main() -> None:
    print(text("simple"))


if __name__ == "__main__":
    main()
