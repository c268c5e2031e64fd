"""Find how a loss holds a cell, by the loss alone: a layout is right where it gives the loss at random arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, permutations, product

import numpy as np

from rnnproof.doctor.array_packing import Packing, families, packings
from rnnproof.doctor.case import Array, Case
from rnnproof.doctor.conventions import OUTPUT, with_output_layer
from rnnproof.doctor.layout import Layout, Sequence, View
from rnnproof.doctor.loss_head import COSTLY, USUAL, WEIGHTED, Head
from rnnproof.doctor.loss_noise import noise
from rnnproof.doctor.observed_values import observed
from rnnproof.doctor.plain_pass import Derived, derived, run_forward
from rnnproof.equations.cell import Cell

# A layout that is not the loss's leaves a remainder of the size of the losses' spread; one that is leaves rounding, some
# hundred eps times the condition of the least squares, which for random arrays is below 1e5: 1e-16 * 1e2 * 1e5 = 1e-9.
SAME = 1e-8
# Where the loss computes in float32 the same reckoning gives 6e-8 * 1e2 * 1e2, as such cases are small.
SAME_FLOAT32 = 1e-3
POINTS = 60  # beside one for each coefficient
_MOST_POINTS = 1200
_LARGEST = 6000  # values of the loss that one case may take
MOST = 8000  # layouts, of which a thousand take about a second
_SPREAD = 0.6


@dataclass(frozen=True)
class Evaluations:
    """The loss at random arrays: `arrays` by name with the points in front, `losses`, and what else the loss reads."""

    arrays: Mapping[str, Array]
    losses: Array
    constants: Mapping[str, Array]
    same: float

    @property
    def values(self) -> dict[str, Array]:
        """Everything a sequence may be read from."""
        return {**self.constants, **self.arrays}


def evaluate(case: Case, points: int, seed: int = 0) -> Evaluations:
    """The loss at so many random arrays, all of them drawn anew each time and put back afterwards."""
    rng = np.random.default_rng(seed)
    precision = noise(case.loss, case.arrays, seed).dtype
    before = {name: value.copy() for name, value in case.arrays.items()}
    drawn: dict[str, list[Array]] = {name: [] for name in case.arrays}
    losses = []
    try:
        constants = observed(case.loss)
        for _ in range(points):
            for name, value in case.arrays.items():
                value[...] = _SPREAD * rng.standard_normal(value.shape)
                drawn[name].append(value.copy())
            losses.append(float(case.loss()))
    finally:
        for name, value in case.arrays.items():
            value[...] = before[name]
    stacked = {name: np.stack(values) for name, values in drawn.items()}
    return Evaluations(stacked, np.array(losses), constants, SAME if precision == "float64" else SAME_FLOAT32)


@dataclass(frozen=True)
class Fit:
    """A layout at one case: the sizes, the forward values of the case's own arrays, and the seeds its loss sends."""

    layout: Layout
    derived: Derived
    values: Mapping[str, Array]
    seeds: Mapping[str, Array]
    sizes: Mapping[str, int]
    single: bool  # whether the loss computes in float32


def find_layout(case: Case, cell: Cell, axes: Mapping[str, str], most: int = MOST, recurrent: bool = True) -> Layout | None:
    """The layout of `cell` in a case, or None where it is not among the first so many that were tried.

    `axes` gives for each array the letters of its axes: T, B, or n. Layouts that leave few arrays over and follow their names
    are tried first.
    """
    if len(cell.inputs) != 1 or cell.constants or not families(cell):
        return None
    search = _Search(case, cell, axes, evaluate(case, POINTS), derived(cell), most, recurrent)
    return next(search.layouts(), None)


