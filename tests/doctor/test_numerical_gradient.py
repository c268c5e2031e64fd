import numpy as np
import pytest

from rnnproof.doctor.numerical_gradient import noise, numerical_gradient, numerical_gradients
from rnnproof.errors import UsageError
from tests.doctor.plain_net import Net

# Extrapolated differences of a smooth float64 loss: noise is 4.1 * 1e-16 |loss| / 0.01 = 4e-14 |loss| per standard deviation,
# the loss being some times larger than small gradients; truncation is 1e-11 of the largest entry where weights are large.
SMOOTH = 1e-10


@pytest.mark.parametrize("scale", [0.02, 0.7, 2.0])
@pytest.mark.parametrize("activation", ["tanh", "relu", "hard_sigmoid"])
@pytest.mark.parametrize(("dtype", "computes"), [("f8", "f8"), ("f8", "f4"), ("f4", "f4"), ("f4", "f8")])
def test_the_bound_bounds_the_error(dtype, computes, activation, scale):
    for seed in range(2):
        net = Net(3, 2, seed, activation, scale, np.dtype(dtype).type, np.dtype(computes).type)
        computed, right = numerical_gradients(net.loss, net.arrays), net.gradients()
        for name, gradient in computed.items():
            assert gradient.complete and not gradient.kinks.any()
            assert not gradient.differs(right[name]).any()
            if computes == "f8":
                assert np.abs(gradient.values - right[name]).max() < SMOOTH * np.abs(right[name]).max()


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("part", [1e-3, 1e-2])
def test_a_wrong_entry_is_seen(dtype, part):
    """Float32 bounds are about 1e-4 of the largest entry here: 49 * 6e-8 * |loss| / 0.25, and what confirms it."""
    net = Net(3, 2, 1, dtype=np.dtype(dtype).type, computes=np.dtype(dtype).type)
    computed, claimed = numerical_gradients(net.loss, net.arrays), net.gradients()
    for name, gradient in computed.items():
        index = np.unravel_index(np.argmax(np.abs(claimed[name])), claimed[name].shape)
        claimed[name][index] *= 1 + part * (1 if dtype == "f4" else 1e-6)
        assert np.argwhere(gradient.differs(claimed[name])).tolist() == [list(index)]


def test_infinite_and_missing_numbers_are_wrong():
    net = Net(2)
    gradient, claimed = numerical_gradient(net.loss, net.arrays["b"]), net.gradients()["b"]
    claimed[1], claimed[3] = np.nan, np.inf
    assert gradient.differs(claimed).tolist() == [False, True, False, True, False]


def test_kinks_are_told_apart():
    """At 0, nearer to it than noise can tell, in reach of the first step, and far away."""
    x = np.array([0.0, 1e-15, 3e-4, 0.7, -0.6, 0.0])
    gradient = numerical_gradient(lambda: float(np.sum(np.maximum(x[:5], 0.2 * x[:5])) + np.sin(x[5]) + np.abs(x[5])), x)
    assert gradient.kinks.tolist() == [True, True, False, False, False, True]
    assert gradient.entries.tolist() == [False, False, True, True, True, False]
    assert np.allclose(gradient.values[2:5], [1, 1, 0.2], rtol=0, atol=1e-9)
    assert np.isnan(gradient.values[gradient.kinks]).all() and np.isinf(gradient.tolerance[gradient.kinks]).all()
    assert not gradient.differs(np.array([0.2, 7.0, 1, 1, 0.2, 0])).any()


def test_curvature_makes_steps_smaller():
    x = np.array([0.3, 1.1, 0.9])
    gradient = numerical_gradient(lambda: float(np.sum(np.sin(300 * x))), x)
    error = np.abs(gradient.values - 300 * np.cos(300 * x))
    assert (error <= gradient.tolerance).all() and gradient.tolerance.max() < 1e-6


