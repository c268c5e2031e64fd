"""Whether a loss is a function of its arrays, and whether the gradients claimed for it leave everything as it was."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnproof.doctor.hidden_state import Generators, States
from rnnproof.doctor.loss_noise import Array, Evaluate, loss_value, perturbation, restored
from rnnproof.errors import UsageError

# Values that differ by this many units in the last place are one value summed in another order (threads, memory alignment).
LAST_PLACES = 16
Gradients = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """One way in which loss or claimed do not behave: a kebab-case name, the array it is about, and a text."""

    name: str
    array: str | None
    says: str


@dataclass(frozen=True)
class Behaviour:
    """What calls without a change showed.

    `repeatable` says whether loss() without a change gives the same value; where it does not, no difference of its values means
    anything. `depends` says for each array whether the loss changes with it, and is empty where the loss is not repeatable. An
    array without influence is no fault: recurrent weights have none on one step from a zero state.
    """

    faults: tuple[Fault, ...]
    repeatable: bool
    depends: Mapping[str, bool]

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def says(self) -> str:
        """Every fault, one a line; or that there is none."""
        return (
            "\n".join(fault.says for fault in self.faults) or "loss and claimed are functions: they repeat and change nothing"
        )


def behaviour(
    loss: Evaluate, arrays: Mapping[str, Array], claimed: Callable[[], Gradients] | Gradients, seed: int = 0
) -> Behaviour:
    """Call loss and claimed a few times and compare; arrays and global random generators are as before afterwards.

    `claimed` is what the person gave, not a copy: sharing of memory is seen on it. Raises UsageError where loss() is no number.
    """
    with restored(*arrays.values()), _generators_restored():
        values, faults = _repeated(loss, arrays)
        repeatable = _last_places(values)
        faults += _claimed_faults(loss if repeatable else None, arrays, claimed)
        depends = _dependence(loss, arrays, np.random.default_rng(seed)) if repeatable else {}
    return Behaviour(tuple(faults), repeatable, depends)


@contextmanager
def _generators_restored() -> Iterator[None]:
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _same(first: Array, second: Array) -> bool:
    """Equality of bits: NaN equals itself, 0.0 and -0.0 differ."""
    return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()


def _last_places(values: list[float]) -> bool:
    """Whether values are equal, or but for a few of their last places; NaN equals itself."""
    if len(set(map(repr, values))) == 1:
        return True
    return bool(max(values) - min(values) <= LAST_PLACES * np.spacing(max(map(abs, values))))


def _call(function: Callable[[], Any], arrays: Mapping[str, Array]) -> tuple[Any, dict[str, Array]]:
    """What a function returns, and copies of the arrays as it leaves them; the arrays themselves are as before."""
    with restored(*arrays.values()):
        answer = function()
        return answer, {name: array.copy() for name, array in arrays.items()}


def _repeated(loss: Evaluate, arrays: Mapping[str, Array]) -> tuple[list[float], list[Fault]]:
    """Values of four calls, and what is wrong with them."""
    generators = Generators(loss)
    value, after = _call(lambda: loss_value(loss), arrays)
    drawn, states = generators.moved(), States(loss)
    values, faults = [value], _changed("loss()", arrays, after)
    for _ in range(3):
        values.append(_call(lambda: loss_value(loss), arrays)[0])
    if not _last_places(values):
        faults.append(_unrepeatable(values, drawn, states.changed()))
    return values, faults


def _unrepeatable(values: list[float], drawn: str, carriers: list[str]) -> Fault:
    numbers = ", ".join(f"{value:.10g}" for value in values)
    start = f"loss() called {len(values)} times without a change gives {numbers}"
    if drawn:
        return Fault("random-loss", None, f"{start}: it draws random numbers from {drawn}; draw them once, outside the loss")
    if len(set(values[1:])) == 1:
        cure = "it keeps something from its first call; call it once before, or compute that outside the loss"
        return Fault("stateful-loss", None, f"{start}: {cure}")
    where = f" ({', '.join(carriers[:3])} changed between calls)" if carriers else ""
    moves = [after - before for before, after in itertools.pairwise(values)]
    if carriers or max(moves) - min(moves) <= 1e-9 * max(map(abs, moves)):
        cure = "start each call from the same state, for instance from a zero hidden state"
        return Fault("stateful-loss", None, f"{start}: each call goes on from what the one before left{where}; {cure}")
    cure = "use the same random numbers and the same initial state in each call"
    return Fault("unrepeatable-loss", None, f"{start}: it is random or keeps a state; {cure}")


def _changed(who: str, arrays: Mapping[str, Array], after: Mapping[str, Array]) -> list[Fault]:
    """The arrays that a call has changed, each with the first entry that differs."""
    faults = []
    for name, array in arrays.items():
        if _same(array, after[name]):
            continue
        now = after[name]
        differs = ((array != now) & ~(np.isnan(array) & np.isnan(now))) | (np.signbit(array) != np.signbit(now))
        position = np.unravel_index(int(np.argmax(differs)), array.shape) if array.ndim else ()
        where = f"{name}{[int(i) for i in position]}" if position else name
        says = (
            f"{who} changes its argument {name}: {where} was {float(array[position]):.10g} and is {float(now[position]):.10g}"
        )
        says += " afterwards; compute on a copy, and update outside"
        faults.append(Fault(f"{who.partition('(')[0]}-changes-array", name, says))
    return faults


def _claimed_faults(loss: Evaluate | None, arrays: Mapping[str, Array], claimed: Any) -> list[Fault]:
    """What claimed does to the arrays and the loss, and whether its gradients are repeatable and their own."""
    if not callable(claimed):
        return _sharing(arrays, claimed)
    value = _call(lambda: loss_value(loss), arrays)[0] if loss else 0.0
    (first, gradients), after = _call(lambda: _called(claimed, arrays), arrays)
    faults = _changed("claimed()", arrays, after)
    again = _call(lambda: loss_value(loss), arrays)[0] if loss else 0.0
    if not _last_places([value, again]):
        says = f"loss() is {value:.10g} before claimed() is called and {again:.10g} after it, its arrays being the same"
        faults.append(Fault("claimed-changes-loss", None, f"{says}: claimed() changes a state that the loss reads; restore it"))
    faults += _sharing(arrays, first)
    runs = [gradients, *(_call(lambda: _called(claimed, arrays), arrays)[0][1] for _ in range(2))]
    return faults + [fault for name in arrays for fault in _gradient_repeats(name, [run.get(name) for run in runs])]


def _called(claimed: Callable[[], Any], arrays: Mapping[str, Array]) -> tuple[Gradients, dict[str, Array]]:
    """The gradients as they are, and copies of them."""
    answer = claimed()
    if not isinstance(answer, Mapping):
        raise UsageError(f"claimed returned {type(answer).__name__}; return a dict of gradients by the arrays' names")
    return answer, {name: np.array(answer[name], dtype=float) for name in arrays if answer.get(name) is not None}


def _sharing(arrays: Mapping[str, Array], gradients: Gradients) -> list[Fault]:
    """Gradients that are an input array, or another gradient, in memory."""
    buffers = [(name, g) for name, g in gradients.items() if isinstance(g, np.ndarray) and g.size]
    faults = []
    for name, gradient in buffers:
        for other, array in arrays.items():
            if _overlap(gradient, array):
                says = f"the gradient of {name} is in the memory of the array {other}: an update of one changes the other"
                faults.append(Fault("gradient-shares-memory", name, f"{says}; return a copy"))
    for (name, gradient), (other, second) in itertools.combinations(buffers, 2):
        if _overlap(gradient, second):
            says = f"the gradients of {name} and {other} are the same memory: adding to one adds to the other"
            faults.append(Fault("gradient-shares-memory", name, f"{says}; give each its own array"))
    return faults


def _overlap(first: Array, second: Array) -> bool:
    try:
        return bool(np.may_share_memory(first, second) and np.shares_memory(first, second, max_work=10_000))
    except np.exceptions.TooHardError:  # interleaved views: their bounds overlap, and that is suspicious enough to say
        return True


def _gradient_repeats(name: str, runs: list[Array | None]) -> list[Fault]:
    first, second, third = runs
    if first is None or second is None or third is None or not first.size:
        return []
    rounding = 64 * float(np.finfo(first.dtype).eps) * float(np.nanmax(np.abs(third), initial=0.0))
    change, again = second - first, third - second
    if np.all(np.abs(change) <= rounding) and np.all(np.abs(again) <= rounding):
        return []
    worst = np.unravel_index(int(np.nanargmax(np.abs(change) + np.abs(again))), first.shape)
    numbers = ", ".join(f"{float(run[worst]):.10g}" for run in (first, second, third))
    says = f"claimed() called three times without a change gives {numbers} as the gradient of {name}{[int(i) for i in worst]}"
    if np.all(np.abs(change - again) <= rounding) and np.any(np.abs(change) > rounding):
        return [Fault("gradients-accumulate", name, f"{says}: each call adds to what is there; set it to zero first")]
    return [
        Fault("claimed-not-repeatable", name, f"{says}: it is random or keeps a state; start each call from the same state")
    ]


def _dependence(loss: Evaluate, arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, bool]:
    """Whether a random change of each array changes the loss: a small one, and where that does not, a large one."""
    value, depends = loss_value(loss), {}
    for name, array in arrays.items():
        depends[name] = False
        for size in (0.01, 1.0):
            with restored(array), np.errstate(all="ignore"):
                array += perturbation(array, size, rng)
                depends[name] = depends[name] or loss_value(loss) != value
    return depends
