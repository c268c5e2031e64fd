"""Success by length of the sequences."""

from __future__ import annotations

from rnnproof.documents.message import say
from rnnproof.experiments.findings import Findings
from rnnproof.experiments.temporal_order import NAMES
from rnnproof.reporting.figures.style import Drawing, caption, legend_below, line, panels


def draw(findings: Findings) -> list[Drawing]:
    """One figure."""
    figure, ((left, right),) = panels(2)
    for place, ((start, clip), course) in enumerate(sorted(findings.curves["success"].items(), reverse=True)):
        lengths = [length for length, _, _ in course]
        line(left, place, lengths, [100 * rate for _, rate, _ in course], f"{NAMES[clip]}, {start}")
        line(right, place, lengths, [steps for _, _, steps in course], f"{NAMES[clip]}, {start}")
    left.set(xlabel="length of the sequences (steps)", ylabel="runs that solve the task (%)", ylim=(-4, 104))
    right.set(xlabel="length of the sequences (steps)", ylabel="batches until solved (median)", yscale="log")
    legend_below(figure, left, 2)
    says = say("The temporal order problem, SimpleRNN of 50 units, learning rate 0.01, with and without the norm clipped at 1.")
    alt = say("Two panels over the length: the share of runs that solve the task, and the batches until they do.")
    return [Drawing("temporal-order", caption(says, findings, "longer"), alt, figure)]
