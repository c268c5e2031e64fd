"""Section 3.1, the cure: what clipnorm and clipvalue do to gradients, in each of the meanings the words have had."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rnnproof.cells import simple_rnn
from rnnproof.pages.message import Text, say
from rnnproof.runtime import clipping
from rnnproof.study.claims.claim import MEASUREMENT, Case, Rows
from rnnproof.study.claims.probes import Array, counted, rng
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
LIMIT = 1.0
EPS = float(np.finfo(float).eps)


def gradients() -> list[Array]:
    """An LSTM's kernel, recurrent kernel and bias: 2-norms 3, 1/2 and 1/50."""
    source = rng()
    arrays = [source.normal(size=shape) for shape in ((4, 20), (5, 20), (20,))]
    return [size * array / np.linalg.norm(array) for size, array in zip((3.0, 0.5, 0.02), arrays, strict=True)]


def recurrent(radius: float, steps: int, start: float) -> dict[str, Array]:
    """Gradients of a SimpleRNN near h = 0, whose recurrent matrix turns and multiplies by `radius`: those of R and b."""
    source = rng(3)
    turn = np.linalg.qr(source.normal(size=(5, 5)))[0]
    params = {"W": source.normal(size=(5, 4)), "R": radius * turn, "b": np.zeros(5)}
    trace = simple_rnn.forward(params, np.zeros((steps, 3, 4)), {"h": start * source.normal(size=(3, 5))})
    seed = np.zeros((steps, 3, 5))
    seed[-1] = source.normal(size=(3, 5))
    return simple_rnn.backward(trace, {"h": seed}).params


def clipped(semantics: str, arrays: list[Array], **options: float) -> list[Array]:
    """The arrays as that semantics clips them."""
    return clipping.clip(arrays, semantics=semantics, **options)[0]  # type: ignore[arg-type]  # the options are limits alone


def norms(arrays: list[Array]) -> list[float]:
    """The norm of each array, as the lecture prints it: the root of the sum of all squared entries."""
    return [float(np.sqrt(np.sum(array**2))) for array in arrays]


def cosine(before: list[Array], after: list[Array]) -> float:
    """The cosine of the angle between two lists of arrays, each taken as one vector."""
    old, new = (np.concatenate([array.ravel() for array in arrays]) for arrays in (before, after))
    return float(old @ new / np.linalg.norm(old) / np.linalg.norm(new))


def semantics(option: str) -> list[str]:
    """The semantics that have an option."""
    return [name for name, rule in clipping.SEMANTICS.items() if option in rule.options]


def each(option: str, test: Callable[[str], tuple[bool, Text]]) -> list[Case]:
    """A case for each semantics that has the option."""
    return [Case(f"`{name}`", *test(name)) for name in semantics(option)]


@ROWS.add(
    "clipping-only-large",
    "3.1",
    say("Only gradients that are too large are limited; the others stay as they are."),
    MEASUREMENT,
)
def clipping_only_large(_: Sources) -> list[Case]:
    """Gradients whose norm, all arrays together, is below the limit; the exploded gradient of a SimpleRNN beside them."""
    small = [array / 10 for array in gradients()]
    exploded = [recurrent(1.5, 50, 1e-12)["b"]]

    def test(name: str) -> tuple[bool, Text]:
        kept = clipped(name, small, clipnorm=LIMIT)
        same = all(np.array_equal(old, new) for old, new in zip(small, kept, strict=True))
        before, after = norms(exploded), norms(clipped(name, exploded, clipnorm=LIMIT))
        figure = say(
            "small ones kept: {kept}; {before:.1e} becomes {after:.2g}", kept=_said(same), before=before[0], after=after[0]
        )
        return same and after[0] <= LIMIT * (1 + 8 * EPS) < before[0], figure

    return each("clipnorm", test)


def _said(flag: bool) -> Text:
    return say("yes") if flag else say("no")


