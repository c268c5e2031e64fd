"""What unrolling brings, by length."""

from __future__ import annotations

from rnnproof.documents.message import say
from rnnproof.experiments.findings import Findings
from rnnproof.reporting.figures.style import Drawing, caption, line, panels


def draw(findings: Findings) -> list[Drawing]:
    """One figure."""
    figure, ((left, right),) = panels(2)
    for place, (layer, course) in enumerate(findings.curves.items()):
        lengths = [one[0] for one in course]
        line(left, place, lengths, [one[1] for one in course], layer)
        line(right, place, lengths, [one[3] for one in course], layer)
    left.axhline(1.0, color="#888888", linewidth=1)
    left.set(xscale="log", xlabel="length of the sequence (steps)", ylabel="time of the loop / unrolled", ylim=(0, 2))
    right.set(xscale="log", yscale="log", xlabel="length of the sequence (steps)", ylabel="memory of the code (KiB)")
    left.legend()
    says = say(
        "Left: time of a layer's loop over its time unrolled (1: no difference). Right: the memory of the unrolled code."
    )
    alt = say("Two panels over the length, one curve for each layer: the ratio of times, and KiB of code.")
    return [Drawing("unroll", caption(says, findings, "faster", "memory"), alt, figure)]
