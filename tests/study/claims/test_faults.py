"""Faults planted in what the claims speak of: the verdict has to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

from rnnproof.calculus.operations import Add
from rnnproof.equations import catalogue
from rnnproof.layers import GRU, LSTM, Layer, Shortcut
from rnnproof.layers.recurrent import Recurrent
from rnnproof.proofs import exact
from rnnproof.runtime import clipping, dropout
from rnnproof.study.claims import Outcome, equations, explosion, gates, ledger, listings, lstm_claims, sequences, shortcuts
from rnnproof.study.claims import clipping_claims as claims_of_clipping
from rnnproof.study.claims.claim import CONDITION, CONFIRMED, NOT, PROVED
from rnnproof.study.experiments import cliff_surface
from tests.study.claims.stand_in import StandIn

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Modules made from faulty equations are not kept."""
    equations.module.cache_clear()
    yield
    equations.module.cache_clear()


def rules(patch: Patch, change: Callable[..., Any]) -> None:
    """Another rule for every semantics of clipping."""
    for name, rule in list(clipping.SEMANTICS.items()):
        patch.setitem(clipping.SEMANTICS, name, replace(rule, clip=change))


def wrapped(patch: Patch, owner: Any, name: str, change: Callable[[Any], Callable[..., Any]]) -> None:
    """`change` gets the right function and gives the faulty one."""
    patch.setattr(owner, name, change(getattr(owner, name)))


def swapped(expression: Any, one: str, other: str) -> Any:
    """Two symbols of an expression exchanged."""
    found = {symbol.name: symbol for symbol in expression.atoms(sp.MatrixSymbol)}
    return expression.xreplace({found[one]: found[other], found[other]: found[one]})


def no_clipping(patch: Patch) -> None:
    rules(patch, lambda arrays, *options: arrays)


def clipping_to_a_fixed_vector(patch: Patch) -> None:
    rules(patch, lambda arrays, norm, *options: [np.full_like(g, (norm or 1) / np.sqrt(g.size) / 2) for g in arrays])


def clipping_always(patch: Patch) -> None:
    rules(patch, lambda arrays, norm, *options: [g * (norm or 1) / np.linalg.norm(g) for g in arrays])


def value_without_sign(patch: Patch) -> None:
    rules(patch, lambda arrays, norm, value, *options: [np.minimum(g, value or np.inf) for g in arrays])


def gates_swapped_in_the_catalogue(patch: Patch) -> None:
    def change(load: Any) -> Any:
        def loaded(name: str) -> Any:
            cell = load(name)
            if name != "lstm":
                return cell
            update = next(e for e in cell.equations if str(e.symbol) == "c")
            wrong = replace(update, expression=swapped(update.expression, "i", "f"))
            return replace(cell, equations=tuple(wrong if e is update else e for e in cell.equations))

        return loaded

    wrapped(patch, catalogue, "load", change)


def gates_swapped_in_the_lecture(patch: Patch) -> None:
    wrong = equations.LSTM.replace(r"i_t \odot \bar{h}_t+f_t \odot c_{t-1}", r"f_t \odot \bar{h}_t+i_t \odot c_{t-1}")
    assert wrong != equations.LSTM
    patch.setattr(equations, "LSTM", wrong)


def a_gate_that_sees_the_memory(patch: Patch) -> None:
    wrong = equations.LSTM.replace("R_fh_{t-1}+b_f", r"R_fh_{t-1}+p_f \odot c_{t-1}+b_f")
    assert wrong != equations.LSTM
    patch.setattr(equations, "LSTM", wrong)


def another_order_of_gates(patch: Patch) -> None:
    patch.setattr(LSTM, "GATES", ("f", "i", "hbar", "o"))


def outputs(change: Callable[[Any, Any], Any]) -> Callable[[Patch], None]:
    """Layers whose results are changed on their way out."""

    def plant(patch: Patch) -> None:
        wrapped(patch, Recurrent, "_outputs", lambda right: lambda self, *given: change(self, right(self, *given)))

    return plant


def no_states(layer: Any, found: Any) -> Any:
    return [found[0], *(0 * state for state in found[1:])] if layer.return_state else found


def turned_round(layer: Any, found: Any) -> Any:
    return found[:, ::-1] if layer.go_backwards and layer.return_sequences else found


def first_step(layer: Any, found: Any) -> Any:
    return found[:, :1] if layer.return_sequences else found


def state_forgotten(layer: Any, found: Any) -> Any:
    layer.states = None
    return found


def no_turning(patch: Patch) -> None:
    patch.setattr(Recurrent, "_in_time", lambda self, values: values.swapaxes(0, 1))


def no_masks(patch: Patch) -> None:
    wrapped(patch, Recurrent, "_drawn", lambda right: lambda self, training, given, x: right(self, training, None, x))


