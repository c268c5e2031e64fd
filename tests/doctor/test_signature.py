from functools import cache

import numpy as np
import pytest

from rnnproof.doctor.numerical_gradient import numerical_gradients
from rnnproof.doctor.signature import Observation, signature
from tests.doctor.plain_net import Net

# Planted faults are exact, and are compared with numerical gradients that carry their own bounds: there is nothing to tolerate.
RUNS = ((1, 3), (2, 2), (4, 2), (6, 3), (7, 2))


@cache
def gradients(steps, batch, seed, dtype):
    """The right gradients of a net and the numerical ones."""
    net = Net(steps, batch, seed, dtype=dtype, computes=dtype)
    right = {name: gradient.astype(dtype) for name, gradient in net.gradients().items()}
    return right, numerical_gradients(net.loss, net.arrays)


def observation(steps=4, batch=2, seed=0, plant=lambda g, T, B: {}, dtype=np.float64):
    right, true = gradients(steps, batch, seed, dtype)
    planted = {name: np.asarray(gradient, dtype) for name, gradient in plant(dict(right), steps, batch).items()}
    return Observation(right | planted, true, steps, batch)


def observations(plant, dtype=np.float64):
    return [observation(steps, batch, 10 * steps + batch, plant, dtype) for steps, batch in RUNS]


def clipped_jointly(*names, limit=0.25, added=0.0):
    def plant(g, T, B):
        norm = np.sqrt(sum(np.sum(g[name] ** 2) for name in names))
        return {name: g[name] * min(1.0, limit / (norm + added)) for name in names}

    return plant


def with_rows(change):
    """The change of X along its axis of time, which is moved to the front."""
    return lambda g, T, B: {"X": np.moveaxis(change(np.moveaxis(g["X"], 1, 0).copy()), 0, 1)}


def alone(step):
    def change(x):
        result = np.zeros_like(x)
        result[step] = x[step]
        return result

    return change


def shifted(x):
    return np.concatenate([x[1:], np.zeros_like(x[:1])])


PLANTED = {
    "zero": ("U", "zero", lambda g, T, B: {"U": 0 * g["U"]}),
    "1/T": ("U", "scaled-by-time", lambda g, T, B: {"U": g["U"] / T}),
    "T": ("V", "scaled-by-time", lambda g, T, B: {"V": g["V"] * T}),
    "1/B": ("U", "scaled-by-batch", lambda g, T, B: {"U": g["U"] / B}),
    "B": ("b", "scaled-by-batch", lambda g, T, B: {"b": g["b"] * B}),
    "1/(T B)": ("U", "scaled-by-time", lambda g, T, B: {"U": g["U"] / (T * B)}),
    "2/B": ("U", "scaled-by-batch", lambda g, T, B: {"U": 2 * g["U"] / B}),
    "2": ("V", "wrong-factor", lambda g, T, B: {"V": 2 * g["V"]}),
    "-1": ("X", "wrong-factor", lambda g, T, B: {"X": -g["X"]}),
    "0.37": ("X", "wrong-factor", lambda g, T, B: {"X": 0.37 * g["X"]}),
    "transposed": ("V", "transposed", lambda g, T, B: {"V": g["V"].T}),
    "transposed, half": ("V", "transposed", lambda g, T, B: {"V": g["V"].T / 2}),
    "reshaped": ("U", "transposed", lambda g, T, B: {"U": g["U"].T.reshape(g["U"].shape)}),
    "permuted": ("U", "permuted", lambda g, T, B: {"U": g["U"][:, [0, 2, 1, 3, 4]]}),
    "permuted rows": ("V", "permuted", lambda g, T, B: {"V": g["V"][[1, 2, 3, 4, 0]]}),
    "permuted vector": ("b", "permuted", lambda g, T, B: {"b": g["b"][::-1]}),
    "clipped by value": ("U", "clipped-by-value", lambda g, T, B: {"U": np.clip(g["U"], -0.5, 0.5)}),
    "clipped by an odd value": ("V", "clipped-by-value", lambda g, T, B: {"V": np.clip(g["V"], -0.2377, 0.2377)}),
    "clipped alone": ("U", "clipped-by-norm", clipped_jointly("U")),
    "clipped in two": ("U", "clipped-by-norm", clipped_jointly("U", "b")),
    "clipped in all": ("X", "clipped-by-norm", clipped_jointly("U", "V", "b", "X", limit=1.0)),
    "clipped at times": ("U", "clipped-by-norm", clipped_jointly("U", "V", "b", limit=6.0)),
    "clipped as torch does": ("V", "clipped-by-norm", clipped_jointly("U", "V", "b", added=1e-6)),
    "clipped by an odd norm": ("U", "clipped-by-norm", clipped_jointly("U", "V", limit=0.7312345)),
    "reversed": ("X", "reversed-in-time", with_rows(lambda x: x[::-1])),
    "wrapped": ("X", "wrapped-in-time", with_rows(lambda x: np.roll(x, 1, axis=0))),
    "wrapped back": ("X", "wrapped-in-time", with_rows(lambda x: np.roll(x, -1, axis=0))),
    "shifted": ("X", "shifted-in-time", with_rows(shifted)),
    "shifted back": ("X", "shifted-in-time", with_rows(lambda x: shifted(x[::-1])[::-1])),
    "last step": ("X", "last-step-only", with_rows(alone(-1))),
    "first step": ("X", "first-step-only", with_rows(alone(0))),
    "not finite": ("X", "not-finite", lambda g, T, B: {"X": g["X"] / np.float64(np.inf) + np.nan}),
}