@ROWS.add(
    "small-limit-always-small",
    "3.1",
    say("With too small a limit, the gradients are small all the time."),
    MEASUREMENT,
)
def small_limit_always_small(_: Sources) -> list[Case]:
    """Gradients of SimpleRNNs up to exploding, over two decades at least, limited to 0.001: norms before and after."""
    limit = 1e-3
    batches = [list(seen.values()) for seen in (recurrent(radius, 40, 1e-3) for radius in np.linspace(0.5, 1.5, 21))]
    before = [math.hypot(*norms(arrays)) for arrays in batches]

    def test(name: str) -> tuple[bool, Text]:
        after = [math.hypot(*norms(clipped(name, arrays, clipnorm=limit))) for arrays in batches]
        figure = say(
            "norms from {low:.2g} to {high:.2g}; limited to {limit:g}, from {least:.2g} to {most:.2g}",
            low=min(before),
            high=max(before),
            limit=limit,
            least=min(after),
            most=max(after),
        )
        # by its own norm, each of the arrays may be as long as the limit
        small = max(after) <= limit * math.sqrt(len(batches[0])) * (1 + 8 * EPS)
        return small and max(before) > 100 * min(before), figure

    return each("clipnorm", test)


ROWS.measured(
    "small-limit-slow",
    "3.1",
    say("Too small a limit slows learning down."),
    "clipping.slow",
    "clipping.slow-adaptive",
)


@ROWS.add("clipnorm-limits", "3.1", say("`clipnorm` is the largest 2-norm a gradient may have."), MEASUREMENT)
def clipnorm_limits(_: Sources) -> list[Case]:
    """The norm of every array afterwards, before it 3, 1/2 and 1/50."""

    def test(name: str) -> tuple[bool, Text]:
        after = norms(clipped(name, gradients(), clipnorm=LIMIT))
        shown = ", ".join(f"{norm:.4g}" for norm in after)
        return max(after) <= LIMIT * (1 + 8 * EPS), say("norms afterwards {norms}", norms=shown)

    return each("clipnorm", test)


@ROWS.add(
    "clipnorm-per-array",
    "3.1",
    say("The norm that `clipnorm` limits is that of each vector and of each matrix by itself."),
    MEASUREMENT,
)
def clipnorm_per_array(_: Sources) -> list[Case]:
    """Two of three arrays are shorter than the limit by themselves: limited by itself, an array of these stays as it is."""
    unclipped = gradients()

    def test(name: str) -> tuple[bool, Text]:
        after = clipped(name, unclipped, clipnorm=LIMIT)
        kept = all(np.array_equal(old, new) for old, new in zip(unclipped[1:], after[1:], strict=True))
        return kept, say("an array of norm {before:.2g} has {after:.2g} afterwards", before=0.5, after=norms(after)[1])

    return each("clipnorm", test)


@ROWS.add("clipvalue-limits", "3.1", say("`clipvalue` limits the absolute value of each element of the gradient."), MEASUREMENT)
def clipvalue_limits(_: Sources) -> list[Case]:
    """No entry is above the limit afterwards, those above it are at it with their sign, and all others are as before."""
    unclipped, limit = gradients(), 0.1

    def test(name: str) -> tuple[bool, Text]:
        old, new = (
            np.concatenate([a.ravel() for a in arrays]) for arrays in (unclipped, clipped(name, unclipped, clipvalue=limit))
        )
        over = np.abs(old) > limit
        right = bool(
            over.any() and np.array_equal(new[~over], old[~over]) and np.array_equal(new[over], limit * np.sign(old[over]))
        )
        figure = say(
            "{over} of {all} entries are over {limit:g}; largest afterwards {largest:g}",
            over=int(over.sum()),
            all=over.size,
            limit=limit,
            largest=float(np.abs(new).max()),
        )
        return right, figure

    return each("clipvalue", test)


@ROWS.add("clipnorm-direction", "3.1", say("`clipnorm` does not change the gradient's direction."), MEASUREMENT)
def clipnorm_direction(_: Sources) -> list[Case]:
    """The cosine between before and after: of each array, and of the step as a whole, which is all arrays together."""
    unclipped, cases = gradients(), []
    for name in semantics("clipnorm"):
        after = clipped(name, unclipped, clipnorm=LIMIT)
        own = min(cosine([old], [new]) for old, new in zip(unclipped, after, strict=True))
        for says, value in (
            (say("{semantics}: each array", semantics=f"`{name}`"), own),
            (say("{semantics}: all arrays together", semantics=f"`{name}`"), cosine(unclipped, after)),
        ):
            cases.append(Case(says, value > 1 - 100 * EPS, say("least cosine {cosine:.4f}", cosine=value)))
    return cases


