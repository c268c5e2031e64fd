"""500 random cells against torch; planted faults that the comparison must see; the oracle against finite differences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rnnproof
from rnnproof.errors import EquationError
from rnnproof.pages.derivation import derive
from tests.random_cells import campaign, coverage
from tests.random_cells.campaign import Tally
from tests.random_cells.cell_trial import Outcome, Wrong, compare, draw, read, run_seed
from tests.random_cells.random_tree import Recipe, Symbol
from tests.random_cells.torch_functions import FUNCTIONS
from tests.random_cells.torch_oracle import Answer, Point, answer

pytestmark = [pytest.mark.frameworks]

CELLS, CHUNK = 500, 20
PLANTED = range(40, 60)
REFUSED_AT_MOST = 0.05


@cache
def chunk(first: int) -> tuple[Outcome, ...]:
    return tuple(map(run_seed, range(first, first + CHUNK)))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    campaign.quieten()


@pytest.mark.parametrize("first", range(0, CELLS, CHUNK))
def test_random_cells(first: int) -> None:
    failed = [o for o in chunk(first) if o.verdict in campaign.FAILED]
    assert not failed, "\n\n".join(f"--only {o.seed}: {o.verdict}\n{o.text}\n{o.reason}" for o in failed)


def test_every_operation_and_notation_is_used_and_little_is_refused() -> None:
    tally = Tally()
    for first in range(0, CELLS, CHUNK):
        for outcome in chunk(first):
            tally.add(outcome)
    assert tally.cells == CELLS
    assert sorted(coverage.EVERYTHING - set(tally.used)) == []
    assert len(tally.refused) <= REFUSED_AT_MOST * CELLS, [(outcome.seed, outcome.reason) for outcome in tally.refused]


def test_a_seed_gives_the_same_cell_whatever_the_jobs() -> None:
    alone = list(campaign.outcomes(range(6)))
    assert [(o.text, o.worst) for o in alone] == [(o.text, o.worst) for o in campaign.outcomes(range(6), jobs=2)]


def test_every_activation_of_the_package_is_drawn() -> None:
    """In a process of its own: other tests add activations to the package's."""
    code = "from rnnproof.equations import activations; print(*activations.names())"
    names = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert set(FUNCTIONS) == set(names)


@pytest.mark.parametrize("seed", range(0, 30, 2))
def test_random_cells_can_be_derived(seed: int) -> None:
    """Of each seed, or where its document is refused, of a later one."""
    while True:
        try:
            cell = read(draw(seed)[1])
            break
        except EquationError:
            seed += 1000
    found = derive(cell)
    for port in found.backward.ports("gradient", out=True):
        assert "∂" in found.gradient(of=port.key).text
    assert found.markdown() == derive(cell).markdown()


# -- planted faults ----------------------------------------------------------------------------------------------------------


def _changed(module: ModuleType, change: Callable[[Any], Any]) -> Any:
    """The module, its gradients changed."""
    return SimpleNamespace(forward=module.forward, backward=lambda trace, seeds: change(module.backward(trace, seeds)))


def _scaled(gradients: Any, name: str) -> Any:
    return gradients._replace(params={**gradients.params, name: gradients.params[name] * (1 + 1e-6)})


def _transposed(gradients: Any, name: str) -> Any:
    """The gradient of a square matrix, transposed."""
    return gradients._replace(params={**gradients.params, name: gradients.params[name].swapaxes(-1, -2)})


def _nudged(gradients: Any, name: str) -> Any:
    """One entry off by a millionth of the largest."""
    array = gradients.params[name].copy()
    array[(-1,) * array.ndim] += 1e-6 * np.abs(array).max()
    return gradients._replace(params={**gradients.params, name: array})


