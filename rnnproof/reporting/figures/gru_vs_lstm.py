"""What the cells cost, and how they learn."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from rnnproof.documents.message import say
from rnnproof.experiments.findings import Findings, median
from rnnproof.experiments.gru_vs_lstm import TASKS
from rnnproof.reporting.figures.style import Drawing, caption, line, panels


def draw(findings: Findings) -> list[Drawing]:
    """Times, and courses of the losses."""
    return [
        Drawing(
            "gru-vs-lstm-time",
            caption(
                say(
                    "Time of forward and backward over the LSTM's at the same units; dotted: the count of multiply-adds of "
                    "both GRUs, three quarters."
                ),
                findings,
                "computations",
            ),
            say("Two curves over the number of units, one for each kind of GRU, and a line at one for the LSTM."),
            _time(findings.curves["cost"]),
        ),
        Drawing(
            "gru-vs-lstm-training",
            caption(
                say(
                    "Loss of the batch against steps on three tasks, trained alike; thin lines are the seeds, thick ones their "
                    "medians."
                ),
                findings,
                "neither",
            ),
            say("Three panels, one for each task: the loss of LSTM and of GRU over the training steps."),
            _training(findings.curves),
        ),
    ]


def _time(cost: Any) -> Any:
    figure, ((axes,),) = panels(1, height=2.8)
    names = {"lstm": "LSTM", "gru": "GRU (Cho et al. 2014)", "gru_reset_after": "GRU, reset after the product"}
    for place, (name, course) in enumerate(cost.items()):
        line(axes, place, [units for units, _ in course], [ratio for _, ratio in course], names[name])
    axes.axhline(0.75, color="#888888", linestyle=":", linewidth=1.2)
    axes.set_xscale("log", base=2)
    units = [units for units, _ in cost["lstm"]]
    axes.set_xticks(units, labels=list(map(str, units)))
    axes.set(xlabel="units", ylabel="time / LSTM's time", ylim=(0, None))
    axes.legend()
    return figure


def _training(curves: Any) -> Any:
    figure, (row,) = panels(3, height=2.8)
    for axes, task in zip(row, TASKS, strict=True):
        for place, layer in enumerate(("LSTM", "GRU")):
            runs = curves["training"][task, layer]
            for one in runs:
                line(axes, place, curves["at"][: len(one)], one, marker="", linestyle="-", linewidth=0.4, alpha=0.5)
            middle = [median(found) for found in zip_longest(*runs)]  # a run that stopped has no more losses
            line(axes, place, curves["at"], middle, layer, marker="", linewidth=2)
        axes.set(title=task, xlabel="steps", yscale="log")
    row[0].set_ylabel("loss of the batch")
    row[0].legend()
    return figure