@ROWS.add("clipvalue-direction", "3.1", say("`clipvalue` changes the gradient's direction."), MEASUREMENT)
def clipvalue_direction(_: Sources) -> list[Case]:
    """The same cosine, where some entries are over the limit, and where all are by the same factor."""
    unclipped = gradients()
    samples = (
        (say("some entries over the limit"), unclipped),
        (say("all entries over the limit, equal in size"), [np.sign(array) for array in unclipped]),
    )
    cases = []
    for says, arrays in samples:
        seen = cosine(arrays, clipped("keras-2.2.4", arrays, clipvalue=0.1))
        cases.append(Case(says, seen < 1 - 100 * EPS, say("least cosine {cosine:.4f}", cosine=seen)))
    return cases


ROWS.measured(
    "direction-in-training",
    "3.1",
    say("In training, clipping by norm keeps the direction and clipping by value does not."),
    "clipping.direction",
)
ROWS.measured(
    "clipping-alike",
    "3.1",
    say("In experience, `clipnorm` and `clipvalue` behave much alike."),
    "clipping.alike",
)


@ROWS.add("norm-vector", "3.1", say("The 2-norm of a vector is the root of the sum of its squared entries."), MEASUREMENT)
def norm_vector(_: Sources) -> list[Case]:
    """The printed sum beside NumPy's norm, for random vectors."""
    source = rng()
    vectors = [source.normal(size=size) for size in (1, 2, 5, 20, 300)]
    equal = [_same(math.sqrt(sum(entry**2 for entry in v)), float(np.linalg.norm(v, 2)), v.size) for v in vectors]
    return [counted(say("equals NumPy's 2-norm, for random vectors of 1 to 300 entries"), equal, say("sizes"))]


def _same(printed: float, known: float, entries: int) -> bool:
    """Whether two norms are the same up to the rounding of a sum of so many squares."""
    return abs(printed - known) <= 4 * entries * EPS * known


@ROWS.add(
    "norm-matrix", "3.1", say("The Frobenius norm of a matrix is the root of the sum over rows and columns."), MEASUREMENT
)
def norm_matrix(_: Sources) -> list[Case]:
    """The printed double sum beside NumPy's Frobenius norm and the root of the sum of the squared singular values."""
    source = rng()
    matrices = [source.normal(size=shape) for shape in ((1, 1), (1, 7), (7, 1), (2, 3), (5, 4), (20, 30))]
    printed = [math.sqrt(sum(A[i, j] ** 2 for i in range(A.shape[0]) for j in range(A.shape[1]))) for A in matrices]
    known = [float(np.linalg.norm(A, "fro")) for A in matrices]
    singular = [float(np.sqrt(np.sum(np.linalg.svd(A, compute_uv=False) ** 2))) for A in matrices]
    sizes = [A.size for A in matrices]
    return [
        counted(say("equals NumPy's Frobenius norm, for random matrices"), map(_same, printed, known, sizes), say("sizes")),
        counted(
            say("equals the root of the sum of the squared singular values"),
            map(_same, printed, singular, sizes),
            say("sizes"),
        ),
    ]


@ROWS.add("norm-notation", "3.1", say("{norm} of a matrix means its Frobenius norm.", norm=r"$\lVert A \rVert_2$"), MEASUREMENT)
def norm_notation(_: Sources) -> list[Case]:
    """For a vector they are one; of a matrix, the notation usually means the largest factor by which it lengthens a vector."""
    A, v = rng().normal(size=(5, 7)), rng().normal(size=(6, 1))
    cases = []
    for says, array in ((say("a matrix with one column"), v), (say("a matrix of full rank"), A)):
        usual, root = float(np.linalg.norm(array, 2)), float(np.sqrt(np.sum(array**2)))
        figure = say("largest singular value {usual:.3f}, Frobenius norm {root:.3f}", usual=usual, root=root)
        cases.append(Case(says, abs(usual - root) <= 100 * EPS * root, figure))
    return cases


@ROWS.add("clipping-not-vanishing", "3.2", say("Clipping does not help against vanishing gradients."), MEASUREMENT)
def clipping_not_vanishing(_: Sources) -> list[Case]:
    """The vanished gradient of a SimpleRNN comes out as it went in."""
    vanished = [recurrent(0.5, 60, 1e-3)["R"]]

    def test(name: str) -> tuple[bool, Text]:
        before, after = norms(vanished), norms(clipped(name, vanished, clipnorm=LIMIT))
        return after == before, say("norm {before:.1e} before, {after:.1e} after", before=before[0], after=after[0])

    return each("clipnorm", test)
