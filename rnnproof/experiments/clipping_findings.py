"""Tables and statements of the clipping sweep."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rnnproof.experiments.findings import Findings, Statement, Table, median, present, quartiles, share, spread, verdict
from rnnproof.experiments.training import Training, diverged
from rnnproof.experiments.trial import Result, Trial

Group = list[tuple[Training, Result]]
MEASURES = (
    "runs",
    "diverged",
    "at target",
    "steps to target",
    "final / constant",
    "steps clipped",
    "entries clipped",
    "cosine",
)
_KEY = ("task", "layer", "optimiser", "learning rate")
_SLOWER = 1.5  # a limit is slow where it takes that many times the steps of the best one
_EXACT = 1e-6  # float32 rounding of a cosine


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """Tables, statements, and the courses over the limit that the figures draw."""
    runs = [(trial, result) for trial, result in results if isinstance(trial, Training)]
    simple = [run for run in runs if run[0].layer == "SimpleRNN" and run[0].optimizer == "SGD"]
    by_all = grouped(runs, lambda t: (t.task, t.layer, t.optimizer, t.lr, t.clip, t.limit))
    by_clip = grouped(simple, lambda t: (t.clip, t.limit))
    normed = [run for run in runs if run[0].clip in ("none", "norm")]
    by_optimizer = grouped(normed, lambda t: (t.layer, t.optimizer, t.clip, t.limit))
    headers = ("clipping", "limit", *MEASURES)
    tables = (
        Table(
            "clipping-limits",
            "SimpleRNN trained by SGD, all tasks and learning rates together, by kind of clipping and limit.",
            headers,
            _rows(by_clip),
        ),
        Table(
            "clipping-optimizers",
            "Every layer and optimiser, all tasks and learning rates together, by the limit of each array's norm.",
            ("layer", "optimiser", *headers),
            _rows(by_optimizer),
        ),
        _best_table(by_all),
        Table("clipping-all", "Every combination.", (*_KEY, *headers), _rows(by_all), page=False),
    )
    one, seeds = runs[0][0], len({trial.seed for trial, _ in runs})
    setting = (
        f"{one.units} units, batches of {one.batch}, {one.steps} steps, float32, {seeds} seeds each; first weights as Keras's. "
        "Limits mean what they mean in Keras 3: norm is of each array by itself, global of all together, value of each entry.",
        "Tasks: the adding problem over 10 or 11 steps; temporal order over 20; JapaneseVowels (270 sequences of 7 to 29 "
        "steps, masked); sunspots, from 24 years the next. The target is seven tenths of the loss of the best constant answer.",
        "diverged: a number was not finite, or the loss at the end was over 1.5 times that at the start and that of the "
        "constant answer. Steps to target: median [quartiles] of all runs, one that does not reach it counting as longer "
        "than all. Final: mean loss of the last tenth of the steps, inf where a number was not finite. Cosine: between raw "
        "and clipped gradient, mean over the clipped steps.",
    )
    return Findings(setting, tables, _statements(by_all), _curves(by_all))


def grouped(runs: Iterable[tuple[Training, Result]], by: Callable[[Training], Any]) -> dict[Any, Group]:
    """The runs by what `by` says of their record, in order."""
    groups: dict[Any, Group] = {}
    for run in runs:
        groups.setdefault(by(run[0]), []).append(run)
    return groups


def _rows(groups: dict[Any, Group]) -> tuple[tuple[Any, ...], ...]:
    return tuple((*("" if part is None else part for part in key), *_row(group)) for key, group in groups.items())


def _row(group: Group) -> tuple[Any, ...]:
    found = [result for _, result in group]
    cosine = median(r["cosine"] for r in found)
    return (
        len(group),
        f"{share([diverged(r) for r in found]):.0%}",
        f"{share([r['to_target'] is not None for r in found]):.0%}",
        steps_text(group),
        spread(relative(group)),
        f"{sum(r['clipped'] for r in found) / len(found):.0%}",
        f"{sum(r['clipped'] * r['entries_clipped'] for r in found) / len(found):.0%}",
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
    """ "median [25 %, 75 %]", more than all steps where the target is not reached."""
    most = max(trial.steps for trial, _ in group)
    low, middle, high = (f"> {most}" if math.isinf(value) else f"{value:.0f}" for value in steps(group))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _best(by_all: dict[Any, Group]) -> dict[Any, dict[str, tuple[float | None, Group]]]:
    """For each task, layer, optimiser and rate, and each kind of clipping: the limit with the lowest median loss."""
    found: dict[Any, dict[str, tuple[float | None, Group]]] = {}
    for (*key, clip, limit), group in by_all.items():
        kinds = found.setdefault(tuple(key), {})
        if clip not in kinds or _loss(group) < _loss(kinds[clip][1]):
            kinds[clip] = (limit, group)
    return found


def _loss(group: Group) -> float:
    """The median of the final losses over the constant answer's, a diverged run counting as infinite."""
    values = sorted(
        math.inf if value is None or diverged(r) else value for value, (_, r) in zip(relative(group), group, strict=True)
    )
    return values[len(values) // 2]


def _best_table(by_all: dict[Any, Group]) -> Table:
    rows = []
    for key, kinds in _best(by_all).items():
        if len(kinds) > 2:
            shown = [
                f"{spread(relative(group))}" + ("" if limit is None else f" at {limit:g}") for limit, group in kinds.values()
            ]
            rows.append((*key, *shown))
    return Table(
        "clipping-best",
        "Final loss over the constant answer's, without clipping and at the best limit of each kind; median [quartiles].",
        (*_KEY, "none", "norm", "value", "global"),
        tuple(rows),
    )


def _overlap(one: Group, other: Group) -> bool:
    (low, _, high), (below, _, above) = quartiles(relative(one)), quartiles(relative(other))
    if low is None or high is None or below is None or above is None:
        return False
    return low <= above and below <= high


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
    found: dict[Any, dict[float, Group]] = {}
    for (*key, clip, limit), group in by_all.items():
        if limit is not None:
            found.setdefault((*key, clip), {})[limit] = group
    return found


def _curves(by_all: dict[Any, Group]) -> dict[str, Any]:
    unclipped = {key[:4]: group for key, group in by_all.items() if key[4] == "none"}
    courses = {
        key: {
            "limits": sorted(limits),
            "steps": [steps(limits[limit]) for limit in sorted(limits)],
            "diverged": [share([diverged(r) for _, r in limits[limit]]) for limit in sorted(limits)],
            "final": [quartiles(relative(limits[limit])) for limit in sorted(limits)],
            "cosine": [quartiles(r["cosine"] for _, r in limits[limit]) for limit in sorted(limits)],
            "most": max(trial.steps for group in limits.values() for trial, _ in group),
            "none": {"steps": steps(unclipped[key[:4]]), "diverged": share([diverged(r) for _, r in unclipped[key[:4]]])},
        }
        for key, limits in _courses(by_all).items()
    }
    return {"courses": courses}


def _statements(by_all: dict[Any, Group]) -> tuple[Statement, ...]:
    none = [(key, run) for key, group in by_all.items() for run in group if key[4] == "none"]
    broken = {layer: [diverged(r) for key, (_, r) in none if key[1] == layer and key[2] == "SGD"] for layer in _layers(none)}
    small = [r for key, group in by_all.items() for _, r in group if key[5] is not None and key[5] <= 0.1]
    stopped = [r["stopped"] for _, (_, r) in none if r["stopped"] is not None]
    slow, of = _slow(by_all, adaptive=False)
    also, among = _slow(by_all, adaptive=True)
    pairs = [kinds for kinds in _best(by_all).values() if "value" in kinds and "norm" in kinds]
    alike = [_overlap(kinds["norm"][1], kinds["value"][1]) for kinds in pairs]
    cosines = {
        kind: present(r["cosine_least"] for key, group in by_all.items() for _, r in group if key[4] == kind)
        for kind in ("global", "norm", "value")
    }
    kept = {kind: bool(values) and min(values) > 1 - _EXACT for kind, values in cosines.items()}
    least = ", ".join(f"{kind} {min(values):.3f}" for kind, values in cosines.items() if values)
    shares = ", ".join(f"{layer} {share(flags):.0%} of {len(flags)}" for layer, flags in broken.items())
    when = f"; where a number was not finite, it was so at step {median(stopped):.0f} in the median" if stopped else ""
    return (
        Statement(
            "explode",
            "Without clipping, training explodes.",
            verdict(all(share(flags) > 0.5 for flags in broken.values()), any(any(flags) for flags in broken.values())),
            f"diverged under SGD: {shares}{when}; with limits up to 0.1, {share([diverged(r) for r in small]):.0%} of "
            f"{len(small)} runs",
        ),
        Statement(
            "slow",
            "Too small a limit is slow.",
            verdict(of > 0 and slow == of, slow > of / 2),
            f"under SGD the smallest limit takes more than {_SLOWER:g} times the steps of the best one, or never arrives, "
            f"in {slow} of {of} courses that reach the target",
        ),
        Statement(
            "slow-adaptive",
            "Too small a limit is slow under every optimiser.",
            verdict(among > 0 and also == among, also > 0),
            f"under Adagrad, RMSprop and Adam in {also} of {among}: they divide by the gradient's own size, which undoes "
            "the limit",
        ),
        Statement(
            "alike",
            "In practice, clipping by norm and by value behave alike.",
            verdict(bool(alike) and all(alike), share(alike) > 0.5),
            f"at the best limit of each, the quartiles of the final losses overlap in {sum(alike)} of {len(alike)} settings",
        ),
        Statement(
            "direction",
            "Clipping by norm keeps the direction, by value it does not.",
            verdict(kept["global"] and kept["norm"] and not kept["value"], kept["global"] and not kept["value"]),
            f"least cosine between raw and clipped gradient: {least}; the norm of each array by itself keeps the direction "
            "of each array, that of all together the direction of the whole",
        ),
    )


def _layers(none: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(key[1] for key, _ in none if key[2] == "SGD"))
