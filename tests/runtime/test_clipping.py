"""Clipping: its properties, proved where symbols do and tested where rounding counts; the six semantics on odd gradients."""

from __future__ import annotations

import math
import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rnnproof.runtime import clipping
from rnnproof.runtime.clipping import SEMANTICS, clip, clip_by_global_norm, clip_by_norm, clip_by_value

# proofs


def test_norm_clipping_proved() -> None:
    """With k = c / max(n, c): k > 0, so k g is parallel to g in the same sense; and |k g| = k n is c for n >= c, else n."""
    n, c = sp.symbols("n c", positive=True)
    d = sp.Symbol("d", nonnegative=True)
    above, below = {n: c + d}, {c: n + d}  # n >= c and n <= c, all numbers of either kind
    k = c / sp.Max(n, c)
    assert k.subs(above).is_positive and k.subs(below).is_positive
    assert _resolved((k * n).subs(above), c + d) == c
    assert _resolved((k * n).subs(below), n + d) == n
    g, factor = sp.Matrix(sp.symbols("g1:4", real=True)), sp.Symbol("k", positive=True)
    assert sp.simplify((factor * g).cross(g)) == sp.zeros(3, 1)
    assert sp.expand((factor * g).dot(g) - factor * g.dot(g)) == 0  # positive, as g.g is


def _resolved(expression: Any, largest: Any) -> Any:
    """The expression with its maximum replaced by the one argument that is at least as large as the others."""
    (maximum,) = expression.atoms(sp.Max) or {largest}
    assert maximum == largest or all((largest - argument).is_nonnegative for argument in maximum.args)
    return sp.simplify(expression.subs(maximum, largest))


def test_value_clipping_proved() -> None:
    """Entry by entry: |clip(g)| <= v, the sign is kept, and two entries never move apart (slope 0 or 1)."""
    v, d = sp.Symbol("v", positive=True), sp.Symbol("d", positive=True)
    clipped = lambda g: sp.Max(sp.Min(g, v), -v)  # noqa: E731
    assert clipped(v + d) == v and sp.simplify(clipped(-v - d) + v) == 0
    assert clipped(sp.S.Zero) == 0
    inside = sp.Symbol("s", positive=True) / (1 + sp.Symbol("s", positive=True)) * v  # every number between 0 and v
    assert sp.simplify(clipped(inside) - inside) == 0 and sp.simplify(clipped(-inside) + inside) == 0
    a, b = sp.symbols("a b", positive=True)
    turned = sp.Matrix([clipped(v + a), inside])  # one entry clipped, one not: not parallel to what it was
    assert sp.simplify(sp.Matrix.hstack(turned, sp.Matrix([v + a, inside])).det()).subs({a: b}) != 0


# properties; the norms are computed with n squares and sums: relative error below (n + 4) eps


ENTRIES = st.floats(-1e3, 1e3, allow_subnormal=False)
LIMITS = st.floats(1e-2, 1e2)
GRADIENTS = arrays(np.float64, array_shapes(max_dims=2, max_side=6), elements=ENTRIES)


@given(GRADIENTS, LIMITS)
@settings(max_examples=150, deadline=None)
def test_norm_clipping(g: Any, limit: float) -> None:
    clipped, report = clip_by_norm(g, limit)
    slack = 1 + (g.size + 4) * np.finfo(float).eps
    assert np.linalg.norm(clipped) <= limit * slack and report.norm_after <= limit * slack
    if np.linalg.norm(g) <= limit / slack:
        np.testing.assert_array_equal(clipped, g)
        assert report.share_clipped == 0
    elif np.linalg.norm(g) > limit * slack:
        largest = np.argmax(np.abs(g))
        factor = clipped.flat[largest] / g.flat[largest]
        assert 0 < factor < 1
        np.testing.assert_allclose(clipped, factor * g, rtol=4 * np.finfo(float).eps, atol=np.finfo(float).tiny)
        assert report.cosine == pytest.approx(1, abs=1e-14) and report.share_clipped == np.count_nonzero(g) / g.size


