"""Tables and statements of the clipping sweep."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rnnproof.pages.message import Text, listed, say
from rnnproof.study.experiments.training import Training, diverged
from rnnproof.study.sweep.findings import Findings, Statement, Table, median, present, quartiles, share, spread, verdict
from rnnproof.study.sweep.trial import Result, Trial

Group = list[tuple[Training, Result]]
MEASURES = (
    say("runs"),
    say("diverged"),
    say("at target"),
    say("steps to target"),
    say("final / constant"),
    say("wrong"),
    say("steps clipped"),
    say("entries clipped"),
    say("cosine"),
)
_KEY = (say("task"), say("layer"), say("optimiser"), say("learning rate"))
_SLOWER = 1.5  # a limit is slow where it takes that many times the steps of the best one
_ALIKE = 1.25  # losses within that factor are alike
_GREW = 10.0  # a gradient that grew so many times over its first norm
_EXACT = 1e-6  # float32 rounding of a cosine


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """Tables, statements, and the courses over the limit that the figures draw."""
    every = [(trial, result) for trial, result in results if isinstance(trial, Training)]
    runs = [run for run in every if not run[0].frozen]
    by_all = grouped(runs, lambda t: (t.task, t.layer, t.optimizer, t.lr, t.clip, t.limit))
    controls = grouped([run for run in every if run[0].frozen], lambda t: (t.task, t.layer, t.lr))
    tables = (
        _limits_table(by_all),
        _optimizers_table(by_all),
        _explosions_table(by_all, controls),
        _best_table(by_all),
        Table(
            "clipping-all",
            say("Every combination."),
            (*_KEY, say("clipping"), say("limit"), *MEASURES),
            _rows(by_all),
            page=False,
        ),
    )
    example, seeds = runs[0][0], len({trial.seed for trial, _ in runs})
    setting = (
        say(
            "{units} units, batches of {batch}, {steps} steps, float32, {seeds} seeds each; first weights as Keras's. Limits "
            "mean what they mean in Keras 3: norm is of each array by itself, global of all together, value of each entry. "
            "The optimisers are Keras 2.2.4's: Adagrad's sum of squares starts at 0 (in Keras 3 at 0.1).",
            units=example.units,
            batch=example.batch,
            steps=example.steps,
            seeds=seeds,
        ),
        say(
            "Tasks: the adding problem over 10 or 11 steps; temporal order over 20; JapaneseVowels (270 sequences of 7 to 29 "
            "steps, masked); sunspots, from 24 years the next. The target is seven tenths of the loss of the best constant "
            "answer."
        ),
        say(
            "diverged: a number was not finite, or the loss at the end was over 1.5 times that at the start and that of the "
            "constant answer. Steps to target: median [quartiles] of all runs, one that does not reach it counting as longer "
            "than all. Final: mean loss of the last tenth of the training steps, inf where a number was not finite. wrong: "
            "share of test sequences. Cosine: between raw and clipped gradient, mean over the clipped steps."
        ),
    )
    return Findings(setting, tables, _statements(by_all, controls), {"courses": _curves(by_all), "rates": soonest(by_all)})


def soonest(by_all: dict[Any, Group]) -> dict[Any, float]:
    """For each task, layer and optimiser the learning rate at which the target is reached soonest, at whatever limit."""
    measured: dict[Any, tuple[float, float]] = {}
    for (*key, lr, _, _), group in by_all.items():
        measured[tuple(key)] = min(measured.get(tuple(key), (math.inf, math.inf)), (steps(group)[1], lr))
    return {key: lr for key, (_, lr) in measured.items()}


def _limits_table(by_all: dict[Any, Group]) -> Table:
    """SimpleRNN under SGD: a row for each kind and limit, a column for each task."""
    rates = {task: lr for (task, *one), lr in soonest(by_all).items() if one == ["SimpleRNN", "SGD"]}
    kinds = list(dict.fromkeys(key[4:] for key in by_all if key[1:3] == ("SimpleRNN", "SGD")))
    rows = []
    for kind in kinds:
        groups = [by_all.get((task, "SimpleRNN", "SGD", lr, *kind)) for task, lr in rates.items()]
        cells = ["" if group is None else f"{steps_text(group)}, {_broken(group)}" for group in groups]
        rows.append((kind[0], "" if kind[1] is None else kind[1], *cells))
    return Table(
        "clipping-limits",
        say(
            "SimpleRNN under SGD, at the learning rate that arrives soonest: steps to the target, and the share of diverged "
            "runs."
        ),
        (say("clipping"), say("limit"), *(say("{task}, rate {lr:g}", task=task, lr=lr) for task, lr in rates.items())),
        tuple(rows),
    )


def _broken(group: Group) -> str:
    return f"{share([diverged(r) for _, r in group]):.0%}"


def _optimizers_table(by_all: dict[Any, Group]) -> Table:
    """A row for each task, layer and optimiser, a column for each limit of the norm."""
    limits = sorted({key[5] for key in by_all if key[4] == "norm"})
    rows = []
    for (task, layer, optimizer), lr in soonest(by_all).items():
        groups = [by_all.get((task, layer, optimizer, lr, "norm", limit)) for limit in limits]
        none = by_all.get((task, layer, optimizer, lr, "none", None))
        cells = ["" if group is None else steps_text(group) for group in (*groups, none)]
        rows.append((task, layer, optimizer, lr, *cells))
    return Table(
        "clipping-optimizers",
        say("Steps to the target by the limit of each array's norm, at the learning rate that arrives soonest."),
        (*_KEY, *(f"{limit:g}" for limit in limits), say("none")),
        tuple(rows),
    )


def _explosions_table(by_all: dict[Any, Group], controls: dict[Any, Group]) -> Table:
    """SGD without clipping beside the same with the recurrent layer frozen."""
    rows = []
    for (task, layer, lr), control in controls.items():
        group = by_all[task, layer, "SGD", lr, "none", None]
        growth = spread(_growth(r) for _, r in group)
        rows.append((task, layer, lr, len(group), _broken(group), _broken(control), growth, spread(relative(group))))
    return Table(
        "clipping-explosions",
        say(
            "SGD without clipping: share of diverged runs, the same with the recurrent layer frozen, the largest gradient norm "
            "over the first, and the final loss over that of the constant answer."
        ),
        (
            say("task"),
            say("layer"),
            say("learning rate"),
            say("runs"),
            say("diverged"),
            say("frozen"),
            say("norm / first"),
            say("final / constant"),
        ),
        tuple(rows),
    )


def _growth(result: Result) -> float | None:
    return result["norm_largest"] / result["norm_first"] if result["norm_largest"] and result["norm_first"] else None


def grouped(runs: Iterable[tuple[Training, Result]], by: Callable[[Training], Any]) -> dict[Any, Group]:
    """The runs by what `by` says of their record, in order."""
    groups: dict[Any, Group] = {}
    for run in runs:
        groups.setdefault(by(run[0]), []).append(run)
    return groups


def _rows(groups: dict[Any, Group]) -> tuple[tuple[Any, ...], ...]:
    return tuple((*("" if part is None else part for part in key), *_row(group)) for key, group in groups.items())


def _row(group: Group) -> tuple[Any, ...]:
    outcomes = [result for _, result in group]
    cosine = median(r["cosine"] for r in outcomes)
    return (
        len(group),
        _broken(group),
        f"{share([r['to_target'] is not None for r in outcomes]):.0%}",
        steps_text(group),
        spread(relative(group)),
        spread(r["wrong"] for r in outcomes),
        f"{sum(r['clipped'] for r in outcomes) / len(outcomes):.0%}",
        f"{sum(r['clipped'] * r['entries_clipped'] for r in outcomes) / len(outcomes):.0%}",
        "" if cosine is None else f"{cosine:.3f}",
    )


def relative(group: Group) -> list[float]:
    """The final losses over those of the best constant answers; infinite where a number was not finite."""
    return [math.inf if r["final"] is None else r["final"] / r["baseline"] for _, r in group]


def steps(group: Group) -> tuple[float, float, float]:
    """Quartiles of the steps to the target, infinite for a run that does not reach it."""
    low, middle, high = quartiles(math.inf if r["to_target"] is None else r["to_target"] for _, r in group)
    assert low is not None and middle is not None and high is not None
    return low, middle, high


def steps_text(group: Group) -> str:
    """The median and the quartiles for a table; more than all steps where the target is not reached."""
    most = max(trial.steps for trial, _ in group)
    low, middle, high = (f"> {most}" if math.isinf(value) else f"{value:.0f}" for value in steps(group))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _best(by_all: dict[Any, Group]) -> dict[Any, dict[str, tuple[float | None, Group]]]:
    """For each task, layer, optimiser and rate, and each kind of clipping: the limit with the lowest median loss."""
    measured: dict[Any, dict[str, tuple[float | None, Group]]] = {}
    for (*key, clip, limit), group in by_all.items():
        kinds = measured.setdefault(tuple(key), {})
        if clip not in kinds or _loss(group) < _loss(kinds[clip][1]):
            kinds[clip] = (limit, group)
    return measured


def _loss(group: Group) -> float:
    """The median of the final losses over the constant answer's, a diverged run counting as infinite."""
    values = sorted(math.inf if diverged(r) else value for value, (_, r) in zip(relative(group), group, strict=True))
    return values[len(values) // 2]


def _best_table(by_all: dict[Any, Group]) -> Table:
    rows = []
    for key, kinds in _best(by_all).items():
        if len(kinds) > 2:
            columns = [_at(spread(relative(group)), limit) for limit, group in kinds.values()]
            rows.append((*key, *columns))
    return Table(
        "clipping-best",
        say("Final loss over the constant answer's, without clipping and at the best limit of each kind; median [quartiles]."),
        (*_KEY, say("none"), say("norm"), say("value"), say("global")),
        tuple(rows),
    )


def _at(loss: str, limit: float | None) -> Text:
    return loss if limit is None else say("{loss} at {limit:g}", loss=loss, limit=limit)


def _ratio(one: Group, other: Group) -> float | None:
    """The median, over the seeds, of other's final loss over one's; None where a run of either diverged."""
    if any(diverged(r) for _, r in (*one, *other)):
        return None
    return median(b / a for a, b in zip(relative(one), relative(other), strict=True))


def _alike(pairs: Iterable[tuple[Group, Group]]) -> tuple[int, int]:
    """How many of the pairs are alike: neither diverges, the median ratio of their losses is within [1 / _ALIKE, _ALIKE]."""
    ratios = [_ratio(*pair) for pair in pairs]
    return sum(ratio is not None and 1 / _ALIKE <= ratio <= _ALIKE for ratio in ratios), len(ratios)


def _slow(by_all: dict[Any, Group], adaptive: bool) -> tuple[int, int]:
    """In how many courses over the limit the smallest one is slow beside the best, of how many that reach the target."""
    slow = courses = 0
    for (*key, _), limits in _courses(by_all).items():
        reached = {limit: steps(group)[1] for limit, group in limits.items()}
        best = min(reached.values())
        if (key[2] != "SGD") is adaptive and math.isfinite(best):
            courses += 1
            slow += reached[min(reached)] > _SLOWER * best
    return slow, courses


def _courses(by_all: dict[Any, Group]) -> dict[Any, dict[float, Group]]:
    """By task, layer, optimiser, rate and kind of clipping: the runs at each limit."""
    measured: dict[Any, dict[float, Group]] = {}
    for (*key, clip, limit), group in by_all.items():
        if limit is not None:
            measured.setdefault((*key, clip), {})[limit] = group
    return measured


def _curves(by_all: dict[Any, Group]) -> dict[str, Any]:
    unclipped = {key[:4]: group for key, group in by_all.items() if key[4] == "none"}
    return {
        key: {
            "limits": sorted(limits),
            "steps": [steps(limits[limit]) for limit in sorted(limits)],
            "diverged": [share([diverged(r) for _, r in limits[limit]]) for limit in sorted(limits)],
            "cosine": [median(r["cosine"] for _, r in limits[limit]) for limit in sorted(limits)],
            "most": max(trial.steps for group in limits.values() for trial, _ in group),
            "none": share([diverged(r) for _, r in unclipped[key[:4]]]),
        }
        for key, limits in _courses(by_all).items()
    }


def _statements(by_all: dict[Any, Group], controls: dict[Any, Group]) -> tuple[Statement, ...]:
    slow, of = _slow(by_all, adaptive=False)
    also, among = _slow(by_all, adaptive=True)
    return (
        _explode(by_all, controls),
        Statement(
            "slow",
            say("Too small a limit is slow."),
            verdict(of > 0 and slow == of, slow > of / 2),
            say(
                "under SGD the smallest limit takes more than {times:g} times the steps of the best one, or never arrives, in "
                "{slow} of {all} courses that reach the target",
                times=_SLOWER,
                slow=slow,
                all=of,
            ),
        ),
        Statement(
            "slow-adaptive",
            say("Too small a limit is slow under every optimiser."),
            verdict(among > 0 and also == among, also > among / 2),
            say("under Adagrad, RMSprop and Adam, as Keras 2.2.4 has them, in {slow} of {all} courses", slow=also, all=among),
        ),
        _alikeness(by_all),
        _direction(by_all),
    )


def _explode(by_all: dict[Any, Group], controls: dict[Any, Group]) -> Statement:
    """Where the rate is safe for the output layer alone and the gradient has grown, it is the recurrence that explodes."""
    safe = {key for key, group in controls.items() if not any(diverged(r) for _, r in group)}
    text, exploded = [], {}
    for layer in dict.fromkeys(layer for _, layer, _ in controls):
        keys = [key for key in safe if key[1] == layer]
        measured = [r for task, _, lr in keys for _, r in by_all[task, layer, "SGD", lr, "none", None]]
        exploded[layer] = [diverged(r) and (_growth(r) or 0) > _GREW for r in measured]
        text.append(say("{layer} {exploded} of {all}", layer=layer, exploded=sum(exploded[layer]), all=len(measured)))
    clipped = [
        diverged(r)
        for (task, layer, optimizer, lr, _, limit), group in by_all.items()
        if optimizer == "SGD" and limit is not None and limit <= 0.1 and (task, layer, lr) in safe
        for _, r in group
    ]
    shares = [share(flags) for flags in exploded.values() if flags]
    return Statement(
        "explode",
        say("Without clipping, training explodes."),
        verdict(bool(shares) and min(shares) > 0.5, any(shares)),
        say(
            "under SGD, where the learning rate is safe for the output layer alone ({safe} of {settings} settings), runs that "
            "diverge after their gradient has grown more than {grew:g}-fold: {told}; with limits up to 0.1, {diverged} of "
            "{clipped} runs diverge",
            safe=len(safe),
            settings=len(controls),
            grew=_GREW,
            told=listed(text),
            diverged=sum(clipped),
            clipped=len(clipped),
        ),
    )


def _alikeness(by_all: dict[Any, Group]) -> Statement:
    best = [(k["norm"][1], k["value"][1]) for k in _best(by_all).values() if "value" in k and "norm" in k]
    same = [
        (group, by_all[(*key[:4], "value", key[5])])
        for key, group in by_all.items()
        if key[4] == "norm" and (*key[:4], "value", key[5]) in by_all
    ]
    (alike, of), (equal, among) = _alike(best), _alike(same)
    return Statement(
        "alike",
        say("In practice, clipping by norm and by value behave alike."),
        verdict(of > 0 and alike == of and equal == among, alike > of / 2),
        say(
            "final losses within a factor of {factor:g} (median of the seeds, none diverged): at the best limit of each in "
            "{alike} of {settings} settings, at the same number for both limits in {equal} of {among}",
            factor=_ALIKE,
            alike=alike,
            settings=of,
            equal=equal,
            among=among,
        ),
    )


def _direction(by_all: dict[Any, Group]) -> Statement:
    cosines = {
        kind: present(r["cosine_least"] for key, group in by_all.items() for _, r in group if key[4] == kind)
        for kind in ("global", "norm", "value")
    }
    kept = {kind: bool(values) and min(values) > 1 - _EXACT for kind, values in cosines.items()}
    least = [say("{kind} {cosine:.3f}", kind=kind, cosine=min(values)) for kind, values in cosines.items() if values]
    return Statement(
        "direction",
        say("Clipping by norm keeps the direction, by value it does not."),
        verdict(kept["global"] and kept["norm"] and not kept["value"], kept["global"] and not kept["value"]),
        say(
            "least cosine between raw and clipped gradient, all arrays together: {least} (global is the norm of all together, "
            "norm that of each array by itself)",
            least=listed(least),
        ),
    )
