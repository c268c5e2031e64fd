"""Find the mistakes that reproduce claimed gradients: the derived pass is varied by the table until its numbers are theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from rnnproof.doctor import line_mistakes, time_mistakes
from rnnproof.doctor.case import Array, Case
from rnnproof.doctor.layout_search import Fit
from rnnproof.doctor.line_mistakes import Lines
from rnnproof.doctor.mistake import Edit, Mistake
from rnnproof.doctor.plain_pass import Outputs, Pass, Tape, run_backward

# The seeds come out of least squares to some 1e-13 of their size, the pass adds a few hundred eps, and gradients of a few
# steps magnify neither by more than a few hundred: 1e-13 * 1e3 and 1e3 eps lie below this by a factor of ten.
REPRODUCED = 1e-9
# A float32 pass rounds every value to 6e-8; a few hundred operations in a row make 1e-5, a cancellation ten times more.
REPRODUCED_FLOAT32 = 2e-4
# What a sum that cancels leaves, beside the largest gradient of the case.
_REST = 1e-12

_DEPTH = 8  # times that mistakes are added
_SLACKS = (0, 1, 2, 4, 8, 16)
_UNITED = 40
_PAIRS = 6000
_SCORED = 4  # steps
RUNS = 16_000  # of passes in one search, some ten seconds for an LSTM

# Kinds as often as they were met in public code; of two mistakes that give the same numbers the more usual one is named.
USUAL = (
    "derivative-of-activated-value",
    "carry-dropped",
    "index-wraps-to-last",
    "hidden-carry-dropped",
    "cell-carry-dropped",
    "carry-untransposed",
    "activation-derivative-missing",
    "not-accumulated-over-time",
    "wrong-variable-accumulated",
    "input-gradient-without-recurrence",
    "input-gradient-zero",
    "seed-of-an-output-ignored",
    "output-gradient-at-every-step",
    "clipped-by-value",
    "clipped-by-norm",
    "truncated",
    "scaled-by-time",
    "scaled-by-batch",
    "carry-missing-weight-and-derivative",
    "carry-missing-weight",
    "carry-added-on-the-wrong-side-of-an-activation",
    "step-skipped",
    "copy-paste-other-gate",
    "off-by-one",
    "wrong-derivative-function",
    "derivative-of-preactivation",
    "gradient-used-for-value",
    "wrong-factor",
    "wrong-matrix",
    "variable-rebound",
    "wrong-variable",
    "tape-overwritten",
    "stale-cache",
    "direct-carry-dropped",
    "clip-inside-recursion",
)


def _round(number: float) -> float:
    """The number itself, or the short decimal that it is but for rounding."""
    short = float(f"{number:.6g}")
    return short if abs(short - number) <= 1e-10 * abs(number) else number


def rank(mistake: Mistake) -> int:
    """How unusual a mistake is: by its kind, and an overwritten variable in several lines only after all others."""
    if mistake.kind == "variable-rebound" and "," in mistake.where:
        return len(USUAL) + 1
    return USUAL.index(mistake.kind) if mistake.kind in USUAL else len(USUAL)


@dataclass(frozen=True)
class Replay:
    """One case: what was claimed, by label, in the layout of the derivation, and the tape to run passes on."""

    steps: int
    batch: int
    tape: Tape
    claimed: Mapping[str, tuple[Array, ...]]
    tolerance: float

    @cached_property
    def scale(self) -> float:
        """The largest entry of all claimed gradients."""
        return max((float(np.max(np.abs(a), initial=0.0)) for arrays in self.claimed.values() for a in arrays), default=0.0)

    def run(self, backward: Pass) -> Outputs:
        """What a pass gives here."""
        with np.errstate(all="ignore"):
            return run_backward(self.tape, backward)

    def matched(self, outputs: Outputs) -> frozenset[str]:
        """The labels whose claimed gradients a pass reproduces."""
        return frozenset(name for name, arrays in self.claimed.items() if all(self.same(a, outputs[name]) for a in arrays))

    def same(self, one: Array, other: Array) -> bool:
        """Whether two gradients are the same but for rounding."""
        largest = max(float(np.max(np.abs(one), initial=0.0)), float(np.max(np.abs(other), initial=0.0)))
        with np.errstate(all="ignore"):
            return bool(np.all(np.abs(one - other) <= self.tolerance * largest + _REST * self.scale))


def replay(case: Case, fit: Fit, claimed: Mapping[str, Array | None]) -> Replay:
    """The replay of a case at a layout."""
    layout = fit.layout
    tolerance = REPRODUCED_FLOAT32 if fit.single else REPRODUCED
    labels: dict[str, tuple[Array, ...]] = {}
    for name, views in layout.views.items():
        parts = [view.read(claimed[view.array]) for view in views if claimed.get(view.array) is not None]  # type: ignore[arg-type]
        if parts:
            labels[name] = tuple(parts)
    for kind, places in (("input", layout.inputs), ("initial", layout.initial)):
        for name, where in places.items():
            value = claimed.get(where.path) if where.listed else None
            if value is not None:
                labels[f"{kind} {name}"] = (where.read(value),)
    tape = Tape(fit.derived, fit.sizes, fit.values, fit.seeds)
    return Replay(case.steps or 0, tape.samples, tape, labels, tolerance)


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that reproduce what was claimed; `unnamed` are the gradients, by label, that none of the table explains."""

    mistakes: tuple[Mistake, ...]
    unnamed: frozenset[str]
    backward: Pass