def masks_at_half_the_rate(patch: Patch) -> None:
    wrapped(patch, dropout, "mask", lambda right: lambda shape, rate, *given: right(shape, rate / 2, *given))


def no_forget_bias(patch: Patch) -> None:
    patch.setattr(LSTM, "_first_bias", lambda self, start: start)


def penalties_without_gradient(patch: Patch) -> None:
    patch.setattr(Layer, "_with_penalties", lambda self, gradients: list(gradients))


def no_constraints(patch: Patch) -> None:
    patch.setattr(Layer, "apply_constraints", lambda self: None)


def no_input_added(patch: Patch) -> None:
    wrapped(patch, Shortcut, "__call__", lambda right: lambda self, x, **given: right(self, x, **given) - x)


def a_shortcut_of_half(patch: Patch) -> None:
    patch.setattr(shortcuts, "LECTURE", r"$o^{(l)} = f^{(l)}(o^{(l-1)})+o^{(l-1)} / 2$")


def a_gate_without_the_old(patch: Patch) -> None:
    patch.setattr(gates, "WEIGHTED", r"$$o^{(l)} = t^{(l)} \odot f^{(l)}(o^{(l-1)}) + c^{(l)} \odot f^{(l)}(o^{(l-1)})$$")


def a_wrong_adjoint(patch: Patch) -> None:
    def change(adjoint: Any) -> Any:
        def made(forward: Any) -> Any:
            program = adjoint(forward)
            at = next(place for place, step in enumerate(program.steps) if isinstance(step.op, Add) and len(step.args) > 1)
            step = program.steps[at]
            wrong = replace(step, op=Add((-step.op.factors[0], *step.op.factors[1:])))
            return program.with_steps([*program.steps[:at], wrong, *program.steps[at + 1 :]])

        return made

    wrapped(patch, exact, "adjoint", change)


def a_wrong_slope(patch: Patch) -> None:
    wrapped(patch, cliff_surface, "losses", lambda right: lambda w, b: (lambda e, d_w, d_b: (e, d_w, 1.01 * d_b))(*right(w, b)))


def another_default(patch: Patch) -> None:
    for made in (LSTM, GRU):
        construct: Any = made.__init__.__wrapped__  # type: ignore[attr-defined]
        defaults = construct.__defaults__
        patch.setattr(construct, "__defaults__", tuple("sigmoid" if d == "hard_sigmoid" else d for d in defaults))


def a_third_gate(patch: Patch) -> None:
    wrapped(patch, catalogue, "load", lambda load: lambda name: load("lstm" if name == "gru" else name))


def unrolled_not_at_all(patch: Patch) -> None:
    wrapped(patch, sequences, "generate", lambda right: lambda cell, steps=None: right(cell))


def a_gru_with_the_argument(patch: Patch) -> None:
    wrapped(patch, listings, "signature", lambda right: lambda name: {**right(name), "unit_forget_bias": True})


def layers_that_double_on_the_way_back(patch: Patch) -> None:
    wrapped(patch, Shortcut, "backward", lambda right: lambda self, d: 2 * right(self, d))


def blind_gates(patch: Patch) -> None:
    def change(right: Any) -> Any:
        return lambda name, params, x: right(name, {key: value * key.startswith("b") for key, value in params.items()}, x)

    wrapped(patch, equations, "gates", change)


def only_dust_arrives(patch: Patch) -> None:
    patch.setattr(lstm_claims, "arrives", lambda module, bias, seed: 1e-9 if bias else 1e-19)


def one_draw_is_lucky(patch: Patch) -> None:
    patch.setattr(lstm_claims, "arrives", lambda module, bias, seed: 1.0 if bias and seed == 0 else 1e-19)


def nothing_left_at_radius_one(patch: Patch) -> None:
    patch.setattr(explosion, "share_left", lambda radius: 1e-30)


def gradients_all_alike(patch: Patch) -> None:
    wrapped(patch, claims_of_clipping, "recurrent", lambda right: lambda radius, *given: right(0.9, *given))


def another_norm(patch: Patch) -> None:
    wrapped(patch, np.linalg, "norm", lambda right: lambda array, order=None: 1.001 * right(array, order))


