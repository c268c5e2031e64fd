"""Section 3.1, the problem: exploding and vanishing gradients of a SimpleRNN, the loss surface, the cliff."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.jacobian import jacobian
from rnnproof.cells import simple_rnn
from rnnproof.equations import catalogue
from rnnproof.pages.message import say
from rnnproof.study.claims.claim import MEASUREMENT, PROOF, Case, Rows
from rnnproof.study.claims.probes import counted, rng
from rnnproof.study.claims.sources import Sources
from rnnproof.study.experiments import cliff_surface

ROWS = Rows()
RATE, STARTS, STEPS = 0.3, 200, 200
FAR, VANISHED = 100, 1e-6  # steps, and the share of a gradient that counts as none
GOOD = 1e-3  # a loss that counts as the minimum found, as in the experiment


@ROWS.add("simple-rnn-vanishes", "3.1", say("Vanishing gradients are a problem of SimpleRNN."), PROOF)
def simple_rnn_vanishes(_: Sources) -> list[Case]:
    """The derived bound of the Jacobians' product over k steps, its limit where the largest singular value is below 1, and a
    network whose largest singular value is 1.
    """
    found = jacobian(catalogue.load("simple_rnn"), "h_t", "h_{t-1}")
    bound: Any = found.bound
    (size,) = bound.free_symbols
    k = sp.Symbol("k", integer=True, positive=True)
    powers = [found.product(steps).bound == bound**steps for steps in range(1, 6)]
    a = sp.Symbol("a", positive=True)
    below_one = 1 / (1 + a)  # every number between 0 and 1
    limit = sp.limit((bound**k).subs(size, below_one), k, sp.oo)
    base = f"${sp.latex(bound, symbol_names={size: size.name})}$"
    share = share_left(1.0)
    return [
        counted(
            say("over $k$ steps, $k$ up to 5, the gradient is at most the $k$-th power of {base}", base=base),
            powers,
            say("values of $k$"),
            sampled=True,
        ),
        Case(
            say("where {base} is below 1, that power goes to 0", base=base),
            bool(limit == 0),
            say("limit {limit} of {power}, {where}", limit=str(limit), power=f"${sp.latex(below_one**k)}$", where="$a > 0$"),
        ),
        Case(
            say("where {base} is 1 or above, of which the bound says nothing", base=base),
            share < VANISHED,
            say(
                "with an orthogonal R at {h}, {share:.3g} of the gradient's norm is left after {steps} steps",
                h="$h = 0$",
                share=share,
                steps=FAR,
            ),
            sampled=True,
        ),
    ]


def share_left(radius: float) -> float:
    """The gradient's norm FAR steps back over that at the end, in a SimpleRNN at h = 0: R is orthogonal times `radius`."""
    source = rng(3)
    turn = np.linalg.qr(source.normal(size=(5, 5)))[0]
    trace = simple_rnn.forward({"W": np.zeros((5, 4)), "R": radius * turn, "b": np.zeros(5)}, np.zeros((FAR, 1, 4)))
    seed = np.zeros((FAR, 1, 5))
    seed[-1] = source.normal(size=(1, 5))
    return float(np.linalg.norm(simple_rnn.backward(trace, {"h": seed}).initial["h"]) / np.linalg.norm(seed))


ROWS.measured(
    "simple-rnn-explodes",
    "3.1",
    say("Exploding gradients are a problem of SimpleRNN."),
    "flow.explode",
    "flow.radius",
    "clipping.explode",
)
ROWS.measured(
    "clipping-effective",
    "3.1",
    say("Limiting the size of the gradient is effective against exploding gradients."),
    "cliff.prevented",
    "temporal-order.longer",
)