@pytest.mark.parametrize("fault", PLANTED)
@pytest.mark.parametrize("precision", ["f8", "f4"])
def test_planted_faults_are_named(fault, precision):
    name, kind, plant = PLANTED[fault]
    dtype = np.dtype(precision).type
    runs = observations(plant, dtype)
    answer = signature(name, runs)
    if precision == "f8":
        assert answer is not None and answer.name == kind, answer
        assert name in answer.says
    else:  # bounds are 1e-4 and larger: a name may be missing, and must not be a wrong one
        assert answer is None or answer.name == kind, answer
    untouched = [
        other for other in ("U", "V", "b", "X") if not any(run.true[other].differs(run.claimed[other]).any() for run in runs)
    ]
    assert name not in untouched and all(signature(other, runs) is None for other in untouched)


# At one point alone: what has no free number and what is clipped by a round one.
@pytest.mark.parametrize(
    "fault", [fault for fault in PLANTED if fault not in ("clipped at times", "clipped by an odd norm", "2/B")]
)
def test_at_one_point(fault):
    name, kind, plant = PLANTED[fault]
    answer = signature(name, observation(7, 4, 3, plant))
    assert answer is not None and answer.name == kind, answer


def test_factors_are_told():
    answer = signature("U", observations(lambda g, T, B: {"U": g["U"] / T}))
    assert answer.factor == pytest.approx(1 / 2, abs=1e-9) and "1/T at T = 2" in answer.says
    answer = signature("U", observations(lambda g, T, B: {"U": g["U"] / (T * B)}))
    assert "1/(T B)" in answer.says
    answer = signature("U", observation(5, 3, 0, clipped_jointly("U", "b")))
    assert "U, b jointly" in answer.says and "0.25 where the right norm is" in answer.says
    answer = signature("U", observation(5, 3, 0, lambda g, T, B: {"U": np.clip(g["U"], -0.5, 0.5)}))
    assert "+-0.5" in answer.says


def test_what_cannot_be_told_apart_is_not_named_as_one_of_them():
    half = signature("U", observation(2, 3, 0, lambda g, T, B: {"U": g["U"] / 2}))
    assert half.name == "wrong-factor" and "1/T or 0.5" in half.says
    both = signature("U", observation(4, 4, 0, lambda g, T, B: {"U": g["U"] / 4}))
    assert both.name == "wrong-factor" and "1/T or 1/B" in both.says
    # With two steps a reversal is a rotation.
    assert signature("X", observation(2, 3, 0, with_rows(lambda x: x[::-1]))).name == "permuted"


def test_a_name_must_explain_every_run():
    right = observation(1, 3, 5)
    halved = observation(4, 3, 0, lambda g, T, B: {"U": g["U"] / 2})
    assert signature("U", halved).name == "wrong-factor"
    assert signature("U", [halved, right]) is None  # right at T = 1, and a factor of 1/2 would not be
    clipped = observation(4, 3, 0, clipped_jointly("U"))
    assert signature("U", clipped).name == "clipped-by-norm"
    assert signature("U", [clipped, observation(4, 3, 1)]) is None  # its right norm is beyond the limit
    by_value = observation(4, 3, 0, lambda g, T, B: {"U": np.clip(g["U"], -0.5, 0.5)})
    assert signature("U", [by_value, observation(4, 3, 1)]) is None