@pytest.mark.parametrize("plant", [_scaled, _nudged, _transposed])
def test_a_wrong_parameter_gradient_is_seen(plant: Callable[[Any, str], Any]) -> None:
    planted = 0
    for seed in PLANTED:
        recipe, document, point, found = draw(seed)
        module = rnnproof.build(read(document))
        names = {key.key: name for key, name in document.names.items()}
        for key, value in point.params.items():
            square = value.ndim >= 2 and value.shape[-1] == value.shape[-2] > 1
            moves = np.abs(found.values[f"gradient {key}"]).max() > 0
            if not moves or (plant is _transposed and not square):
                continue
            wrong = _changed(module, lambda gradients, name=names[key]: plant(gradients, name))
            with pytest.raises(Wrong, match=names[key]):
                compare(wrong, recipe, document.names, point, found)
            planted += 1
    assert planted >= 10


def test_swapped_states_and_a_dropped_step_are_seen() -> None:
    swapped = 0
    for seed in PLANTED:
        recipe, document, point, found = draw(seed)
        module = rnnproof.build(read(document))
        late = _changed(module, lambda g: g._replace(initial={key: 0 * value for key, value in g.initial.items()}))
        if any(np.abs(found.values[f"gradient initial {key}"]).max() > 0 for key in point.initial):
            with pytest.raises(Wrong, match="initial"):
                compare(late, recipe, document.names, point, found)
        alike = _two_alike(recipe, document.names, found)
        if alike:
            with pytest.raises(Wrong, match="output"):
                compare(_swapped(module, *alike), recipe, document.names, point, found)
            swapped += 1
    assert swapped >= 2


def _two_alike(recipe: Recipe, names: dict[Symbol, str], found: Answer) -> tuple[str, str] | None:
    """Two states of one shape and different values."""
    values = {names[s]: found.values[f"output {s.key}"] for s in recipe.symbols("state", "output")}
    alike = [(a, b) for a in values for b in values if a < b and values[a].shape == values[b].shape]
    return next(((a, b) for a, b in alike if np.abs(values[a] - values[b]).max() > 1e-3), None)


def _swapped(module: Any, a: str, b: str) -> Any:
    def forward(*given: Any) -> Any:
        trace = module.forward(*given)
        return trace._replace(states={**trace.states, a: trace.states[b], b: trace.states[a]})

    return SimpleNamespace(forward=forward, backward=module.backward)


def test_a_written_argument_is_seen() -> None:
    recipe, document, point, found = draw(0)
    module = rnnproof.build(read(document))

    def forward(params: Any, xs: Any, initial: Any) -> Any:
        trace = module.forward(params, xs, initial)
        next(iter(params.values()))[...] += 1
        return trace

    with pytest.raises(Wrong, match="the caller's arrays"):
        compare(SimpleNamespace(forward=forward, backward=module.backward), recipe, document.names, point, found)


# -- the oracle ----------------------------------------------------------------------------------------------------------------


def _loss(recipe: Recipe, point: Point) -> float:
    values = answer(recipe, point).values
    return float(sum((seed * values[f"output {key}"]).sum() for key, seed in point.seeds.items()))


@pytest.mark.parametrize("seed", range(60, 68))
def test_the_oracle_agrees_with_finite_differences(seed: int) -> None:
    """Along one random direction for every array: an error of step^2 times a third derivative, and rounding / step."""
    recipe, _, point, found = draw(seed)
    rng, step = np.random.default_rng(seed), 1e-5
    arrays: list[tuple[str, Any, Callable[[Any], Point]]] = [
        (f"gradient {key}", value, lambda new, key=key: replace(point, params={**point.params, key: new}))
        for key, value in point.params.items()
    ]
    arrays += [
        (f"gradient initial {key}", value, lambda new, key=key: replace(point, initial={**point.initial, key: new}))
        for key, value in point.initial.items()
    ]
    if point.xs is not None:
        arrays.append(("gradient inputs", point.xs, lambda new: replace(point, xs=new)))
    for key, value, moved in arrays:
        direction = rng.normal(size=value.shape)
        ahead, behind = (_loss(recipe, moved(value + side * step * direction)) for side in (1, -1))
        expected = (found.values[key] * direction).sum()
        size = np.abs(found.values[key]).max(initial=0.0) + abs(_loss(recipe, point)) + 1
        assert abs((ahead - behind) / (2 * step) - expected) < 1e-5 * size, key