@ROWS.add("gradient-is-slope", "3.1", say("The gradient is the slope of the loss surface at each point."), MEASUREMENT)
def gradient_is_slope(_: Sources) -> list[Case]:
    """At random points of the surface, the slope in a random direction by the complex step, and the gradient's part in it."""
    source = rng()
    points, step = 50, 1e-30
    w, b, angle = (source.uniform(*ends, points) for ends in (cliff_surface.W_RANGE, cliff_surface.B_RANGE, (0.0, 2 * np.pi)))
    _, d_w, d_b = cliff_surface.losses(w, b)
    direction = np.cos(angle), np.sin(angle)
    slope = cliff_surface.losses(w + 1j * step * direction[0], b + 1j * step * direction[1])[0].imag / step
    # 50 steps of a dozen operations each, whose errors grow with the gradient itself
    allowed = 8 * 600 * float(np.finfo(float).eps) * np.maximum(1, np.hypot(d_w, d_b))
    apart = np.abs(slope - (direction[0] * d_w + direction[1] * d_b))
    return [
        counted(say("in a random direction, at random points of the surface"), apart <= allowed, say("points, to the rounding"))
    ]


@ROWS.add("cliff-steep", "3.1", say("On a steep loss surface, the gradient explodes at the cliff."), MEASUREMENT)
def cliff_steep(_: Sources) -> list[Case]:
    """The gradient's norm over the surface: its largest value beside the median, and the fall of the loss around that point."""
    w, b, loss = cliff_surface.surface(121)
    _, d_w, d_b = cliff_surface.losses(w.ravel(), b.ravel())
    norms = np.hypot(d_w, d_b).reshape(loss.shape)
    row, column = np.unravel_index(norms.argmax(), norms.shape)
    around = loss[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    fall, whole = float(np.ptp(around)), float(np.ptp(loss))
    ratio = float(norms.max() / np.median(norms))
    return [
        Case(
            say("the largest gradient of the surface is over 100 times the median one"),
            ratio > 100,
            say("norm {largest:.0f}, {ratio:.0f} times the median", largest=float(norms.max()), ratio=ratio),
        ),
        Case(
            say("there the surface falls by over a quarter of its height within two cells of the grid"),
            fall > whole / 4,
            say("{fall:.2f} of {whole:.2f}", fall=fall, whole=whole),
        ),
    ]


ROWS.measured(
    "cliff-thrown",
    "3.1",
    say("Without clipping, the gradient explodes at the cliff and throws the search back at one stroke."),
    "cliff.thrown",
)


def descents(limit: float | None) -> tuple[Any, Any]:
    """Losses (steps + 1, starts) and lengths of steps (steps, starts) of descents from random points of the surface."""
    source = rng(1)
    theta = np.array([source.uniform(*ends, STARTS) for ends in (cliff_surface.W_RANGE, cliff_surface.B_RANGE)])
    losses, lengths = [], []
    for _ in range(STEPS):
        loss, *gradient = cliff_surface.losses(*theta)
        norms = np.hypot(*gradient)
        scale = 1.0 if limit is None else limit / np.maximum(norms, limit)
        theta = theta - RATE * scale * np.array(gradient)
        losses.append(loss)
        lengths.append(RATE * scale * norms)
    losses.append(cliff_surface.losses(*theta)[0])
    return np.array(losses), np.array(lengths)


@ROWS.add(
    "cliff-wasted",
    "3.1",
    say("Thrown back by the cliff, the search so far is wasted."),
    MEASUREMENT,
)
def cliff_wasted(_: Sources) -> list[Case]:
    """Of the descents that make a step over a third of the region: where they end, beside where they began."""
    losses, lengths = descents(None)
    thrown = lengths.max(axis=0) > cliff_surface.FAR
    end, start = losses[-1, thrown], losses[0, thrown]
    before = losses[lengths.argmax(axis=0), np.arange(STARTS)][thrown]
    clipped = descents(cliff_surface.LIMIT)[0][-1, thrown]
    of = say("descents that are thrown, from {starts} starts other than the experiment's", starts=STARTS)
    return [
        counted(say("the minimum is not found any more"), end >= GOOD, of),
        counted(say("it ends no lower than just before the throw"), end >= before, of),
        counted(say("it ends no lower than it began"), end >= start, of),
        counted(say("clipped, it ends lower from the same start"), clipped < end, of),
    ]


ROWS.measured(
    "clipping-restrains",
    "3.1",
    say("Clipping limits gradients that are too large and keeps the search from changing too much."),
    "cliff.prevented",
    "cliff.ends",
)
