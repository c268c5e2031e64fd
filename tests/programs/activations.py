"""Every activation and its slope, as generated modules compute them, against mpmath over all binades.

    python -m tests.programs.activations [NAME ...]

The worst error of value and slope in units in the last place of the exact number, with the argument at which it is met; that
of the slope also in units of 1 where it is smaller, as a slope read from the output (1 - y^2) has no more than that. An error
below 1024 times the smallest normal number does not count: exp overflows a little before its inverse underflows. Then what
comes out of infinities, NaN and signed zeros.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from tabulate import tabulate

import rnnproof as rp
from rnnproof.equations import activations

KINDS = (np.float64, np.float32)
SPECIAL = (-np.inf, -0.0, 0.0, np.inf, np.nan)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Worst:
    """The largest error in units in the last place, and the argument it is met at."""

    units: float
    at: float


def computed(name: str, x: Array) -> tuple[Array, Array]:
    """The generated module's function of x (n,), and its slope."""
    text = rf"$h_t = \mathrm{{{name}}}(w \odot x_t) + \alpha h_{{t-1}}$, where $\alpha \in \mathbb{{R}}$".replace("_}", "_}")
    cell = rp.read_text(text.replace(name, name.replace("_", r"\_")), name="alone")[0]
    module = rp.build(cell)
    params = {"w": np.ones_like(x), "alpha": np.zeros((), x.dtype)}
    seeds = {"h": np.ones_like(x[None, None])}
    with np.errstate(all="ignore"):
        trace = module.forward(params, x[None, None])
        return trace.states["h"][0, 0], module.backward(trace, seeds).inputs[0, 0]


def arguments(kind: Any) -> Array:
    """A random number of every binade, subnormal ones too, of both signs; kinks and thresholds with their neighbours."""
    limits, rng = np.finfo(kind), np.random.default_rng(7)
    exponents = np.arange(limits.minexp - limits.nmant, limits.maxexp, 1 if kind is np.float32 else 3)
    magnitudes = np.ldexp(rng.uniform(1, 2, exponents.size), exponents).astype(kind)
    dense = np.concatenate([rng.uniform(-120, 120, 600), rng.uniform(-6, 6, 600)]).astype(kind)
    edges = np.array([1, 2.5, 3, 6, 5, 40, 88, 103, 708, 745], kind)
    near = np.concatenate([edges, np.nextafter(edges, kind(0)), np.nextafter(edges, kind(1000))])
    magnitudes = magnitudes[np.isfinite(magnitudes) & (magnitudes > 0)]
    return np.concatenate([magnitudes, -magnitudes, dense, near, -near]).astype(kind)


def exact(name: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The function and its slope in mpmath, from the definition, with enough digits for what cancels."""
    entry = activations.find(name)
    assert entry is not None
    x = activations.X
    definition = entry.definition.replace(activations.named("sigmoid"), lambda argument: 1 / (1 + sp.exp(-argument)))
    decimals = definition.atoms(sp.Float)
    definition = definition.xreplace({number: sp.Rational(str(number)) for number in decimals})
    value, slope = (sp.lambdify(x, one, "mpmath") for one in (definition, sp.diff(definition, x)))
    return value, slope


def worst(ours: Array, x: Array, function: Callable[[Any], Any], floor: float = 0.0) -> Worst:
    """The worst of these numbers beside the function's, in units of the number itself or of `floor` where that is larger."""
    found = Worst(0.0, 0.0)
    limits = np.finfo(ours.dtype)
    for got, at in zip(ours, x, strict=True):
        with mpmath.workdps(_digits(abs(float(at)))):
            right = function(mpmath.mpf(float(at)))
            if abs(right) > mpmath.mpf(float(limits.max)):
                units = 0.0 if np.isinf(got) and np.sign(got) == mpmath.sign(right) else float("inf")
            elif not np.isfinite(got):
                units = float("inf")
            else:
                unit = np.spacing(max(abs(ours.dtype.type(float(right))), limits.tiny, ours.dtype.type(floor)))
                apart = abs(mpmath.mpf(float(got)) - right)
                units = float(apart / mpmath.mpf(float(unit))) if apart > 1024 * float(limits.tiny) else 0.0
        if units > found.units:
            found = Worst(units, float(at))
    return found


def _digits(size: float) -> int:
    """Decimal digits with which `1 + erf(x)`, `1 + exp(-x)` and `exp(x) - 1` keep 40, or are below 1e-350."""
    return 60 + int(min(size * size / 4, 400.0)) * (size < 800) + int(max(-np.log10(size), 0))


def row(name: str, kind: Any) -> list[Any]:
    x = arguments(kind)
    value, slope = exact(name)
    got, bent = computed(name, x)
    special = computed(name, np.array(SPECIAL, kind))
    one, two, three = worst(got, x, value), worst(bent, x, slope), worst(bent, x, slope, 1.0)
    return [
        name,
        np.dtype(kind).name,
        f"{one.units:.3g}",
        f"{one.at:.4g}",
        f"{two.units:.3g}",
        f"{two.at:.4g}",
        f"{three.units:.3g}",
        " ".join(f"{v:g}" for v in special[0]),
        " ".join(f"{v:g}" for v in special[1]),
    ]


HEADERS = ("activation", "dtype", "ulp", "at", "slope: ulp", "at", "ulp of 1", "of -inf -0 0 inf nan", "slopes there")


def main(names: Sequence[str]) -> None:
    rows = [row(name, kind) for name in names or activations.names() for kind in KINDS]
    print(tabulate(rows, headers=HEADERS, disable_numparse=True))


if __name__ == "__main__":
    main(sys.argv[1:])