@dataclass
class Search:
    """One search over replays, from the shortest sequence on."""

    lines: Lines
    replays: Sequence[Replay]
    runs: int = RUNS
    unnamed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        longest = max(o.steps for o in self.replays)
        lines = self.lines
        self.usual = [
            *time_mistakes.carries(lines),
            *time_mistakes.sums(lines),
            *time_mistakes.losses(lines),
            *time_mistakes.scaled_lines(lines),
            *time_mistakes.loops(lines, longest),
            *time_mistakes.returned(lines),
            *time_mistakes.tapes(lines),
            *line_mistakes.slopes(lines),
            *line_mistakes.rebound(lines),
            *line_mistakes.products(lines),
            *line_mistakes.factors(lines),
            *time_mistakes.clipped(tuple(self.replays[-1].claimed), *self._limits()),
        ]
        self.limited = list(time_mistakes.clips(lines))

    def _limits(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Limits of clipping that the claimed numbers themselves suggest, for values and for norms."""
        last = self.replays[-1]
        names = [name for name in last.claimed if " " not in name]
        if not names:
            return (), ()
        largest = {max(float(np.max(np.abs(last.claimed[n][0]))) for n in some) for some in (names, last.claimed)}
        squares = {name: float(np.sum(last.claimed[name][0] ** 2)) for name in last.claimed}
        joint = [sum(squares[name] for name in some) ** 0.5 for some in (names, squares)]
        norms = [_round(norm) for norm in (*joint, *(squares[name] ** 0.5 for name in names)) if norm > 0]
        return tuple(_round(value) for value in largest if value > 0), tuple(dict.fromkeys(norms))

    def run(self) -> Diagnosis:
        """The diagnosis: what is found at one length has to hold at all others."""
        chosen: tuple[Mistake, ...] = ()
        while True:
            solution = self._explain(chosen)
            if solution is not None:
                chosen = solution
                break
            best = self._best
            worst = next(o for o in self.replays if self._open(o, self._made(best)))
            self.unnamed |= self._open(worst, self._made(best))
            chosen = best
        chosen = self._confirmed(chosen)
        return Diagnosis(chosen, frozenset(self.unnamed), self._made(chosen))

    def _made(self, mistakes: Iterable[Mistake]) -> Pass:
        backward = self.lines.whole
        for mistake in mistakes:
            changed = mistake.apply(backward)
            backward = changed if changed is not None else backward
        return backward

    def _open(self, replay: Replay, backward: Pass) -> frozenset[str]:
        """The labels that a pass does not reproduce."""
        return frozenset(replay.claimed) - replay.matched(replay.run(backward)) - self.unnamed

    def _score(self, backward: Pass) -> int:
        """How many gradients a pass reproduces, of the lengths that are cheap to run."""
        return sum(len(o.claimed) - len(self._open(o, backward)) for o in self.replays if o.steps <= _SCORED)

    def _explain(self, start: tuple[Mistake, ...]) -> tuple[Mistake, ...] | None:
        """The most promising mistakes first, then ways that depart from these more and more (limited discrepancy search).

        None where nothing explains everything.
        """
        self._best, self._best_score = start, self._score(self._made(start))
        self._known: dict[frozenset[int], list[tuple[Mistake, ...]]] = {}
        for slack in _SLACKS:
            solution = self._extended(start, self._made(start), slack, _DEPTH)
            if solution is not None or self.runs < 0:
                return solution
        return None

    def _extended(self, chosen: tuple[Mistake, ...], backward: Pass, slack: int, depth: int) -> tuple[Mistake, ...] | None:
        """`chosen` with more mistakes so that everything is explained; `slack` is how far the choices may be from the best."""
        key = frozenset(map(id, chosen))
        if key not in self._known:
            score = self._score(backward)
            if score > self._best_score:
                self._best, self._best_score = chosen, score
            frontier = next((o for o in self.replays if self._open(o, backward)), None)
            if frontier is None:
                return chosen
            if self.runs < 0:
                return None
            self._known[key] = self._extensions(frontier, chosen, backward)
        for departure, extension in enumerate(self._known[key][: slack + 1] if depth else []):
            more = (*chosen, *extension)
            solution = self._extended(more, self._made(more), slack - departure, depth - 1)
            if solution is not None or self.runs < 0:
                return solution
        return None

    def _extensions(self, frontier: Replay, chosen: tuple[Mistake, ...], backward: Pass) -> list[tuple[Mistake, ...]]:
        """Single mistakes, else pairs, that explain more of the shortest sequence not explained yet and break nothing."""
        outputs = frontier.run(backward)
        wrong = self._open(frontier, backward)
        right = frozenset(frontier.claimed) - wrong
        relevant, singles = self._singles(frontier, backward, outputs, self.usual, right, wrong)
        if singles:
            return singles
        limited = list(self._clips(frontier, backward, outputs))
        singles = self._singles(frontier, backward, outputs, limited, right, wrong)[1]
        return singles or self._pairs(frontier, backward, relevant, right, wrong)

    def _clips(self, frontier: Replay, backward: Pass, outputs: Outputs) -> Iterator[Mistake]:
        """Clipping within the recursion, each at the limits at which one entry becomes what is claimed."""
        open_ = self._open(frontier, backward)
        for where, says, at in self.limited:
            for limit in self._limits_of(frontier, backward, at, open_):
                yield Mistake("clip-inside-recursion", where, f"{says} at {limit:g} within the recursion", at(limit))

    def _limits_of(
        self, frontier: Replay, backward: Pass, at: Callable[[float], Edit], open_: frozenset[str]
    ) -> tuple[float, ...]:
        """The limits at which the worst entry of an open gradient is as claimed, by bisection between limits on a grid."""
        name = next(iter(sorted(open_)), None)
        if name is None:
            return ()
        claimed = frontier.claimed[name][0]
        entry = np.unravel_index(int(np.argmax(np.abs(claimed - frontier.run(backward)[name]))), claimed.shape)

        def off(limit: float) -> float:
            changed = at(limit)(backward)
            self.runs -= 1
            return float(frontier.run(changed)[name][entry] - claimed[entry]) if changed is not None else np.nan

        grid = [10 ** (power / 4) for power in range(-12, 9)]
        errors = [off(limit) for limit in grid]
        limits = []
        for low, high, first, second in zip(grid, grid[1:], errors, errors[1:], strict=False):
            if first * second < 0:
                for _ in range(50):
                    middle = (low + high) / 2
                    low, high = (middle, high) if off(middle) * first > 0 else (low, middle)
                limits.append(_round((low + high) / 2))
        return tuple(limits)

    def _singles(
        self,
        frontier: Replay,
        backward: Pass,
        outputs: Outputs,
        rows: list[Mistake],
        right: frozenset[str],
        wrong: frozenset[str],
    ) -> tuple[list[tuple[Mistake, frozenset[str]]], list[tuple[Mistake, ...]]]:
        """(mistakes that change wrong gradients alone, with these; those that put some of them right, best first)."""
        relevant: list[tuple[Mistake, frozenset[str]]] = []
        hits: list[tuple[int, int, int, Mistake]] = []
        for number, mistake in enumerate(rows):
            changed = mistake.apply(backward)
            if changed is None:
                continue
            self.runs -= 1
            now = frontier.run(changed)
            altered = frozenset(name for name in frontier.claimed if not frontier.same(now[name], outputs[name]))
            if not altered & wrong:
                continue
            matched = frontier.matched(now)
            if right - self.unnamed <= matched:
                relevant.append((mistake, altered & wrong))
                if matched & wrong:
                    hits.append((-self._score(changed), rank(mistake), number, mistake))
        hits.sort(key=lambda hit: hit[:3])
        singles = [mistake for *_, mistake in hits]
        union = self._union(frontier, backward, singles, right)
        return relevant, [*([union] if len(union) > 1 else []), *((mistake,) for mistake in singles)]

    def _union(self, frontier: Replay, backward: Pass, singles: list[Mistake], right: frozenset[str]) -> tuple[Mistake, ...]:
        """The best mistakes for different gradients, as far as they go together: they are found in one go."""
        chosen: list[Mistake] = []
        matched = right
        for mistake in singles[:_UNITED]:
            changed = mistake.apply(backward)
            now = frontier.matched(frontier.run(changed)) if changed is not None else frozenset()
            if now - self.unnamed > matched - self.unnamed and changed is not None:
                chosen.append(mistake)
                backward, matched = changed, now
        return tuple(chosen)

    def _pairs(
        self,
        frontier: Replay,
        backward: Pass,
        relevant: list[tuple[Mistake, frozenset[str]]],
        right: frozenset[str],
        wrong: frozenset[str],
    ) -> list[tuple[Mistake, ...]]:
        """Pairs of mistakes for the wrong gradient that the fewest mistakes change."""
        hits: list[tuple[int, int, tuple[Mistake, Mistake]]] = []
        for target in sorted(wrong, key=lambda name: sum(name in changes for _, changes in relevant)):
            rows = sorted((mistake for mistake, changes in relevant if target in changes), key=rank)
            for count, pair in enumerate(combinations(rows, 2)):
                if count > _PAIRS or self.runs < 0:
                    break
                first = pair[0].apply(backward)
                changed = pair[1].apply(first) if first is not None else None
                if changed is None:
                    continue
                self.runs -= 1
                matched = frontier.matched(frontier.run(changed))
                if target in matched and right - self.unnamed <= matched:
                    hits.append((-self._score(changed), rank(pair[0]) + rank(pair[1]), pair))
            if hits:
                break
        hits.sort(key=lambda hit: hit[:2])
        return [pair for *_, pair in hits]

    def _confirmed(self, chosen: tuple[Mistake, ...]) -> tuple[Mistake, ...]:
        """Without the mistakes that change nothing, and without those that no gradient confirms at every length."""
        for mistake in chosen:
            rest = tuple(other for other in chosen if other is not mistake)
            if not any(self._open(o, self._made(rest)) for o in self.replays):
                chosen = rest
        return tuple(mistake for mistake in chosen if self._confirms(chosen, mistake))

    def _confirms(self, chosen: tuple[Mistake, ...], mistake: Mistake) -> bool:
        whole, rest = self._made(chosen), self._made(other for other in chosen if other is not mistake)
        names: set[Any] = set().union(*(o.claimed for o in self.replays)) - self.unnamed
        for name in names:
            replays = [o for o in self.replays if name in o.claimed]
            changes = any(not o.same(o.run(whole)[name], o.run(rest)[name]) for o in replays)
            if changes and all(name in o.matched(o.run(whole)) for o in replays):
                return True
        return False


def diagnose(lines: Lines, replays: Sequence[Replay], runs: int = RUNS) -> Diagnosis:
    """The mistakes that reproduce the replays, which are sorted by length."""
    return Search(lines, sorted(replays, key=lambda o: (o.steps, o.batch)), runs).run()
