"""`clipping`: what limiting gradients does to training, over six decades of limits, on made tasks and on real data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from rnnproof.pages.message import say
from rnnproof.study.experiments.clipping_figures import draw
from rnnproof.study.experiments.clipping_findings import findings
from rnnproof.study.experiments.training import Training
from rnnproof.study.sweep.experiment import Experiment
from rnnproof.study.sweep.trial import Seed, Trial, spawned

LENGTHS: dict[str, int | None] = {"adding": 10, "temporal-order": 20, "vowels": None, "sunspots": 24}
# Half a decade apart, from where training without clipping is safe to where it begins to break.
RATES = {"SGD": (0.1, 0.3, 1.0), "Adagrad": (0.03, 0.1, 0.3), "RMSprop": (0.003, 0.01, 0.03), "Adam": (0.003, 0.01, 0.03)}
LIMITS = tuple(10.0**power for power in range(-3, 4))
KINDS = ("norm", "value", "global")
UNITS, BATCH, STEPS = 16, 16, 150
SOLVED = 0.7  # of the loss of the best constant answer: the target

Clip = tuple[str, float | None]


def _clips(kinds: Iterable[str], limits: Iterable[float] = LIMITS) -> list[Clip]:
    return [("none", None), *product(kinds, limits)]


# (tasks, layers, optimisers, places in their RATES, clippings); a block is every combination of its own.
Block = tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[int], Sequence[Clip]]
BLOCKS: dict[str, list[Block]] = {
    "quick": [
        (("temporal-order", "sunspots"), ("SimpleRNN",), ("SGD",), (2,), _clips(KINDS, (0.001, 0.1, 10.0))),
        (("temporal-order",), ("LSTM",), ("SGD", "Adam"), (2,), _clips(("norm",), (0.001, 0.1))),
    ],
    "default": [
        (tuple(LENGTHS), ("SimpleRNN",), ("SGD",), (1, 2), _clips(KINDS)),
        (("temporal-order", "vowels"), ("LSTM", "GRU"), ("SGD",), (2,), _clips(("norm",))),
        (("temporal-order", "vowels"), ("SimpleRNN",), ("Adagrad", "RMSprop", "Adam"), (1,), _clips(("norm",))),
    ],
    "full": [(tuple(LENGTHS), ("SimpleRNN", "LSTM", "GRU"), tuple(RATES), (0, 1, 2), _clips(KINDS))],
}


def trials(scale: str, seed: int) -> list[Trial]:
    """`full` is every combination; the default has the SimpleRNN under SGD in full, the others by each array's norm.

    Each run of SGD without clipping has a control, in which the recurrent layer keeps its first weights.
    """
    seeds = spawned(seed, 2 if scale == "quick" else 5)
    built = [
        _training(task, layer, optimizer, RATES[optimizer][at], clip, child)
        for names, layers, optimizers, rates, clips in BLOCKS[scale]
        for task, layer, optimizer, at, clip, child in product(names, layers, optimizers, rates, clips, seeds)
    ]
    controls = [replace(trial, frozen=True) for trial in built if trial.optimizer == "SGD" and trial.clip == "none"]
    return [*built, *controls]


def _training(task: str, layer: str, optimizer: str, lr: float, clip: Clip, seed: Seed) -> Training:
    return Training(task, LENGTHS[task], layer, UNITS, optimizer, lr, *clip, BATCH, STEPS, seed, target=SOLVED)


EXPERIMENT = Experiment(
    name="clipping",
    title=say("Gradient clipping: explosions, limits, directions"),
    trials=trials,
    findings=findings,
    draw=draw,
    place=3,
    face="clipping-steps",
    shown_on={"clipping-diverged": ("simple_rnn",)},
)