@given(GRADIENTS, LIMITS)
@settings(max_examples=150, deadline=None)
def test_value_clipping(g: Any, limit: float) -> None:
    clipped, report = clip_by_value(g, limit)
    assert np.all(np.abs(clipped) <= limit) and np.all(np.sign(clipped) == np.sign(g))
    # the report does not call a change within the rounding of g c / c clipped (g the float above c, say)
    changed = np.abs(clipped - g) > 2 * np.finfo(float).eps * np.abs(g)
    assert report.share_clipped == np.mean(changed)
    assert report.norm_after <= report.norm_before * (1 + 1e-14)
    assert math.isnan(report.cosine) or report.cosine <= 1 + 1e-14


@given(GRADIENTS, GRADIENTS, LIMITS)
@settings(max_examples=100, deadline=None)
def test_global_norm_clipping(g: Any, h: Any, limit: float) -> None:
    clipped, report = clip_by_global_norm([g, h], limit)
    slack = 1 + (g.size + h.size + 4) * np.finfo(float).eps
    assert np.hypot(np.linalg.norm(clipped[0]), np.linalg.norm(clipped[1])) <= limit * slack
    assert report.norm_before == pytest.approx(np.hypot(np.linalg.norm(g), np.linalg.norm(h)), rel=1e-12)


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_rounding_is_not_reported_as_clipping(semantics: str) -> None:
    """(g c) / c is not g to the last bit; the report says that nothing was clipped."""
    for kind in (np.float32, np.float64):
        g = [np.random.default_rng(seed).normal(size=(7, 5)).astype(kind) for seed in range(3)]
        report = clip(g, clipnorm=23.875, semantics=semantics)[1]
        assert report.share_clipped == 0 and report.cosine == pytest.approx(1, abs=1e-14)
        assert clip(g, clipnorm=0.7 * report.norm_before / 3, semantics=semantics)[1].share_clipped > 0.9


def test_value_clipping_turns_the_direction_and_norm_clipping_does_not() -> None:
    g = np.array([3.0, 0.1])
    assert clip_by_value(g, 0.5)[1].cosine < 0.99
    assert clip_by_norm(g, 0.5)[1].cosine == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("rule", [clip_by_norm, clip_by_value, clip_by_global_norm])
def test_arguments_and_dtypes(rule: Any) -> None:
    g = np.array([3.0, 4.0], np.float32)
    clipped, report = rule(g, 1.0)
    assert clipped.dtype == np.float32 and clipped is not g and g[0] == 3 and report.norm_before == 5
    pair, _ = rule([g, np.zeros((0, 2))], 1.0)
    assert pair[0].dtype == np.float32 and pair[1].shape == (0, 2)
    for limit in (0, -1.0, float("nan"), float("inf"), "1", True):
        with pytest.raises(ValueError, match="limit=.*above 0"):
            rule(g, limit)


# semantics


ODD: dict[str, list[Any]] = {
    "zero": [np.zeros(3), np.zeros(2)],
    "subnormal": [np.full(3, 5e-324), np.zeros(2)],
    "tiny": [np.full(3, 1e-170), np.zeros(2)],
    "plain": [np.array([3.0, -4.0, 12.0]), np.array([0.5, -0.1])],
    "inf": [np.array([np.inf, 1.0, -2.0]), np.array([3.0, 4.0])],
    "nan": [np.array([np.nan, 1.0, -2.0]), np.array([3.0, 4.0])],
}


def _keras(module: Any, option: str, gradients: list[Any]) -> list[Any]:
    """What a framework's optimiser makes of gradients: plain steps of length one from zero, negated."""
    import tensorflow as tf

    variables = [tf.Variable(np.zeros_like(g)) for g in gradients]
    optimizer = module.SGD(learning_rate=1.0, **{option: 1.0})
    optimizer.apply_gradients(zip([tf.constant(g) for g in gradients], variables, strict=True))
    return [-v.numpy() for v in variables]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm", "clipvalue"])
