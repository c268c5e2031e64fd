"""What unrolling brings, by length."""

from __future__ import annotations

from rnnproof.experiments.findings import Findings
from rnnproof.reporting.figures.style import Drawing, claimed, line, panels


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
    says = "Left: time of a layer's loop over its time unrolled (1: no difference). Right: the memory of the unrolled code. "
    return [Drawing("unroll", says + claimed(findings, "faster", "memory"), figure)]
