"""What the measurements of `flow` say of the claims made about gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnproof.experiments.findings import Statement, power, verdict
from rnnproof.experiments.trial import Result, Trial


def statements(results: Sequence[tuple[Trial, Result]], curves: dict[str, Any], differ: float) -> tuple[Statement, ...]:
    """What was measured, beside the derivation and beside what is said of shortcut, gate and LSTM."""
    trials: Any = [trial for trial, _ in results]
    steps, units = max(max(t.distances) for t in trials), max(t.units for t in trials)
    # two ways of multiplying `steps` matrices of n columns: each product rounds n times, and the cosine between the vector and
    # what is lost grows with the products' conditioning; measured relative to the result
    allowed = 100 * steps * units * float(np.finfo(float).eps)
    inside = [
        (r["measured"][at], r["bound"][at], r["largest"][at])
        for _, r in results
        for at in range(len(r["measured"]))
        if r["bound"][at] is not None and r["measured"][at] is not None
    ]
    under = all(m <= big + 1e-9 and big <= b + 1e-9 for m, b, big in inside)
    shortcut, gate, plain = (curves[f"{cell}, gain 1"]["measured"][-1] for cell in ("shortcut", "gate", "plain"))
    small = curves["shortcut, gain 0.5"]["measured"][-1]
    closed, opened, wide = (curves[f"lstm, forget bias {bias}"]["measured"][-1] for bias in (0, 1, 5))
    rest = {r: curves[f"simple_rnn, radius {r:g}, at rest"]["measured"][-1] for r in (0.5, 0.9, 1.0, 1.1, 1.5)}
    driven = {r: curves[f"simple_rnn, radius {r:g}"]["measured"][-1] for r in (0.5, 0.9, 1.0, 1.1, 1.5)}
    depth, time = (curves[label]["distances"][-1] for label in ("plain, gain 1", "gru"))
    kept = curves["gate, gain 1, carry bias 5"]["measured"][-1]
    grows, smaller = shortcut > 0, small > plain
    rates = {r: value / time for r, value in rest.items() if value is not None}
    follows = all(abs(rates[r] - np.log10(r)) < 0.02 for r in rates)
    lively = [r for r, value in driven.items() if value is not None and value > 0]
    return (
        Statement(
            "formula",
            "The generated backward pass gives what the derived Jacobians multiply to.",
            verdict(differ <= allowed),
            f"largest relative difference {differ:.1e} over {len(results)} runs and {sum(len(t.distances) for t in trials)} "
            f"distances (allowed: {allowed:.1e}, for the rounding of {steps} products)",
        ),
        Statement(
            "bound",
            "A gradient is at most (g sigma_max)^k of what it was, k steps or layers before.",
            verdict(under),
            f"{len(inside)} measurements, none above its bound; the bound exceeds the largest possible by "
            f"10^{min(b - big for _, b, big in inside):.2f} to 10^{max(b - big for _, b, big in inside):.1f}",
        ),
        Statement(
            "radius",
            "A SimpleRNN at rest loses or gains its spectral radius in each step.",
            verdict(follows),
            f"after {time} steps: " + ", ".join(f"{power(value)} for radius {r:g}" for r, value in rest.items()),
        ),
        Statement(
            "explode",
            "A spectral radius above 1 makes gradients explode.",
            verdict(all(driven[r] is not None and driven[r] > 0 for r in (1.1, 1.5)), all(rest[r] > 0 for r in (1.1, 1.5))),
            f"at rest it does; with inputs N(0, 1), tanh saturates and after {time} steps it is "
            + ", ".join(f"{power(value)} for radius {r:g}" for r, value in driven.items())
            + ("" if lively else ": none explodes"),
        ),
        Statement(
            "shortcut",
            "With a shortcut, gradients reach the entry of a deep stack.",
            verdict(small > -3 and shortcut > -3 and not grows, small > -3),
            f"through {depth} layers (gain 0.5): {power(small)} with the shortcut, "
            f"{power(curves['plain, gain 0.5']['measured'][-1])} without; at gain 1 {power(shortcut)} against {power(plain)}: "
            + ("it does not vanish, it can explode" if smaller else "no better than without"),
        ),
        Statement(
            "gate",
            "The gate, the shortcut with weights, keeps gradients too.",
            verdict(gate > -3 and kept > -3, kept > -3),
            f"through {depth} layers (gain 1): {power(gate)} with gates of about one half, whose path is the product of the "
            f"carry gates, {power(curves['gate, gain 1']['path'][-1])}; {power(kept)} with a carry bias of 5, "
            f"{power(plain)} without any gate",
        ),
        Statement(
            "lstm",
            "The LSTM carries gradients over long times.",
            verdict(min(closed, opened, wide) > -3, wide > -3),
            f"{time} steps back: {power(closed)} with forget bias 0, {power(opened)} with 1, {power(wide)} with 5; "
            f"the path of forget gates alone: {power(curves['lstm, forget bias 5']['path'][-1])} with bias 5",
        ),
    )