@pytest.mark.parametrize("semantics", ["tf.keras-2.15", "keras-3"])
@pytest.mark.frameworks
def test_keras_generations_on_odd_gradients(semantics: str, option: str, kind: str) -> None:
    import keras
    import tf_keras

    module = tf_keras.optimizers.legacy if semantics == "tf.keras-2.15" else keras.optimizers
    ours, _ = clip(ODD[kind], **{option: 1.0}, semantics=semantics)
    for mine, theirs in zip(ours, _keras(module, option, ODD[kind]), strict=True):
        # their limit is a float32, and their kernels flush subnormal numbers to zero
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=np.finfo(float).tiny)


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.slow
@pytest.mark.frameworks
def test_torch_on_odd_gradients(kind: str) -> None:
    import torch

    tensors = [torch.zeros(g.shape, dtype=torch.float64) for g in ODD[kind]]
    for tensor, g in zip(tensors, ODD[kind], strict=True):
        tensor.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(tensors, 1.0)
    ours, _ = clip(ODD[kind], clipnorm=1.0, semantics="torch")
    for mine, tensor in zip(ours, tensors, strict=True):
        np.testing.assert_allclose(mine, tensor.grad.numpy(), rtol=1e-15)


def test_keras_2_2_4() -> None:
    """n is the norm of all; where n >= c all are scaled; then the values are clipped as well (keras/optimizers.py, 2.2.4)."""
    gradients = ODD["plain"]
    n = math.sqrt(sum(float(np.sum(g**2)) for g in gradients))
    scaled = [g * 2.0 / n for g in gradients]
    for mine, theirs in zip(clip(gradients, clipnorm=2.0)[0], scaled, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-15)
    for mine, theirs in zip(clip(gradients, clipnorm=2.0, clipvalue=0.3)[0], scaled, strict=True):
        np.testing.assert_allclose(mine, np.clip(theirs, -0.3, 0.3), rtol=1e-15)
    for kind in ("zero", "subnormal", "tiny", "nan"):
        for mine, g in zip(clip(ODD[kind], clipnorm=1.0)[0], ODD[kind], strict=True):
            np.testing.assert_array_equal(mine, g)
    first, second = clip(ODD["inf"], clipnorm=1.0)[0]
    np.testing.assert_array_equal(first, [np.nan, 0, -0.0])
    np.testing.assert_array_equal(second, [0, 0])


def test_optax() -> None:
    """Kept where n < c, else (g / n) c (optax.clip_by_global_norm)."""
    g = [np.array([3.0, 4.0])]
    np.testing.assert_array_equal(clip(g, clipnorm=5.0, semantics="optax")[0][0], [3 / 5 * 5, 4 / 5 * 5])
    np.testing.assert_array_equal(clip(g, clipnorm=5.1, semantics="optax")[0][0], g[0])
    assert all(np.isnan(a).all() for a in clip(ODD["nan"], clipnorm=1.0, semantics="optax")[0])


def test_pascanu() -> None:
    """c g / n where n > c; a norm that is not finite or above 1e10 leaves 0.02 W_hh for the recurrent gradient alone."""
    np.testing.assert_array_equal(clip([np.array([3.0, 4.0])], clipnorm=5.0, semantics="pascanu-2013")[0][0], [3, 4])
    W = np.array([1.0, 2.0, -3.0])
    for odd in (ODD["nan"], ODD["inf"], [np.array([1e11, 0, 0]), np.zeros(2)]):
        first, second = clip(odd, clipnorm=1.0, semantics="pascanu-2013", recurrent=(0, W))[0]
        np.testing.assert_array_equal(first, 0.02 * W)
        np.testing.assert_array_equal(second, [0, 0])
        with pytest.raises(ValueError, match="recurrent=.*W_hh"):
            clip(odd, clipnorm=1.0, semantics="pascanu-2013")


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_global_clipnorm_is_one_norm_of_all_gradients(semantics: str) -> None:
    """In every semantics; where clipnorm is that too, it is the same to the last bit."""
    gradients = [np.array([0.3, 0.4]), np.array([3.0, 4.0, 0.0])]
    made = clip(gradients, global_clipnorm=1.0, semantics=semantics)[0]
    norm = math.hypot(0.5, 5.0)
    for mine, g in zip(made, gradients, strict=True):
        np.testing.assert_allclose(mine, g / norm, rtol=1e-6)  # torch's own 1e-6
    if SEMANTICS[semantics].one_norm:
        np.testing.assert_array_equal(
            np.concatenate(made), np.concatenate(clip(gradients, clipnorm=1.0, semantics=semantics)[0])
        )


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_the_semantics_differ(semantics: str) -> None:
    """One pair of gradients tells every two of them apart, or they agree on it by definition."""
    gradients = [np.array([0.3, 0.4]), np.array([3.0, 4.0, 0.0])]
    made = {name: np.concatenate(clip(gradients, clipnorm=1.0, semantics=name)[0]) for name in SEMANTICS}
    each = semantics in ("tf.keras-2.15", "keras-3")
    assert (made[semantics][0] == 0.3) == each
    assert clipping.report(gradients, gradients).share_clipped == 0


