"""`temporal-order`: gradient descent with and without clipping on ever longer sequences.

R. Pascanu, T. Mikolov and Y. Bengio (arXiv 1211.5063), section 4.1.1 and figure 7: 50 tanh units, learning rate 0.01, batches
of 20, clipping the norm of all gradients at 1; solved where less than 1 % of 10,000 test sequences are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnproof.pages.message import listed, say
from rnnproof.study.experiments.training import Training
from rnnproof.study.figure_style import Drawing, caption, legend_below, line, panels
from rnnproof.study.sweep.experiment import Experiment
from rnnproof.study.sweep.findings import Findings, Statement, Table, chance, median, share, spread, verdict
from rnnproof.study.sweep.trial import Result, Trial, spawned

TESTS = 10_000
CLIPS: tuple[tuple[str, float | None], ...] = (("none", None), ("global", 1.0))
NAMES = {"none": "SGD", "global": "SGD with clipping"}
SCALES: dict[str, Any] = {
    "quick": {"lengths": (10, 15), "starts": ("smart-tanh",), "seeds": 2, "steps": 600},
    "default": {"lengths": (10, 20, 30, 40), "starts": ("smart-tanh",), "seeds": 5, "steps": 8000},
    "full": {"lengths": tuple(range(10, 101, 10)), "starts": ("smart-tanh", "basic-tanh"), "seeds": 5, "steps": 10_000},
}


def trials(scale: str, seed: int) -> list[Trial]:
    """Each length, start, clipping and seed."""
    chosen = SCALES[scale]
    return [
        Training(
            "temporal-order", length, "SimpleRNN", 50, "SGD", 0.01, *clip, 20, chosen["steps"], child, start=start, tested=TESTS
        )
        for length in reversed(chosen["lengths"])  # the long ones first, so that no process is left alone with one at the end
        for start in chosen["starts"]
        for clip in CLIPS
        for child in spawned(seed, chosen["seeds"])
    ]


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """Success by length, and the statement about the paper's result."""
    groups: dict[tuple[str, str, int], list[Result]] = {}
    for trial, result in results:
        assert isinstance(trial, Training)
        assert trial.length is not None
        groups.setdefault((trial.start, trial.clip, trial.length), []).append(result)
    rows = tuple((start, NAMES[clip], length, *_row(outcomes)) for (start, clip, length), outcomes in sorted(groups.items()))
    table = Table(
        "temporal-order-success",
        say("How often the task is solved, by length of the sequences."),
        (
            say("first weights"),
            say("method"),
            say("length"),
            say("runs"),
            say("success"),
            say("steps until solved"),
            say("wrong at the end"),
            say("median norm"),
            say("largest norm"),
            say("not finite"),
        ),
        rows,
    )
    example = next(trial for trial, _ in results if isinstance(trial, Training))
    setting = (
        say(
            "{units} tanh units, learning rate {lr:g}, batches of {batch}, at most {steps} steps, float32, {seeds} seeds. "
            "smart-tanh: weights of deviation 0.01, 15 recurrent ones a unit with a spectral radius of 0.95; basic-tanh: "
            "deviation 0.1.",
            units=example.units,
            lr=example.lr,
            batch=example.batch,
            steps=example.steps,
            seeds=len({t.seed for t, _ in results if isinstance(t, Training)}),
        ),
        say(
            "Solved: less than 1 % of {tests:,} test sequences wrong, looked at every 50 steps where the last 50 batches were "
            "right often enough. Steps: median [quartiles] of the solved runs.",
            tests=TESTS,
        ),
    )
    curves = {
        (start, clip): sorted(
            (length, share([r["solved"] is not None for r in outcomes]), median(r["solved"] for r in outcomes))
            for (s, c, length), outcomes in groups.items()
            if (s, c) == (start, clip)
        )
        for start, clip, _ in groups
    }
    return Findings(setting, (table,), _statements(groups, example.steps), {"success": curves})


def _row(outcomes: Sequence[Result]) -> tuple[Any, ...]:
    wrong, middle, largest = (median(r[name] for r in outcomes) for name in ("wrong", "norm_median", "norm_largest"))
    return (
        len(outcomes),
        f"{share([r['solved'] is not None for r in outcomes]):.0%}",
        spread(r["solved"] for r in outcomes),
        "" if wrong is None else f"{wrong:.1%}",
        "" if middle is None else f"{middle:.3g}",
        "" if largest is None else f"{largest:.3g}",
        f"{share([r['stopped'] is not None for r in outcomes]):.0%}",
    )


def _statements(groups: dict[tuple[str, str, int], list[Result]], steps: int) -> tuple[Statement, ...]:
    """The pairs of runs from one start and seed in which only one method solves the task, and a sign test of them."""
    better = worse = 0
    for (start, clip, length), outcomes in groups.items():
        if clip == "none":
            pairs = zip(outcomes, groups[start, "global", length], strict=True)
            solved = [(plain["solved"] is not None, clipped["solved"] is not None) for plain, clipped in pairs]
            better += solved.count((False, True))
            worse += solved.count((True, False))
    by_chance = chance(better, worse)
    reach = {key: _reach(groups, *key) for key in dict.fromkeys((start, clip) for start, clip, _ in groups)}
    said = listed(
        say("{method} ({start}) to length {length}", method=NAMES[clip], start=start, length=length)
        for (start, clip), length in reach.items()
    )
    return (
        Statement(
            "longer",
            say("With clipping, SGD solves longer sequences (Pascanu et al. 2013, figure 7)."),
            verdict(better > worse and by_chance < 0.05, better > worse),
            say(
                "within {steps} steps (the authors' code allows 5,000,000) more than half of the runs are solved: {said}; of "
                "the pairs of runs that differ, clipping solves {better}, no clipping {worse} (by chance so or more: "
                "{chance:.2g})",
                steps=steps,
                said=said,
                better=better,
                worse=worse,
                chance=by_chance,
            ),
        ),
    )


def _reach(groups: dict[tuple[str, str, int], list[Result]], start: str, clip: str) -> int:
    """The longest length up to which more than half of the runs are solved; 0 for none."""
    reach = 0
    for length in sorted(n for s, c, n in groups if (s, c) == (start, clip)):
        if share([r["solved"] is not None for r in groups[start, clip, length]]) <= 0.5:
            break
        reach = length
    return reach


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


EXPERIMENT = Experiment(
    name="temporal-order",
    title=say("Temporal order: how long sequences may be"),
    trials=trials,
    findings=findings,
    draw=draw,
    place=4,
    face="temporal-order",
    shown_on={"temporal-order": ("simple_rnn",)},
)
