"""Cells that stress the generator: swapped and delayed states, outputs, shared and per-step parameters, odd functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from rnnproof.equations import activations
from rnnproof.equations import expressions as ex
from rnnproof.equations.cell import Cell, State
from tests import zoo
from tests.zoo import column, matrix, n

k, m = sp.Symbol("k", integer=True, positive=True), zoo.m
x, h, h_old, c, c_old = column("x", m), column("h"), column("h_prev"), column("c"), column("c_prev")
sigma = activations.find("sigmoid").function  # type: ignore[union-attr]
one = sp.OneMatrix(n, 1)


def affine(gate: str, state: Any = h_old) -> Any:
    """W x + R h + b of a gate."""
    return ex.add(ex.multiply(matrix(f"W_{gate}", n, m), x), ex.multiply(matrix(f"R_{gate}"), state), column(f"b_{gate}"))


def gru_reset_before() -> Cell:
    z, r, candidate = column("z"), column("r"), column("hbar")
    return Cell.from_sympy(
        "gru_before",
        {
            z: ex.apply(sigma, affine("z")),
            r: ex.apply(sigma, affine("r")),
            candidate: ex.apply(sp.tanh, affine("hbar", ex.hadamard(r, h_old))),
            h: ex.add(ex.hadamard(z, h_old), ex.hadamard(ex.add(one, ex.multiply(-1, z)), candidate)),
        },
        previous={h: h_old},
        inputs=[x],
    )


def gate_over_layers() -> Cell:
    o, o_old, t, carry = column("o"), column("o_prev"), column("t"), column("carry")
    own = [matrix("W"), matrix("W_t"), matrix("W_c"), column("b"), column("b_t"), column("b_c")]
    w, w_t, w_c, b, b_t, b_c = own
    return Cell.from_sympy(
        "gate_over_layers",
        {
            t: ex.apply(sigma, ex.add(ex.multiply(w_t, o_old), b_t)),
            carry: ex.apply(sigma, ex.add(ex.multiply(w_c, o_old), b_c)),
            o: ex.add(ex.hadamard(t, ex.apply(sp.tanh, ex.add(ex.multiply(w, o_old), b))), ex.hadamard(carry, o_old)),
        },
        previous={o: o_old},
        per_step=own,
        index="l",
    )


def antisymmetric() -> Cell:
    gamma, epsilon, w = sp.Symbol("gamma", real=True), sp.Symbol("epsilon", real=True), matrix("W")
    a = ex.add(w, ex.multiply(-1, sp.Transpose(w)), ex.multiply(-1, gamma, sp.Identity(n)))
    inner = ex.add(ex.multiply(a, h_old), ex.multiply(matrix("V", n, m), x), column("b"))
    return Cell.from_sympy(
        "antisymmetric",
        {h: ex.add(h_old, ex.multiply(epsilon, ex.apply(sp.tanh, inner)))},
        previous={h: h_old},
        inputs=[x],
    )


def readout() -> Cell:
    y = column("y", k)
    cell = Cell.from_sympy(
        "readout",
        {h: ex.apply(sp.tanh, affine("h")), y: ex.add(ex.multiply(matrix("V", k, n), h), column("c", k))},
        previous={h: h_old},
        inputs=[x],
    )
    return replace(cell, states=(State("y", y, None), *cell.states))


def gates_without_recurrence() -> Cell:
    f, o = column("f"), column("o")

    def gate(name: str, function: Any) -> Any:
        return ex.apply(function, ex.add(ex.multiply(matrix(f"W_{name}", n, m), x), column(f"b_{name}")))

    cell = Cell.from_sympy(
        "quasi_rnn",
        {
            f: gate("f", sigma),
            o: gate("o", sigma),
            c: ex.add(ex.hadamard(f, c_old), ex.hadamard(ex.add(one, ex.multiply(-1, f)), gate("z", sp.tanh))),
            h: ex.hadamard(o, ex.apply(sp.tanh, c)),
        },
        previous={c: c_old},
        inputs=[x],
    )
    return replace(cell, states=(State("h", h, None), *cell.states))


def swapped_states() -> Cell:
    update = ex.apply(sp.tanh, ex.add(ex.multiply(matrix("W", n, m), x), ex.multiply(matrix("R"), h_old)))
    return Cell.from_sympy("swapped", {h: c_old, c: update}, previous={h: h_old, c: c_old}, inputs=[x])


def delayed_input() -> Cell:
    u, p, p_old = column("x"), column("p"), column("p_prev")
    update = ex.add(ex.hadamard(column("u"), h_old), ex.multiply(matrix("W"), p_old), p)
    return Cell.from_sympy("delayed", {p: u, h: ex.apply(sp.tanh, update)}, previous={h: h_old, p: p_old}, inputs=[u])


def scalar_gate() -> Cell:
    s, alpha = sp.Symbol("s", real=True), sp.Symbol("alpha", real=True)
    return Cell.from_sympy(
        "scalar_gate",
        {
            s: sigma(ex.Dot(column("w"), h_old) + alpha),
            h: ex.add(ex.multiply(s, ex.apply(sp.tanh, ex.multiply(matrix("W", n, m), x))), ex.multiply(1 - s, h_old)),
        },
        previous={h: h_old},
        inputs=[x],
    )


def tied_matrix() -> Cell:
    a, b = matrix("A"), column("b")
    inner = ex.add(
        ex.multiply(a, ex.multiply(a, h_old)),
        ex.multiply(sp.Transpose(a), ex.multiply(matrix("W", n, m), x)),
        ex.multiply(sp.Rational(1, 2), b),
        b,
    )
    return Cell.from_sympy("tied", {h: ex.apply(sp.tanh, inner)}, previous={h: h_old}, inputs=[x])


def mixed_steps() -> Cell:
    a, d, g, u = matrix("A"), matrix("D"), sp.Symbol("g", real=True), column("u")
    matrices = ex.add(a, d, ex.multiply(-1, g, sp.Identity(n)))
    inner = ex.add(ex.multiply(matrices, h_old), ex.multiply(matrix("W", n, m), x), ex.hadamard(u, h_old))
    return Cell.from_sympy(
        "mixed_steps",
        {h: ex.add(ex.apply(sp.tanh, inner), ex.multiply(g, h_old))},
        previous={h: h_old},
        inputs=[x],
        per_step=[d, g, u],
    )


def joined() -> Cell:
    z, w, u = column("z"), matrix("W", n, n + m), matrix("U", n, n + m)
    together = ex.concatenate(h_old, x)
    update = ex.hadamard(z, ex.apply(sp.tanh, ex.multiply(u, together)))
    return Cell.from_sympy("joined", {z: ex.apply(sigma, ex.multiply(w, together)), h: update}, previous={h: h_old}, inputs=[x])


def joined_elementwise() -> Cell:
    v, w, u, q = column("v", n + m), matrix("W", n, n + m), matrix("U", n, n + m), column("q", n + m)
    update = ex.add(ex.apply(sigma, ex.multiply(w, v)), ex.multiply(u, ex.hadamard(v, q)))
    equations = {v: ex.apply(sp.tanh, ex.concatenate(h_old, x)), h: update}
    return Cell.from_sympy("joined_elementwise", equations, previous={h: h_old}, inputs=[x])


def with_activation(name: str) -> Callable[[], Cell]:
    return lambda: zoo.simple_rnn(name, f"rnn_{name}")


def joined_state() -> Cell:
    p, p_old = column("p", n + m), column("p_prev", n + m)
    inner = ex.add(ex.multiply(matrix("W", n, n + m), p), ex.multiply(matrix("U", n, n + m), p_old))
    equations = {p: ex.concatenate(h_old, x), h: ex.apply(sp.tanh, inner)}
    return Cell.from_sympy("joined_state", equations, previous={h: h_old, p: p_old}, inputs=[x])


def remembered_gate() -> Cell:
    i, f, f_old = column("i"), column("f"), column("f_prev")
    gates = {gate: ex.apply(sigma, affine(gate.name)) for gate in (i, f)}
    update = ex.add(ex.hadamard(f, h_old), ex.hadamard(i, f_old))
    return Cell.from_sympy("remembered_gate", {**gates, h: update}, previous={h: h_old, f: f_old}, inputs=[x])


def bounded_exponential() -> Cell:
    return Cell.from_sympy(
        "bounded_exponential", {h: ex.apply(sp.exp, ex.apply(sp.tanh, affine("h")))}, previous={h: h_old}, inputs=[x]
    )


CELLS: dict[str, Callable[[], Cell]] = {
    **zoo.CELLS,
    **{
        make.__name__: make
        for make in (
            gru_reset_before,
            gate_over_layers,
            antisymmetric,
            readout,
            gates_without_recurrence,
            swapped_states,
            delayed_input,
            scalar_gate,
            tied_matrix,
            mixed_steps,
            joined,
            joined_elementwise,
            joined_state,
            remembered_gate,
            bounded_exponential,
        )
    },
    **{f"rnn_{name}": with_activation(name) for name in activations.names() if name not in ("exponential", "reciprocal")},
}