def test_a_domain_that_ends_near_the_point():
    x = np.array([1e-4, 0.5, 2.0])
    gradient = numerical_gradient(lambda: float(np.sum(np.log(x))), x)
    assert gradient.complete and (np.abs(gradient.values - 1 / x) <= gradient.tolerance).all()


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_arrays_are_restored_also_when_the_loss_raises(dtype):
    x = np.array([-0.0, 1.1, np.pi], dtype)
    before, calls = x.tobytes(), []

    def loss():
        calls.append(None)
        if len(calls) == 60:
            raise ArithmeticError("planted")
        return float(np.sum(np.sin(x)))

    with pytest.raises(ArithmeticError, match="planted"):
        for _ in range(60):
            numerical_gradient(loss, x)
    assert x.tobytes() == before
    numerical_gradient(loss, x)
    assert x.tobytes() == before


def test_any_memory_layout_and_shape():
    base = np.random.default_rng(0).normal(size=(4, 6))
    for array in (base.T, base[::2, ::-3], np.asfortranarray(base), np.array(0.7), base[:, 2:3], np.zeros((3, 0))):
        gradient = numerical_gradient(lambda array=array: float(np.sum(np.sin(array))), array)
        assert np.allclose(gradient.values, np.cos(array), rtol=0, atol=1e-11)


def test_a_large_array_is_sampled_within_the_evaluations():
    big, small, calls = np.random.default_rng(0).normal(size=(300, 70, 5)), np.ones((2, 3)), []

    def loss():
        calls.append(None)
        return float(np.vdot(big[::50, ::30], big[::50, ::30]) + np.sum(small**3))

    computed = numerical_gradients(loss, {"big": big, "small": small}, evaluations=1500, seed=3)
    assert len(calls) < 1600
    assert computed["small"].complete and not computed["big"].complete
    index = np.argwhere(computed["big"].entries)
    assert len(index) >= 100 and len(set(index[:, 0] // 30)) == 10
    assert np.isnan(computed["big"].values[~computed["big"].entries]).all()
    again = numerical_gradients(loss, {"big": big, "small": small}, evaluations=1500, seed=3)
    assert np.array_equal(again["big"].entries, computed["big"].entries)
    assert numerical_gradient(loss, big, evaluations=0).entries.sum() == 20


@pytest.mark.parametrize(("dtype", "computes"), [("f8", "f8"), ("f8", "f4"), ("f4", "f4"), ("f4", "f8")])
def test_noise_is_that_of_the_computation(dtype, computes):
    for seed in range(4):
        net = Net(6, 3, seed, dtype=np.dtype(dtype).type, computes=np.dtype(computes).type)
        level = noise(net.loss, net.arrays, seed)
        unit = np.finfo(computes).eps / 2
        assert level.dtype == np.dtype(computes).name
        assert unit / 4 < level.relative < 20 * unit


def test_noise_of_a_last_rounding_and_of_none():
    net = Net()
    assert noise(lambda: float(np.float32(net.loss())), net.arrays).dtype == "float32"
    assert noise(lambda: float(np.float16(net.loss())), net.arrays).dtype == "float16"
    assert noise(lambda: 3.0, net.arrays).dtype == "float64"
    assert noise(lambda: 0.0, net.arrays).relative == 0


@pytest.mark.parametrize("answer", [np.zeros(2), None, "3", 1j, {}])
def test_a_loss_that_is_no_number(answer):
    with pytest.raises(UsageError, match="single real number"):
        numerical_gradient(lambda: answer, np.ones(3))


def test_a_loss_that_is_not_finite_and_an_array_that_is_read_only():
    x = np.ones(3)
    with pytest.raises(UsageError, match="finite"):
        numerical_gradient(lambda: float("nan"), x)
    x.flags.writeable = False
    with pytest.raises(UsageError, match="read-only"):
        numerical_gradient(lambda: 1.0, x)


@pytest.mark.parametrize("number", [np.float32(2), np.array(2.0), np.array([[2.0]]), 2])
def test_numbers_of_other_types(number):
    x = np.ones(3)
    assert not numerical_gradient(lambda: number, x).values.any()
