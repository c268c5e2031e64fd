import random

import numpy as np
import pytest

from rnnproof.doctor.behaviour import behaviour
from rnnproof.errors import UsageError
from tests.doctor.plain_net import Net


def names(answer):
    return [(fault.name, fault.array) for fault in answer.faults]


def test_a_function_has_no_fault_and_nothing_is_changed():
    net = Net()
    before = {name: array.tobytes() for name, array in net.arrays.items()}
    states = np.random.get_state()[1].tolist(), random.getstate()
    answer = behaviour(net.loss, net.arrays, net.gradients)
    assert answer.ok and answer.repeatable and "functions" in answer.says
    assert answer.depends == dict.fromkeys(net.arrays, True)
    assert {name: array.tobytes() for name, array in net.arrays.items()} == before
    assert (np.random.get_state()[1].tolist(), random.getstate()) == states
    assert behaviour(net.loss, net.arrays, net.gradients()).ok


def test_arrays_without_influence_are_said_and_no_fault():
    net = Net(steps=1)
    unread = np.ones(3)
    answer = behaviour(net.loss, net.arrays | {"unread": unread}, net.gradients)
    assert answer.ok and answer.depends == {"U": True, "V": False, "b": True, "X": True, "unread": False}


@pytest.mark.parametrize("source", ["numpy's global generator", "Python's random module", "the generator rng"])
def test_random_losses(source):
    net, rng = Net(), np.random.default_rng(0)
    draws = {"numpy's global generator": np.random.rand, "Python's random module": random.random, "the generator rng": None}
    draw = draws[source] or (lambda: rng.random())
    answer = behaviour(lambda: net.loss() * (1 + draw()), net.arrays, net.gradients)
    assert names(answer) == [("random-loss", None)] and source in answer.says and not answer.repeatable
    assert not answer.depends


def test_a_generator_behind_a_method_and_one_that_is_hidden():
    net, draw, hidden = Net(), np.random.default_rng(0).random, iter(np.random.default_rng(0).normal(size=100))
    answer = behaviour(lambda: net.loss() * (1 + draw()), net.arrays, net.gradients)
    assert names(answer) == [("random-loss", None)] and "the generator draw" in answer.says
    answer = behaviour(lambda: net.loss() * next(hidden), net.arrays, net.gradients)
    assert names(answer) == [("unrepeatable-loss", None)] and "random or keeps a state" in answer.says


def test_a_state_kept_between_calls_is_named():
    net, memory = Net(), {"h": np.zeros(5)}

    def loss():
        memory["h"] = np.tanh(memory["h"] + net.arrays["b"])
        return float(net.loss() + memory["h"].sum())

    answer = behaviour(loss, net.arrays, net.gradients)
    assert names(answer) == [("stateful-loss", None)] and "memory['h'] changed" in answer.says


def test_a_first_call_that_differs():
    net, calls = Net(), []

    def loss():
        calls.append(None)
        return net.loss() + (len(calls) == 1)

    answer = behaviour(loss, net.arrays, net.gradients)
    assert names(answer) == [("stateful-loss", None)] and "first call" in answer.says


def test_last_places_are_no_state():
    net, calls = Net(), []

    def loss():
        calls.append(None)
        return np.nextafter(net.loss(), 9.0 if len(calls) % 2 else -9.0)

    answer = behaviour(loss, net.arrays, net.gradients)
    assert answer.ok and answer.repeatable


def test_arguments_that_are_changed():
    net = Net()

    def loss():
        net.arrays["V"][2, 3] *= 1.5
        return net.loss()

    def claimed():
        net.arrays["b"] -= 0.1
        return net.gradients()

    before = net.arrays["V"][2, 3]
    answer = behaviour(loss, net.arrays, claimed)
    assert names(answer) == [("loss-changes-array", "V"), ("claimed-changes-array", "b")]
    assert "V[2, 3]" in answer.says and f"{before:.10g}" in answer.says and f"{before * 1.5:.10g}" in answer.says
    assert net.arrays["V"][2, 3] == before


def test_a_signed_zero_that_is_changed():
    net = Net()
    net.arrays["b"][1] = -0.0

    def loss():
        net.arrays["b"][...] += 0.0
        return net.loss()

    assert names(behaviour(loss, net.arrays, net.gradients)) == [("loss-changes-array", "b")]


def test_gradients_in_the_memory_of_others():
    net = Net()
    whole = np.zeros(20)

    def claimed():
        return net.gradients() | {"X": net.arrays["X"], "b": whole[:5], "V": whole[3:]}

    assert names(behaviour(net.loss, net.arrays, claimed)) == [("gradient-shares-memory", "X"), ("gradient-shares-memory", "V")]
    answer = behaviour(net.loss, net.arrays, {"X": net.arrays["X"]})
    assert names(answer) == [("gradient-shares-memory", "X")] and "array X" in answer.says


@pytest.mark.parametrize("start", [0.0, 3.0])
def test_gradients_that_accumulate_over_calls(start):
    net = Net()
    buffer = np.full(5, start)

    def claimed():
        gradients = net.gradients()
        buffer[...] += gradients["b"]
        return gradients | {"b": buffer}

    answer = behaviour(net.loss, net.arrays, claimed)
    assert names(answer) == [("gradients-accumulate", "b")] and "set it to zero" in answer.says


def test_random_gradients_and_a_state_that_claimed_changes():
    net, shift, rng = Net(), [0.0], np.random.default_rng(1)

    def claimed():
        shift[0] += 0.5
        gradients = net.gradients()
        return gradients | {"U": gradients["U"] * (rng.random(gradients["U"].shape) < 0.5)}

    answer = behaviour(lambda: net.loss() + shift[0], net.arrays, claimed)
    assert names(answer) == [("claimed-changes-loss", None), ("claimed-not-repeatable", "U")]


def test_missing_gradients_and_wrong_answers():
    net = Net()
    assert behaviour(net.loss, net.arrays, lambda: {"b": None, "U": net.gradients()["U"]}).ok
    with pytest.raises(UsageError, match="claimed returned list"):
        behaviour(net.loss, net.arrays, lambda: [1])
    with pytest.raises(UsageError, match="single real number"):
        behaviour(lambda: None, net.arrays, {})


def test_arrays_are_restored_when_claimed_raises():
    net = Net()
    before = net.arrays["b"].tobytes()

    def claimed():
        net.arrays["b"] *= 2
        raise ArithmeticError("planted")

    with pytest.raises(ArithmeticError, match="planted"):
        behaviour(net.loss, net.arrays, claimed)
    assert net.arrays["b"].tobytes() == before
