"""`cliff`: the wall in the loss of a recurrent network of one unit, and gradient descent that meets it.

R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks" (arXiv 1211.5063), figure 6:
x_t = w sigma(x_{t-1}) + b from x_0 = 0.5 over 50 steps, E = (sigma(x_50) - 0.7)^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof import optimizers
from rnnproof.pages.message import listed, say
from rnnproof.study.experiments.cliff_figures import draw
from rnnproof.study.experiments.cliff_surface import B_RANGE, FAR, LIMIT, START, STEPS, TARGET, W_RANGE, losses
from rnnproof.study.sweep.experiment import Experiment
from rnnproof.study.sweep.findings import Findings, Statement, Table, chance, share, spread, verdict
from rnnproof.study.sweep.trial import Result, Seed, Trial, spawned

CLIPS: dict[str, dict[str, Any]] = {"none": {}, "norm": {"clipnorm": LIMIT}, "value": {"clipvalue": LIMIT}}
# Starts, learning rates, steps.
SCALES: dict[str, tuple[int, tuple[float, ...], int]] = {
    "quick": (6, (0.3,), 60),
    "default": (40, (0.1, 0.3), 200),
    "full": (200, (0.1, 0.3, 1.0), 400),
}


@dataclass(frozen=True)
class Descent(Trial):
    """Gradient descent from a random point of the region: theta = (w, b) is one vector, float64."""

    clip: str
    lr: float
    steps: int
    seed: Seed

    def run(self) -> Result:
        """The points, the losses there, the norms of the gradients and the lengths of the steps."""
        (rng,) = self.seed.streams(1)
        theta = np.array([rng.uniform(*W_RANGE), rng.uniform(*B_RANGE)])
        descent = optimizers.SGD(lr=self.lr, **CLIPS[self.clip], clip_semantics="keras-3")
        points, values, norms, lengths = [theta.tolist()], [], [], []
        for _ in range(self.steps):
            value, d_w, d_b = losses(*theta)
            before = theta.copy()
            report = descent.apply_gradients([(np.array([d_w[0], d_b[0]]), theta)])
            values.append(float(value[0]))
            norms.append(report.norm_before)
            lengths.append(float(np.linalg.norm(theta - before)))
            points.append(theta.tolist())
        values.append(float(losses(*theta)[0][0]))
        return {"points": points, "losses": values, "norms": norms, "lengths": lengths}


def trials(scale: str, seed: int) -> list[Trial]:
    """Some starts, each with every clipping and every learning rate."""
    starts, rates, steps = SCALES[scale]
    seeds = spawned(seed, starts)
    return [Descent(clip, lr, steps, s) for lr in rates for s in seeds for clip in CLIPS]


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """Tables, statements, and the trajectories that the figures draw."""
    groups: dict[tuple[float, str], list[tuple[Descent, Result]]] = {}
    for trial, result in results:
        assert isinstance(trial, Descent)
        groups.setdefault((trial.lr, trial.clip), []).append((trial, result))
    rows = []
    for (lr, clip), group in groups.items():
        outcomes = [result for _, result in group]
        longest = [max(r["lengths"]) for r in outcomes]
        rows.append(
            (
                clip,
                lr,
                len(outcomes),
                f"{max(longest):.3g}",
                spread(longest),
                f"{share([length > FAR for length in longest]):.0%}",
                f"{share([_outside(r) for r in outcomes]):.0%}",
                f"{max(max(r['norms']) for r in outcomes):.3g}",
                spread([r["losses"][-1] for r in outcomes]),
                f"{share([r['losses'][-1] < 1e-3 for r in outcomes]):.0%}",
            )
        )
    headers = (
        say("clipping"),
        say("learning rate"),
        say("starts"),
        say("longest step"),
        say("longest step of a run"),
        say("runs with a step > {far:g}", far=FAR),
        say("runs that left the region"),
        say("largest gradient norm"),
        say("loss at the end"),
        say("loss < 0.001"),
    )
    says = say(
        "Gradient descent from random points, {steps} steps; limit {limit:g}, steps in the units of w and b; median "
        "[quartiles].",
        steps=next(iter(groups.values()))[0][0].steps,
        limit=LIMIT,
    )
    summary = Table("cliff-summary", says, headers, tuple(rows))
    example_runs = _shown(groups)
    steps = Table(
        "cliff-trajectory",
        say("The descents that the figure shows, at the steps where they moved farthest and every 20th."),
        (say("clipping"), say("step"), "w", "b", say("loss"), say("gradient norm"), say("step length")),
        tuple(row for clip, result in example_runs.items() for row in _course(clip, result)),
    )
    setting = (
        say(
            "{equation}, {start}, {steps} steps, {loss}; float64; w in {w}, b in {b}.",
            equation=r"$x_t = w \sigma(x_{t-1}) + b$",
            start=f"$x_0 = {START}$",
            steps=STEPS,
            loss=rf"$E = (\sigma(x_{{{STEPS}}}) - {TARGET})^2$",
            w=str(list(W_RANGE)),
            b=str(list(B_RANGE)),
        ),
        say("Plain gradient descent on the vector (w, b): clipnorm limits its 2-norm, clipvalue each of its two entries."),
    )
    return Findings(setting, (summary, steps), _statements(groups), {"trajectories": example_runs})


def _outside(result: Result) -> bool:
    points = np.array(result["points"])
    low, high = np.array([W_RANGE[0], B_RANGE[0]]), np.array([W_RANGE[1], B_RANGE[1]])
    return bool(np.any((points < low) | (points > high)))


def _shown(groups: dict[tuple[float, str], list[tuple[Descent, Result]]]) -> dict[str, Result]:
    """The three descents from one start: at the rate 0.3, the one that is thrown earliest without clipping, if any is."""
    unclipped = [result["lengths"] for _, result in groups[0.3, "none"]]
    thrown = [next((step for step, length in enumerate(lengths) if length > FAR), len(lengths)) for lengths in unclipped]
    at = thrown.index(min(thrown))
    return {clip: groups[0.3, clip][at][1] for clip in CLIPS}


def _course(clip: str, result: Result) -> list[tuple[Any, ...]]:
    lengths = np.array(result["lengths"])
    chosen = sorted({*range(0, len(lengths), 20), *(int(at) for at in np.argsort(-lengths)[:3]), len(lengths) - 1})
    return [
        (
            clip,
            at + 1,
            *(f"{v:.4g}" for v in result["points"][at]),
            f"{result['losses'][at]:.3g}",
            f"{result['norms'][at]:.3g}",
            f"{lengths[at]:.3g}",
        )
        for at in chosen
    ]


def _statements(groups: dict[tuple[float, str], list[tuple[Descent, Result]]]) -> tuple[Statement, ...]:
    """About the descents that meet the wall, each beside the clipped ones from its start and at its rate."""
    starts = [
        {clip: groups[lr, clip][at][1] for clip in CLIPS}
        for lr in dict.fromkeys(lr for lr, _ in groups)
        for at in range(len(groups[lr, "none"]))
    ]
    met = [runs for runs in starts if max(runs["none"]["norms"]) > LIMIT]
    thrown = [runs for runs in met if max(runs["none"]["lengths"]) > FAR]
    gone = {clip: sum(_outside(runs[clip]) for runs in thrown) for clip in CLIPS}
    measured = {clip: sum(runs[clip]["losses"][-1] < 1e-3 for runs in thrown) for clip in CLIPS}
    lower = {clip: sum(runs[clip]["losses"][-1] < runs["none"]["losses"][-1] for runs in met) for clip in CLIPS}
    kinds = ("norm", "value")
    saved = [bool(thrown) and gone[clip] < gone["none"] and measured[clip] > measured["none"] for clip in kinds]
    by_chance = {clip: chance(lower[clip], len(met) - lower[clip]) for clip in kinds}
    better = [bool(met) and by_chance[clip] < 0.05 for clip in kinds]
    sentence = listed(
        say("{clip}: {gone} leave the region, {found} end below 0.001", clip=clip, gone=gone[clip], found=measured[clip])
        for clip in CLIPS
    )
    return (
        Statement(
            "thrown",
            say("At the cliff, descent without clipping is thrown back across the surface."),
            verdict(bool(met) and len(thrown) > len(met) / 2, bool(thrown)),
            say(
                "of {starts} descents, {met} meet a gradient of norm over {limit:g}; {thrown} of these make a step longer than "
                "{far:g}, the longest {longest:.3g}",
                starts=len(starts),
                met=len(met),
                limit=LIMIT,
                thrown=len(thrown),
                far=FAR,
                longest=max(max(runs["none"]["lengths"]) for runs in starts),
            ),
        ),
        Statement(
            "prevented",
            say("Clipping, by norm or by value, keeps the search from being thrown away."),
            verdict(all(saved), any(saved)),
            say(
                "of the {thrown} descents that are thrown without clipping (none), from the same starts: {told}; a clipped "
                "step is no longer than the rate times the limit (times the root of 2 by value) by construction",
                thrown=len(thrown),
                told=sentence,
            ),
        ),
        Statement(
            "ends",
            say("Clipping lets the search end lower."),
            verdict(all(better), any(better)),
            say(
                "of the {met} that meet the wall, lower than the unclipped one from the same start: by norm {norm} (by chance "
                "so or more: {norm_chance:.2g}), by value {value} ({value_chance:.2g})",
                met=len(met),
                norm=lower["norm"],
                norm_chance=by_chance["norm"],
                value=lower["value"],
                value_chance=by_chance["value"],
            ),
        ),
    )


EXPERIMENT = Experiment(
    name="cliff",
    title=say("The cliff: why gradients are clipped"),
    trials=trials,
    findings=findings,
    draw=draw,
    place=1,
    face="cliff-contour",
    shown_on={},
)