FAULTS: list[tuple[Callable[[Patch], None], tuple[str, ...]]] = [
    (no_clipping, ("clipping-only-large", "small-limit-always-small", "clipnorm-limits", "clipvalue-limits")),
    (no_clipping, ("clipvalue-direction", "optimisers-clipnorm", "optimisers-clipvalue", "listing-optimisers")),
    (clipping_to_a_fixed_vector, ("clipnorm-direction", "clipping-not-vanishing")),
    (clipping_always, ("clipping-only-large", "clipnorm-per-array", "clipping-not-vanishing")),
    (value_without_sign, ("clipvalue-limits", "optimisers-clipvalue")),
    (gates_swapped_in_the_catalogue, ("lstm-equations", "gate-in-time")),
    (gates_swapped_in_the_lecture, ("lstm-equations", "lstm-input-gate", "lstm-forget-gate", "lstm-layer", "lstm-joined")),
    (a_gate_that_sees_the_memory, ("lstm-gates-from-input",)),
    (another_order_of_gates, ("lstm-layer", "activation", "recurrent-activation")),
    (outputs(no_states), ("return-state",)),
    (outputs(first_step), ("return-sequences", "output-is-o")),
    (outputs(state_forgotten), ("stateful",)),
    (no_turning, ("go-backwards-input", "go-backwards-output")),
    (no_masks, ("dropout", "recurrent-dropout")),
    (masks_at_half_the_rate, ("dropout-rate",)),
    (no_forget_bias, ("unit-forget-bias",)),
    (penalties_without_gradient, ("regularizers",)),
    (no_constraints, ("constraints",)),
    (no_input_added, ("shortcut-adds-input",)),
    (a_shortcut_of_half, ("shortcut-one-plus", "shortcut-identity-path", "shortcut-adds-input")),
    (a_gate_without_the_old, ("gate-weighted-sum", "gate-forgetting")),
    (a_wrong_adjoint, ("shortcut-one-plus", "gate-learned", "lstm-learned")),
    (a_wrong_slope, ("gradient-is-slope",)),
    (another_default, ("listing-lstm", "listing-gru", "recurrent-activation-default")),
    (a_third_gate, ("gru-two-gates", "gru-one-state", "gru-fewer-operations")),
    (unrolled_not_at_all, ("unroll-same", "unroll-short")),
    (layers_that_double_on_the_way_back, ("shortcut-first-layer",)),
    (blind_gates, ("lstm-gates-follow-data",)),
    (only_dust_arrives, ("lstm-longer-than-simple-rnn",)),
    (one_draw_is_lucky, ("lstm-longer-than-simple-rnn",)),
    (nothing_left_at_radius_one, ("simple-rnn-vanishes",)),
    (gradients_all_alike, ("small-limit-always-small",)),
    (another_norm, ("norm-vector", "norm-matrix")),
    (a_gru_with_the_argument, ("gru-unit-forget-bias", "listings-differ")),
]


@pytest.mark.parametrize(("plant", "names"), FAULTS, ids=[f"{plant.__name__}-{names[0]}" for plant, names in FAULTS])
@pytest.mark.slow
def test_a_planted_fault_changes_the_verdict(
    outcomes: dict[str, Outcome], monkeypatch: Patch, plant: Callable[[Patch], None], names: tuple[str, ...]
) -> None:
    plant(monkeypatch)
    for one in ledger(StandIn(), names):
        assert one.verdict != outcomes[one.claim.name].verdict, f"{one.claim.name}: {one.condition}"


@pytest.mark.slow
def test_an_output_turned_round_again(outcomes: dict[str, Outcome], monkeypatch: Patch) -> None:
    """Of the two readings, the other one holds."""
    names = ["go-backwards-output", "go-backwards-restored"]
    assert [outcomes[name].verdict for name in names] == [CONFIRMED, NOT]
    outputs(turned_round)(monkeypatch)
    assert [one.verdict for one in ledger(StandIn(), names)] == [NOT, CONFIRMED]


def test_every_printed_optimiser_shows_its_clipping(monkeypatch: Patch) -> None:
    """Without any clipping, none of them passes: not even Adagrad, whose first step is the same."""
    no_clipping(monkeypatch)
    (one,) = ledger(StandIn(), ["listing-optimisers"])
    assert one.verdict == NOT


def test_nothing_goes_past_the_input_gate(monkeypatch: Patch) -> None:
    """A forget gate that does not see the input."""
    wrong = equations.LSTM.replace("W_fx_t+R_fh_{t-1}+b_f", "R_fh_{t-1}+b_f")
    assert wrong != equations.LSTM
    monkeypatch.setattr(equations, "LSTM", wrong)
    (one,) = ledger(StandIn(), ["lstm-input-gate"])
    assert one.verdict == PROVED and "goes nothing in" in str(one.figure)


def test_units_that_were_the_length(monkeypatch: Patch) -> None:
    """A layer that takes only sequences as long as it has units makes the claim hold in part."""
    right = Recurrent.__call__

    def call(self: Any, x: Any, *given: Any, **named: Any) -> Any:
        if np.shape(x)[1] != self.units:
            raise ValueError("the sequence is not as long as the layer has units")
        return right(self, x, *given, **named)

    monkeypatch.setattr(Recurrent, "__call__", call)
    (one,) = ledger(StandIn(), ["units-is-length"])
    assert one.verdict == CONDITION != NOT
