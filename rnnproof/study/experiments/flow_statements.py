"""What the measurements of `flow` say of the claims made about gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnproof.pages.message import SEMICOLON, Text, listed, say
from rnnproof.study.sweep.findings import Statement, power, verdict
from rnnproof.study.sweep.trial import Result, Trial

_GATES = {"forget": say("forget"), "update": say("update")}
GAINS = (0.5, 1.0, 1.5)
_REACHES = -1.0  # log10: a gradient that arrives with a tenth of its norm
_EXPLODES = 1.0  # log10: one that arrives with ten times its norm


def statements(results: Sequence[tuple[Trial, Result]], curves: dict[str, Any], differ: float) -> tuple[Statement, ...]:
    """What was measured, beside the derivation and beside what is said of shortcut, gate, LSTM and GRU."""
    last = {label: -math.inf if curve["measured"][-1] is None else curve["measured"][-1] for label, curve in curves.items()}
    depth, time = (curves[label]["distances"][-1] for label in ("plain, gain 1", "gru"))
    return (
        _formula(results, differ),
        _bound(results),
        _radius(curves),
        _explode(last, time),
        *_shortcut(curves, last, depth),
        _gate(curves, last, depth),
        _carries("lstm", say("The LSTM carries gradients over long times."), "forget", (0, 1, 5, 7), curves, last, time),
        _carries("gru", say("The GRU carries gradients over long times."), "update", (None, 5, 7), curves, last, time),
    )


def _formula(results: Sequence[tuple[Trial, Result]], differ: float) -> Statement:
    trials: Any = [trial for trial, _ in results]
    steps, units = max(max(t.distances) for t in trials), max(t.units * (2 if t.cell == "lstm" else 1) for t in trials)
    # Two ways of multiplying `steps` matrices of `units` columns, each product rounding up to `units` times; the vector may
    # shrink by more than the matrices do, by up to the square root of their size for random ones, which the 8 covers.
    allowed = 8 * steps * units * float(np.finfo(float).eps)
    return Statement(
        "formula",
        say("The generated backward pass gives what the derived Jacobians multiply to."),
        verdict(differ <= allowed),
        say(
            "largest relative difference {differ:.1e} over {runs} runs and {distances} distances (allowed for the rounding of "
            "{steps} products: {allowed:.1e})",
            differ=differ,
            runs=len(results),
            distances=sum(len(t.distances) for t in trials),
            steps=steps,
            allowed=allowed,
        ),
    )


def _bound(results: Sequence[tuple[Trial, Result]]) -> Statement:
    inside = [
        (r["measured"][at], r["largest"][at], r["bound"][at])
        for _, r in results
        for at in range(len(r["measured"]))
        if None not in (r["bound"][at], r["measured"][at], r["largest"][at])
    ]
    over = sum(not (measured <= largest + 1e-9 and largest <= bound + 1e-9) for measured, largest, bound in inside)
    gaps = [bound - largest for _, largest, bound in inside]
    return Statement(
        "bound",
        say("A gradient is at most its bound: the product of g sigma_max over the steps, of 1 + g sigma_max with a shortcut."),
        verdict(bool(inside) and over == 0),
        say(
            "{over} of {all} measurements above it; the bound is 10^{least:.2f} to 10^{most:.1f} times the largest possible "
            "gradient",
            over=over,
            all=len(inside),
            least=round(min(gaps), 2) + 0.0,
            most=max(gaps),
        ),
    )


def _radius(curves: dict[str, Any]) -> Statement:
    """The factor of a step, from the last two distances: what precedes them is the transient of a matrix that is not normal."""
    measured = {}
    for label, curve in curves.items():
        if label.startswith("simple_rnn") and label.endswith("at h = 0"):
            (near, far), (before, after) = curve["distances"][-2:], curve["largest"][-2:]
            factor = math.nan if None in (before, after) else 10.0 ** ((after - before) / (far - near))
            measured[float(label.split()[2].rstrip(","))] = factor
    return Statement(
        "radius",
        say("A SimpleRNN at h = 0 multiplies gradients by its spectral radius in each step, in the long run."),
        verdict(all(abs(factor / radius - 1) < 0.03 for radius, factor in measured.items())),
        say(
            "largest possible gradient, factor of a step: {factors}",
            factors=listed(say("{factor:.3f} for radius {radius:g}", factor=f, radius=r) for r, f in measured.items()),
        ),
    )


def _explode(last: dict[str, float], time: int) -> Statement:
    kinds = {
        say("at h = 0"): ", at h = 0",
        say("with weak inputs"): ", weak inputs",
        say("with inputs N(0, 1)"): "",
    }
    measured = {name: [last[f"simple_rnn, radius {r:g}{end}"] for r in (1.1, 1.5)] for name, end in kinds.items()}
    explodes = {name: all(value > _EXPLODES for value in values) for name, values in measured.items()}
    return Statement(
        "explode",
        say("A spectral radius above 1 makes gradients explode."),
        verdict(all(explodes.values()), any(explodes.values())),
        say(
            "gradient norm after {steps} steps for radius 1.1 and 1.5: {norms}",
            steps=time,
            norms=listed(
                (
                    say("{one} and {other} {where}", one=_shown(one), other=_shown(other), where=name)
                    for name, (one, other) in measured.items()
                ),
                SEMICOLON,
            ),
        ),
    )


def _shortcut(curves: dict[str, Any], last: dict[str, float], depth: int) -> tuple[Statement, Statement]:
    pairs = {gain: (last[f"shortcut, gain {gain:g}"], last[f"plain, gain {gain:g}"]) for gain in GAINS}
    reaches = [value > _REACHES for value, _ in pairs.values()]
    tame = [value < _EXPLODES for value, _ in pairs.values()]
    one = {gain: [curves[f"{cell}, gain {gain:g}"]["measured"][0] for cell in ("shortcut", "plain")] for gain in GAINS}
    all_larger = all(
        shortcut > plain
        for gain in GAINS
        for shortcut, plain in zip(
            *(curves[f"{cell}, gain {gain:g}"]["measured"] for cell in ("shortcut", "plain")), strict=True
        )
        if None not in (shortcut, plain)
    )
    return (
        Statement(
            "shortcut",
            say("With a shortcut, gradients reach the entry of a deep stack."),
            verdict(all(reaches) and all(tame), all(reaches)),
            say("gradient norm through {layers} layers with and without: {norms}", layers=depth, norms=_both(pairs)),
        ),
        Statement(
            "increases",
            say("The shortcut makes a layer's gradient larger."),
            verdict(all_larger, all(a > b for a, b in one.values())),
            say("in the median, through one layer with and without: {norms}", norms=_both(one)),
        ),
    )


def _both(norms: dict[float, Any]) -> Text:
    """Gradient norms with and without the shortcut, by gain."""
    return listed(
        say("{one} and {other} at gain {gain:g}", one=_shown(one), other=_shown(other), gain=gain)
        for gain, (one, other) in norms.items()
    )


def _gate(curves: dict[str, Any], last: dict[str, float], depth: int) -> Statement:
    half, kept = last["gate, gain 1"], last["gate, gain 1, carry bias 5"]
    paths = [curves[f"gate, gain 1{end}"]["path"][-1] for end in ("", ", carry bias 5")]
    return Statement(
        "gate",
        say("The gate, the shortcut with weights, keeps gradients too."),
        verdict(half > _REACHES and kept > _REACHES, kept > _REACHES),
        say(
            "gradient norm through {layers} layers at gain 1: {half} with carry gates about one half (their product alone: "
            "{half_path}), {kept} with a carry bias of 5 ({kept_path})",
            layers=depth,
            half=_shown(half),
            half_path=power(paths[0]),
            kept=_shown(kept),
            kept_path=power(paths[1]),
        ),
    )


def _carries(
    name: str, claim: Text, gate: str, biases: Sequence[int | None], curves: dict[str, Any], last: dict[str, float], time: int
) -> Statement:
    labels = {bias: name if bias is None else f"{name}, {gate} bias {bias}" for bias in biases}
    arrives = [last[label] > _REACHES for label in labels.values()]
    return Statement(
        name,
        claim,
        verdict(all(arrives), any(arrives)),
        say(
            "gradient norm after {steps} steps (its {gate} gates' path alone): {norms}",
            steps=time,
            gate=_GATES[gate],
            norms=listed(
                say(
                    "{norm} ({path}) with {gate} bias {bias}",
                    norm=_shown(last[label]),
                    path=power(curves[label]["path"][-1]),
                    gate=_GATES[gate],
                    bias=bias or 0,
                )
                for bias, label in labels.items()
            ),
        ),
    )


def _shown(log: float) -> str:
    return "0" if log == -math.inf else power(log)