@pytest.mark.parametrize(
    "fault",
    [
        lambda g, T, B: {"V": g["V"] + 0.01 * g["V"].T},
        lambda g, T, B: {"V": g["V"] * np.linspace(0.5, 1, 5)},
        lambda g, T, B: {"V": np.where(np.eye(5) > 0, 0, g["V"])},
        lambda g, T, B: {"V": g["V"] * (1 + 1e-5 * np.arange(5))},
        lambda g, T, B: {"V": np.random.default_rng(T).normal(size=(5, 5))},
        lambda g, T, B: {"V": g["V"] + 1e-6},
    ],
)
def test_other_faults_have_no_name(fault):
    runs = observations(fault)
    assert signature("V", runs) is None
    assert all(signature("V", run) is None for run in runs)


def test_right_gradients_have_no_signature():
    for run in observations(lambda g, T, B: {}):
        assert all(signature(name, run) is None for name in run.claimed)
    assert signature("U", Observation({"U": None}, run.true)) is None


class Twins:
    """Two vectors of gates of the same shape, and the right gradients of both."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.arrays = {name: rng.normal(size=shape) for name, shape in (("bf", (12,)), ("bi", (12, 1)), ("W", (3, 12)))}

    def loss(self):
        return float(np.sum(np.sin(self.arrays["bf"]) + np.exp(self.arrays["bi"][:, 0])) + np.sum(self.arrays["W"] ** 3))

    def observation(self, plant):
        right = {"bf": np.cos(self.arrays["bf"]), "bi": np.exp(self.arrays["bi"]), "W": 3 * self.arrays["W"] ** 2}
        return Observation(right | plant(right), numerical_gradients(self.loss, self.arrays))


def test_the_gradient_of_another_array():
    runs = [Twins(seed).observation(lambda g: {"bi": g["bf"][:, None]}) for seed in range(2)]
    answer = signature("bi", runs)
    assert answer.name == "gradient-of-another-array" and answer.says == "the gradient of bi is the right gradient of bf"
    assert signature("bf", runs) is None


def test_a_copy_of_what_is_wrong_itself():
    """bi copies bf, which is right in the first run and wrong in the second."""
    runs = [
        Twins(0).observation(lambda g: {"bi": g["bf"][:, None]}),
        Twins(1).observation(lambda g: {"bf": g["bf"] ** 2, "bi": g["bf"][:, None] ** 2}),
    ]
    assert signature("bi", runs).name == "copy-of-another-gradient"
    assert signature("bf", runs) is None


def test_blocks_of_packed_gates():
    plant = lambda g: {"W": np.concatenate(np.split(g["W"], 4, axis=1)[::-1], axis=1), "bf": np.roll(g["bf"], 4)}  # noqa: E731
    runs = [Twins(seed).observation(plant) for seed in range(2)]
    assert signature("W", runs).says.endswith("its 4 blocks along axis 1 in the order [3, 2, 1, 0]")
    assert signature("bf", runs).says.endswith("its 3 blocks along axis 0 in the order [2, 0, 1]")


def test_a_sample_of_entries_is_enough_for_what_it_shows():
    wide = Net(3, 2, 0)
    rng = np.random.default_rng(1)
    wide.arrays |= {"U": rng.normal(size=(3, 31)) * 0.3, "V": rng.normal(size=(31, 31)) * 0.3, "b": rng.normal(size=31)}
    wide.seeds = rng.normal(size=(2, 3, 31))
    true, right = numerical_gradients(wide.loss, wide.arrays, evaluations=4000), wide.gradients()
    assert not true["V"].complete
    for planted, kind in ((right["V"].T, "transposed"), (right["V"] / 3, "scaled-by-time"), (0 * right["V"], "zero")):
        run = Observation(right | {"V": planted}, true, 3, 2)
        assert signature("V", run).name == kind
        assert signature("U", run) is None


def test_an_axis_is_not_time_by_its_length_in_one_run():
    """The net has five units, and this run five steps."""
    assert signature("b", observation(5, 2, 0, lambda g, T, B: {"b": g["b"][::-1]})).name == "permuted"
    run = observation(5, 2, 0, with_rows(lambda x: x[::-1]))
    assert signature("X", run).name == "reversed-in-time"
    odd = signature("U", observation(5, 2, 0, clipped_jointly("U", "V", limit=0.7312345)))
    assert odd.name == "wrong-factor" and "one run does not tell a constant from clipping" in odd.says
