"""Which states a module under test is given initial values for, and which states the loss reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from rnnproof.errors import UsageError
from rnnproof.verification.sample import Array, Layout, Sample


@dataclass(frozen=True)
class Convention:
    """`seeds` are the states that d_states has a key for, `initial` those that `initial` has; all unless a person says less.

    `unread_seeds` and `unread_initial` are states of these that the module was found to ignore: they are handed over as zeros,
    so that everything else can be judged.
    """

    seeds: tuple[str, ...]
    initial: tuple[str, ...]
    unread_seeds: frozenset[str] = frozenset()
    unread_initial: frozenset[str] = frozenset()

    def apply(self, point: Sample) -> Sample:
        """The point as this module is to be judged at it.

        At one sequence (B = 1) only the first of several seeded states has a seed that is not zero, at one step (T = 1) all but
        the first: a loss rarely reads every state.
        """
        fixed = frozenset(name for name in point.initial if name not in self.initial) | self.unread_initial
        output, *others = [name for name in self.seeds if name not in self.unread_seeds]
        silent = {*self.unread_seeds, *(others if point.sizes["B"] == 1 else [output] if point.steps == 1 and others else [])}

        def unless(name: str, zero: Iterable[str], value: Array) -> Array:
            return np.zeros_like(value) if name in zero else value

        return replace(
            point,
            initial={name: unless(name, fixed, value) for name, value in point.initial.items()},
            d_states={name: unless(name, silent, point.d_states[name]) for name in self.seeds},
            fixed=fixed,
        )

    def without(self, what: str, names: tuple[str, ...]) -> Convention:
        """The same, with states whose "seeds" or "initial" values were found to be ignored."""
        if what == "seeds":
            return replace(self, unread_seeds=frozenset(names))
        return replace(self, unread_initial=frozenset(names))

    def left_out(self, layout: Layout) -> dict[str, str]:
        """What the person left out, by its heading, in words; empty where everything is compared."""
        silent = ", ".join(name for name in layout.states if name not in self.seeds)
        zero = ", ".join(name for name in layout.states if name not in self.initial)
        said = {
            "seeds": f"as asked, d_states has no {silent}: a loss that reads {silent} was not tested",
            "initial": f"as asked, {zero} starts from zero: other initial values and their gradients were not tested",
        }
        return {what: said[what] for what, names in (("seeds", silent), ("initial", zero)) if names}


def convention(name: str, layout: Layout, seeds: Iterable[str] | None, initial: bool | Iterable[str]) -> Convention:
    """The Convention a person asks for. Raises UsageError for a state there is not, for no seed at all, and for no start of a
    recursion that has no input."""
    seeded = _states(name, layout, "seeds", layout.states if seeds is None else seeds)
    started = _states(name, layout, "initial", (layout.states if initial else ()) if isinstance(initial, bool) else initial)
    if not seeded:
        raise UsageError(f"{name}: seeds is empty, and a loss that reads no state has no gradients; name one of {_all(layout)}")
    if not layout.inputs and not started:
        raise UsageError(f"{name}: initial=False, but a recursion without input has nothing else to start from; leave it out")
    return Convention(seeded, started)


def _states(name: str, layout: Layout, what: str, states: Iterable[str]) -> tuple[str, ...]:
    chosen = (states,) if isinstance(states, str) else tuple(states)
    if unknown := [state for state in chosen if state not in layout.states]:
        raise UsageError(f"{name}: {what} names {unknown[0]!r}, which is no state; the states are {_all(layout)}")
    return tuple(state for state in layout.states if state in chosen)


def _all(layout: Layout) -> str:
    return ", ".join(layout.states)