@pytest.mark.parametrize("rule", [clip_by_norm, clip_by_global_norm])
@pytest.mark.parametrize(
    ("gradient", "limit", "right"),
    [
        (np.array([3e20, 4e20], np.float32), 1.0, [0.6, 0.8]),  # squares overflow float32
        (np.array([3e200, 4e200]), 1.0, [0.6, 0.8]),  # and float64
        (np.array([3e-30, 4e-30], np.float32), 1e-35, [6e-36, 8e-36]),  # squares underflow
        (np.array([300.0, 400.0], np.float16), 1.0, [0.6, 0.8]),
        (np.array([3, 4]), 1.0, [0.6, 0.8]),
        (np.array([3 + 4j]), 1.0, [0.6 + 0.8j]),
        (np.array([5e-324, 0.0]), 1.0, [5e-324, 0.0]),
        (np.zeros(2), 1.0, [0.0, 0.0]),
    ],
)
def test_norms_at_the_edges(rule: Any, gradient: Any, limit: float, right: list[Any]) -> None:
    """g / m, its norm, the product: four roundings in double precision, then one in the gradient's own."""
    clipped, report = rule(gradient, limit)
    kind = gradient.dtype if gradient.dtype.kind in "fc" else np.dtype(float)
    assert clipped.dtype == kind
    np.testing.assert_allclose(clipped, np.array(right, kind), rtol=float(4 * np.finfo(kind).eps), atol=0)
    assert report.norm_after <= limit * (1 + 4 * np.finfo(kind).eps)


def test_one_huge_array_does_not_wipe_the_others() -> None:
    clipped, _ = clip_by_global_norm([np.array([2e22], np.float32), np.array([1.0, 2.0], np.float32)], 1.0)
    np.testing.assert_allclose(clipped[0], [1.0], rtol=1e-6)
    np.testing.assert_allclose(clipped[1], np.array([1.0, 2.0]) / 2e22, rtol=1e-6)


def test_none_is_passed_through_and_numbers_are_one_vector() -> None:
    clipped, _ = clip_by_global_norm([None, np.array([3.0, 4.0]), None], 1.0)
    assert clipped[0] is None and clipped[2] is None
    np.testing.assert_allclose(clipped[1], [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(clip_by_norm([3.0, 4.0], 1.0)[0], [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(clip_by_value(np.array([3 + 4j, 0.1j]), 1.0)[0], [0.6 + 0.8j, 0.1j], rtol=1e-15)


@pytest.mark.frameworks
def test_half_precision_is_torchs() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    for limit in (0.37, 1.0, 25.0):
        for scale in (1.0, 30.0, 400.0):
            gradients = [(scale * rng.normal(size=shape)).astype(np.float16) for shape in ((3, 4), 5, (2, 1, 3))]
            held = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float16)) for g in gradients]
            for one, g in zip(held, gradients, strict=True):
                one.grad = torch.tensor(g)
            torch.nn.utils.clip_grad_norm_(held, limit)
            clipped, _ = clip(gradients, clipnorm=limit, semantics="torch")
            for one, mine in zip(held, clipped, strict=True):
                np.testing.assert_array_equal(one.grad.numpy(), mine)
