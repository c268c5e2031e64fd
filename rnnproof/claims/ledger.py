"""`CLAIMS`: all rows in the lecture's order. `ledger`: their outcomes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from rnnproof.claims import arguments, clipping, explosion, gates, gru, listings, lstm, optimisers, sequences, shortcuts
from rnnproof.claims.claim import Case, Claim, Outcome
from rnnproof.claims.sources import Sources, Unmeasured
from rnnproof.errors import UsageError

Progress = Callable[[int, int, str], None]

CLAIMS: tuple[Claim, ...] = (
    *explosion.ROWS,
    *clipping.ROWS,
    *optimisers.ROWS,
    *shortcuts.ROWS,
    *gates.ROWS,
    *lstm.ROWS,
    *arguments.ROWS,
    *sequences.ROWS,
    *listings.ROWS,
    *gru.ROWS,
)


def ledger(sources: Sources, names: Sequence[str] = (), progress: Progress | None = None) -> tuple[Outcome, ...]:
    """The outcome of every claim, or of those named, in the order of CLAIMS. Raises UsageError for an unknown name."""
    chosen = [claim for claim in CLAIMS if not names or claim.name in _known(names)]
    outcomes = []
    for done, claim in enumerate(chosen):
        if progress is not None:
            progress(done, len(chosen), claim.name)
        outcomes.append(Outcome(claim, _cases(claim, sources)))
    return tuple(outcomes)


def _known(names: Sequence[str]) -> Sequence[str]:
    there = [claim.name for claim in CLAIMS]
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=5, cutoff=0.4) or [other for other in there if name in other]
            told = f"; near to it are {', '.join(near)}" if near else ""
            raise UsageError(f"there is no claim {name!r}{told}; `rnnproof claims` lists all {len(there)}")
    return names


def _cases(claim: Claim, sources: Sources) -> tuple[Case, ...]:
    try:
        cases = tuple(claim.test(sources))
    except Unmeasured:
        return ()
    if not cases:
        raise AssertionError(f"claim {claim.name}: its test has no cases")
    return cases