@dataclass
class _Search:
    """One search: the case with its loss at random arrays, and the cell with its Programs."""

    case: Case
    cell: Cell
    axes: Mapping[str, str]
    evaluations: Evaluations
    programs: Derived
    most: int
    recurrent: bool
    tried: int = 0

    def layouts(self) -> Iterator[Layout]:
        """Every layout that gives the loss."""
        fixed = {n: v.shape for n, v in self.case.arrays.items() if "T" not in self.axes[n] and "B" not in self.axes[n]}
        candidates = [
            ((_strange(fixed, packing, hidden), len(packing.zero), packing.misfit, number), hidden, data, packing)
            for hidden, data in _sizes(fixed.values())
            for number, packing in enumerate(packings(self.cell, fixed, hidden, data))
        ]
        inputs = {
            data: list(_inputs(self.case, self.evaluations, self.axes, data))
            for data in {candidate[2] for candidate in candidates}
        }
        candidates.sort(key=lambda candidate: candidate[0])
        for losses, most in ((USUAL, self.most), (COSTLY, self.most // 4)):
            self.tried = 0
            for _, hidden, data, packing in candidates:
                for where in inputs[data]:
                    for initial, rest in self._initial(packing.rest, hidden):
                        if self.tried <= most:
                            yield from self._with_heads(packing, where, initial, rest, hidden, data, losses)

    def _with_heads(
        self,
        packing: Packing,
        where: Sequence,
        initial: dict[str, Sequence],
        rest: tuple[str, ...],
        hidden: int,
        data: int,
        losses: tuple[str, ...],
    ) -> Iterator[Layout]:
        sizes = {str(self.cell.states[0].new.shape[0]): hidden, str(self.cell.inputs[0].shape[0]): data}
        inputs = {self.cell.inputs[0].name: where}
        base = Layout(self.cell, sizes, packing.views, inputs, initial, Head(WEIGHTED, ()), unused=rest, zero=packing.zero)
        base = replace(base, recurrent=self.recurrent)
        carried = tuple(state.name for state in self.cell.states if state.old is not None)
        runs: dict[int, dict[str, Array]] = {}

        def states(evaluations: Evaluations) -> dict[str, Array]:
            points = len(evaluations.losses)
            if points not in runs:
                runs[points] = _states(self.case, base, self.programs, evaluations.values, points, carried)
            return runs[points]

        for layout in _heads(self.case, base, hidden, losses):
            if self._fits(layout, states):
                yield layout

    def _fits(self, layout: Layout, states: Callable[[Evaluations], dict[str, Array]]) -> bool:
        """Whether the layout gives the loss at all points."""
        self.tried += 1
        needed = _coefficients(self.case, layout) + POINTS
        if needed > _MOST_POINTS:
            return False
        if needed > len(self.evaluations.losses):
            self.evaluations = evaluate(self.case, 2 * needed)
        try:
            values, evaluations = states(self.evaluations), self.evaluations
        except ValueError:  # these arrays do not go together
            return False
        if not all(np.all(np.isfinite(value)) for value in values.values()):
            return False
        if OUTPUT in layout.head.outputs:
            output = layout.output_layer(evaluations.arrays, values[self.cell.states[0].name])
            values = {**values, OUTPUT: output}
        with np.errstate(all="ignore"):
            return layout.head.fit(values, evaluations.losses)[1] < evaluations.same

    def _initial(self, rest: tuple[str, ...], hidden: int) -> Iterator[tuple[dict[str, Sequence], tuple[str, ...]]]:
        """Which array is which state's initial value; zero where there is none."""
        case = self.case
        carried = [state.name for state in self.cell.states if state.old is not None]
        named = [n for n in case.arrays if "B" in self.axes[n] and "T" not in self.axes[n]]
        batch = case.batch or 1
        named += [name for name in rest if name not in named and case.arrays[name].size in (hidden, hidden * batch)]
        named = [name for name in named if hidden in case.arrays[name].shape]
        for number in range(min(len(named), len(carried)), -1, -1):
            for states in combinations(carried, number):
                for chosen in permutations(named, number):
                    places = {}
                    for state, name in zip(states, chosen, strict=True):
                        letters = next(_axes(case.arrays[name].shape, {"N": hidden, "B": batch}), None)
                        if letters is not None:
                            places[state] = Sequence(name, letters, listed=True)
                    if len(places) == number:
                        yield places, tuple(name for name in rest if name not in chosen)


def _strange(shapes: Mapping[str, tuple[int, ...]], packing: Packing, hidden: int) -> int:
    """How many of the arrays left over are no output layer on the hidden state, with its bias, and no initial state."""
    outputs = [name for name in packing.rest if len(shapes[name]) == 2 and hidden in shapes[name] and 1 not in shapes[name]]
    if not outputs:
        return len([name for name in packing.rest if hidden not in shapes[name]])
    size = int(np.prod(shapes[outputs[0]])) // hidden
    offsets = [name for name in packing.rest if int(np.prod(shapes[name])) == size]
    return len(packing.rest) - 1 - bool(offsets)


def _sizes(shapes: Iterable[tuple[int, ...]]) -> list[tuple[int, int]]:
    """(hidden, input) pairs that some matrix allows: gates stacked or not, alone, on [h; x], or with a row for the bias."""
    sizes = set()
    for shape in shapes:
        for rows, columns in (shape[-2:], shape[-2:][::-1]) if len(shape) in (2, 3) else ():
            for hidden in {rows // gates for gates in (1, 2, 3, 4) if rows % gates == 0}:
                sizes |= {(hidden, data) for data in (columns, columns - hidden, columns - hidden - 1) if data > 0}
    return sorted(sizes)


def _inputs(case: Case, evaluations: Evaluations, axes: Mapping[str, str], data: int) -> Iterator[Sequence]:
    """Every place that the input may be read from: the arrays first, then what the loss was seen to read."""
    steps, batch = case.steps or 0, case.batch or 1
    named = sorted((name for name in case.arrays if "T" in axes[name]), key=lambda name: name.lower()[:1] != "x")
    for name in named:
        yield from _sequences(name, case.arrays[name], steps, batch, data, listed=True)
    if named:
        return
    paths = sorted(
        evaluations.constants, key=lambda path: (" in " in path, not path.lower().startswith(("x", "input")), len(path))
    )
    seen: list[Array] = []
    for path in paths:
        value = evaluations.constants[path]
        if any(value.shape == other.shape and np.array_equal(value, other) for other in seen):
            continue
        seen.append(value)
        yield from _sequences(path, value, steps, batch, data, listed=False)


def _sequences(path: str, value: Array, steps: int, batch: int, data: int, listed: bool) -> Iterator[Sequence]:
    if value.dtype.kind in "iu" and value.size and 0 <= value.min() and value.max() < data and value.ndim <= 2:
        for axes in _axes(value.shape, {"T": steps, "B": batch}):
            yield Sequence(path, axes, listed, one_hot=data)
    for axes in _axes(value.shape, {"T": steps, "N": data, "B": batch}):
        yield Sequence(path, axes, listed)


def _axes(shape: tuple[int, ...], extents: Mapping[str, int]) -> Iterator[str]:
    """The letters that the axes may have; an axis of length one is the samples' or nothing's."""
    if not 1 <= len(shape) <= 4:
        return
    letters = [*extents] + ["1"] * max(0, len(shape) - len(extents))
    for chosen in dict.fromkeys(permutations(letters, len(shape))):
        if all(letter in chosen for letter in extents if letter != "B"):
            fits = [
                n == 1 if letter == "1" else n == extents[letter] or (letter == "B" and n == 1)
                for n, letter in zip(shape, chosen, strict=True)
            ]
            if all(fits):
                yield "".join(chosen)


def _heads(case: Case, base: Layout, hidden: int, losses: tuple[str, ...]) -> Iterator[Layout]:
    """The layout with each family of losses, without an output layer and with each that the arrays left over allow."""
    cell = base.cell
    output = cell.states[0].name
    carried = tuple(state.name for state in cell.states if state.old is not None)
    for outputs in dict.fromkeys(((output,), carried)) if WEIGHTED in losses else ():
        yield replace(base, head=Head(WEIGHTED, outputs))
    for name, transposed in product(base.unused, (False, True)):
        shape = case.arrays[name].shape
        if len(shape) != 2 or shape[0 if transposed else 1] != hidden:
            continue
        size = shape[1 if transposed else 0]
        sizes = {**base.sizes, "output": size}
        views = {**base.views, "W_y": (View(name, 2, transposed=transposed),)}
        for offset in (*(other for other in base.unused if case.arrays[other].size == size and other != name), None):
            if offset is not None:
                views = {**views, "b_y": (View(offset, case.arrays[offset].ndim, vector=True),)}
            else:
                views = {n: v for n, v in views.items() if n != "b_y"}
            whole = with_output_layer(cell, bias=offset is not None)
            rest = tuple(other for other in base.unused if other not in (name, offset))
            for family in losses:
                yield replace(base, cell=whole, views=views, sizes=sizes, unused=rest, head=Head(family, (OUTPUT,)))
    for family in losses:
        if family != WEIGHTED:
            yield replace(base, head=Head(family, (output,)))


def _coefficients(case: Case, layout: Layout) -> int:
    rows = {state.name: layout.sizes[str(state.new.shape[0])] for state in layout.cell.states}
    return layout.head.width(rows) * (case.steps or 1) * (case.batch or 1) + 1


def _states(
    case: Case, layout: Layout, programs: Derived, values: Mapping[str, Array], points: int, names: Iterable[str]
) -> dict[str, Array]:
    """States of the cell (steps, points, entries, samples) at random arrays."""
    run = forward_values(case, layout, programs, values, points)
    new = {port.key: port.var.name for port in programs.forward.outputs}
    return {name: run[new[name]] for name in names}


def forward_values(
    case: Case, layout: Layout, programs: Derived, values: Mapping[str, Array], points: int | None = None
) -> dict[str, Array]:
    """Every forward value of a layout; with `points` at so many random arrays."""
    arrays = {name: values[name] for name in case.arrays}
    params = layout.parameters(arrays)
    xs = {name: where.read(values[where.path]) for name, where in layout.inputs.items()}
    samples = next(iter(xs.values())).shape[-1]
    if points is not None:
        xs = {
            name: value if value.ndim == 4 else np.broadcast_to(value[:, None], (value.shape[0], points, *value.shape[1:]))
            for name, value in xs.items()
        }
    initial = {}
    for state in layout.cell.states:
        if state.old is None:
            continue
        rows = layout.sizes[str(state.new.shape[0])]
        lead = () if points is None else (points,)
        where = layout.initial.get(state.name)
        start = np.zeros((rows, samples)) if where is None else where.read(values[where.path])
        initial[state.name] = np.broadcast_to(start, (*lead, rows, samples))
    return run_forward(programs.forward, layout.sizes, params, xs, initial, layout.recurrent)


def fit(case: Case, layout: Layout, programs: Derived) -> Fit | None:
    """The layout at a case of any length, its seeds by least squares from values of the loss; None where it does not fit."""
    points = 2 * _coefficients(case, layout) + POINTS
    if points > _LARGEST:
        return None
    evaluations = evaluate(case, points)
    if not all(where.path in evaluations.values for where in (*layout.inputs.values(), *layout.initial.values())):
        return None
    states = _states(case, layout, programs, evaluations.values, points, layout.head.outputs)
    coefficients, remainder = layout.head.fit(states, evaluations.losses)
    if not remainder < evaluations.same:
        return None
    values = forward_values(case, layout, programs, {**evaluations.constants, **case.arrays})
    new = {port.key: port.var.name for port in programs.forward.outputs}
    outputs = {name: values[new[name]] for name in layout.head.outputs}
    seeds = layout.head.seeds(outputs, coefficients)
    samples = next(iter(seeds.values())).shape[-1]
    for state in layout.cell.states:
        rows = layout.sizes[str(state.new.shape[0])]
        seeds.setdefault(state.name, np.zeros((case.steps or 1, rows, samples)))
    return Fit(layout, programs, values, seeds, layout.sizes, evaluations.same != SAME)
