"""What the comparison with Keras does not see: numerical gradients of every layer, files, states, dropout, bad input."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnproof import optimizers
from rnnproof.layers import GRU, LSTM, Dense, Gate, Sequential, Shortcut, SimpleRNN, load, losses, regularizers

RNG = np.random.default_rng
X = RNG(0).normal(size=(3, 4, 5))

LAYERS: dict[str, Any] = {
    "dense softmax": lambda: Dense(6, "softmax", kernel_regularizer="l1_l2", seed=0),
    "dense": lambda: Dense(2, "tanh", use_bias=False, activity_regularizer="l2", seed=0),
    "shortcut": lambda: Shortcut(LSTM(5, return_sequences=True, seed=0)),
    "gate": lambda: Gate(Dense(5, "tanh", seed=0), kernel_regularizer="l2", activation="softsign", seed=1),
    "gate, no bias": lambda: Gate(GRU(5, return_sequences=True, reset_after=True, seed=0), use_bias=False, seed=1),
    "nested": lambda: Shortcut(Gate(Shortcut(Dense(5, "tanh", seed=0)), seed=1)),
    "own functions": lambda: LSTM(
        4,
        activation=lambda x: x / (1 + x * x),
        recurrent_activation=lambda x: np.exp(x) / (1 + np.exp(x)),
        kernel_regularizer=lambda w: 0.1 * (w**4).sum(),
        kernel_initializer=lambda shape: 0.1 * np.ones(shape),
        seed=0,
    ),
    "sequential": lambda: Sequential(
        [SimpleRNN(6, return_sequences=True, seed=0), Shortcut(Dense(6, "tanh", seed=1)), GRU(3, seed=2), Dense(2, seed=3)]
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_numerical_gradients(name: str) -> None:
    """Central differences of (output * d).sum() + penalties: truncation h^2 = 1e-10 and rounding 1e-16 / h = 1e-11, times the
    size of third derivatives and of the loss, which are below 1e3 here."""
    layer, x = LAYERS[name](), X.copy()
    layer(x)
    rng = RNG(1)
    layer.set_weights([0.5 * rng.normal(size=w.shape) for w in layer.weights])
    d = rng.normal(size=layer(x).shape)

    def loss() -> float:
        return float((layer(x) * d).sum() + sum(layer.losses))

    loss()
    d_x = layer.backward(d)
    for array, gradient in zip([x, *layer.weights], [d_x, *(g.copy() for g in layer.gradients)], strict=True):
        for index in rng.integers(array.size, size=5):
            place = np.unravel_index(index, array.shape)
            kept, h = array[place], 1e-5
            array[place] = kept + h
            above = loss()
            array[place] = kept - h
            difference = (above - loss()) / (2 * h)
            array[place] = kept
            assert abs(difference - gradient[place]) <= 1e-7 * max(1.0, np.abs(gradient).max()), (name, place)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "own functions"])
def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    layer = LAYERS[name]()
    expected = layer(X)
    layer.save(tmp_path / "layer.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["layer.npz"]
    again = load(tmp_path / "layer.npz")
    np.testing.assert_array_equal(again(X), expected)
    assert again.get_config() == layer.get_config()


def test_a_trained_model_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    rng = RNG(2)
    x, y = rng.normal(size=(40, 4, 5)), rng.integers(0, 3, 40)
    made = Sequential([LSTM(6, seed=0), Dense(3, "softmax", seed=1)])
    options: dict[str, Any] = {"loss": "sparse_categorical_crossentropy", "seed": 3, "verbose": 0, "batch_size": 16}
    made.fit(x, y, optimizer="nadam", epochs=2, **options)
    made.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    first = made.fit(x, y, optimizer=made.optimizer, epochs=2, **options)
    second = again.fit(x, y, optimizer=again.optimizer, epochs=2, **options)
    assert first.batch_loss == second.batch_loss and first.history == second.history
    assert len(first.batch_loss) == 6 and set(first.history) == {"loss", "accuracy"}
    assert first.history["loss"][0] == pytest.approx(np.average(first.batch_loss[:3], weights=[16, 16, 8]), rel=1e-12)


# The lecture's two listings: Keras 2.2.4's signatures, in order.
COMMON_HEAD = {"activation": "tanh", "recurrent_activation": "hard_sigmoid", "use_bias": True}
COMMON_HEAD |= {"kernel_initializer": "glorot_uniform", "recurrent_initializer": "orthogonal", "bias_initializer": "zeros"}
PENALTIES = dict.fromkeys(f"{role}_regularizer" for role in ("kernel", "recurrent", "bias", "activity"))
CONSTRAINTS = dict.fromkeys(f"{role}_constraint" for role in ("kernel", "recurrent", "bias"))
FLAGS = dict.fromkeys(("return_sequences", "return_state", "go_backwards", "stateful", "unroll"), False)
COMMON_TAIL = {**PENALTIES, **CONSTRAINTS, "dropout": 0.0, "recurrent_dropout": 0.0, "implementation": 1, **FLAGS}
LISTINGS: dict[Any, dict[str, Any]] = {
    LSTM: {**COMMON_HEAD, "unit_forget_bias": True, **COMMON_TAIL},
    GRU: {**COMMON_HEAD, **COMMON_TAIL, "reset_after": False},
}


@pytest.mark.parametrize("made", LISTINGS)
def test_the_lectures_listings(made: Any) -> None:
    """Every argument in the listing's order and with its default; written out in full, they change nothing."""
    parameters = list(inspect.signature(made).parameters.values())[1:]
    wanted = LISTINGS[made]
    assert [(p.name, p.default) for p in parameters[: len(wanted)]] == list(wanted.items())
    full, short = made(4, **wanted, seed=0), made(4, seed=0)
    np.testing.assert_array_equal(full(X), short(X))
    np.testing.assert_array_equal(made(4, *wanted.values(), seed=0)(X), short(X))


def test_the_same_seed_the_same_numbers() -> None:
    one, two, three = (LSTM(4, dropout=0.4, recurrent_dropout=0.3, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one(X, training=True), two(X, training=True))
    three(X)
    assert (one.weights[0] != three.weights[0]).any()
    first = one.dropout_masks["input"]
    one(X, training=True)
    assert (one.dropout_masks["input"] != first).any()  # new masks for every batch
    assert one.dropout_masks["input"].shape == (4, 3, 5) and one.dropout_masks["recurrent"].shape == (4, 3, 4)
    one(X)
    assert one.dropout_masks == {}


def test_states_are_carried_and_reset() -> None:
    layer = GRU(4, stateful=True, return_sequences=True, seed=0)
    whole = GRU(4, return_sequences=True, seed=0)
    halves = np.concatenate([layer(X[:, :2]), layer(X[:, 2:])], axis=1)
    np.testing.assert_allclose(halves, whole(X), rtol=1e-14)  # the same operations; products of other sizes
    layer.reset_states()
    np.testing.assert_allclose(layer(X[:, :2]), whole(X)[:, :2], rtol=1e-14)
    layer.reset_states(np.ones((3, 4)))
    np.testing.assert_allclose(layer(X), whole(X, initial_state=np.ones((3, 4))), rtol=1e-14)
    with pytest.raises(ValueError, match="2 sequences after a batch of 3.*reset_states"):
        layer(X[:2])


def test_what_is_masked_is_not_looked_at() -> None:
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]], bool)
    filled = np.where(mask[:, :, None], X, np.nan)
    layer = LSTM(4, return_sequences=True, seed=0)
    output = layer(filled, mask=mask)
    d_x = layer.backward(np.ones_like(output))
    assert np.isfinite(output).all() and np.isfinite(d_x).all() and not d_x[~mask].any()
    np.testing.assert_array_equal(output, layer(X, mask=mask))


def test_constraints_hold_after_every_step() -> None:
    made = Sequential([SimpleRNN(6, kernel_constraint="unit_norm", bias_constraint="non_neg", seed=0), Dense(2, seed=1)])
    made.fit(X, np.ones((3, 2)), loss="mse", optimizer="sgd", epochs=5, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(made.weights[0], axis=0), 1, rtol=1e-6)
    assert (made.weights[2] >= 0).all()


def test_an_interrupted_fit_keeps_the_last_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Sequential([SimpleRNN(3, seed=0), Dense(1, seed=1)])
    seen: list[Any] = []
    right = Sequential.train_on_batch

    def interrupted(self: Any, *arguments: Any) -> Any:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(right(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(Sequential, "train_on_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.fit(X, np.ones((3, 1)), loss="mse", optimizer="sgd", epochs=1, batch_size=1, seed=0, verbose=0)
    assert made.optimizer is not None and made.optimizer.iterations == 2


def test_masks_go_along_to_the_loss() -> None:
    """A step of length one is the gradient of the mean loss over the steps that count, by central differences as above."""
    made = Sequential([GRU(4, return_sequences=True, seed=0), Shortcut(Dense(4, "tanh", seed=1)), Dense(3, "softmax", seed=2)])
    labels, mask = RNG(1).integers(0, 3, size=(3, 4)), np.array([[1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 1, 0]], bool)
    loss = losses.get("sparse_categorical_crossentropy")
    x = np.where(mask[:, :, np.newaxis], X, 1e6)  # what does not count is not looked at
    made(x, mask=mask)

    def value() -> float:
        return loss(labels, made(x, mask=mask), mask)[0]

    first = value()
    expected = []
    for weight in made.weights:
        place, h = tuple(RNG(weight.size).integers(0, weight.shape)), 1e-5
        kept = weight[place]
        ends = []
        for side in (h, -h):
            weight[place] = kept + side
            ends.append(value())
        weight[place] = kept
        expected.append((place, (ends[0] - ends[1]) / (2 * h)))
    before = made.get_weights()
    made.optimizer = optimizers.SGD(lr=1.0)
    found = made.train_on_batch(x, labels, loss, mask)
    assert found["loss"] == pytest.approx(first, rel=1e-14)
    for old, new, (place, slope) in zip(before, made.weights, expected, strict=True):
        assert abs(old[place] - new[place] - slope) <= 1e-8
    shifted = np.where(mask, labels, (labels + 1) % 3)
    assert loss(shifted, made(x, mask=mask), mask)[0] == loss(labels, made(x, mask=mask), mask)[0]


def test_a_stateful_layer_inside_another() -> None:
    """It is built, reset and refused as if it stood alone; a layer without states is left in peace."""
    made = Sequential(
        [Shortcut(GRU(5, stateful=True, return_sequences=True, seed=0)), Shortcut(LSTM(5, return_sequences=True))]
    )
    made.build((None, 4, 5))
    first = made(X)
    assert (made(X) != first).any()
    made.build((None, 4, 5))
    assert (made(X) != first).any()
    made.reset_states()
    np.testing.assert_array_equal(made(X), first)
    with pytest.raises(ValueError, match="stateful, and 3 sequences make no whole batches of 2"):
        made.fit(X, X, loss="mse", optimizer="sgd", batch_size=2)


def test_names() -> None:
    layer = LSTM(3, name="memory")
    assert layer.name == "memory" == layer.get_config()["name"] and LSTM(3).name == "lstm"
    with pytest.raises(ValueError, match="memory: the input has shape"):
        layer(X[0])
    with pytest.raises(ValueError, match="name=3"):
        LSTM(3, name=3)  # type: ignore[arg-type]


def test_l1_and_l2() -> None:
    w = RNG(0).normal(size=(3, 4))
    w[0, 0] = 0
    made = regularizers.l1_l2(0.3, 0.2)
    assert made(w) == pytest.approx(0.3 * np.abs(w).sum() + 0.2 * (w**2).sum(), rel=1e-14)
    np.testing.assert_allclose(made.gradient(w), 0.3 * np.sign(w) + 0.4 * w, rtol=1e-14)
    assert made.gradient(w.astype(np.float32)).dtype == np.float32


BAD: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: GRU(3, unit_forget_bias=True),
        TypeError,
        "GRU has no argument 'unit_forget_bias'.*LSTM has it.*units, activation",
    ),
    (lambda: LSTM(3, foo=1), TypeError, "LSTM has no argument 'foo'; it takes units, activation"),
    (lambda: SimpleRNN(3, recurrent_activation="tanh"), TypeError, "SimpleRNN has no argument 'recurrent_activation'"),
    (lambda: Dense(3, units2=1), TypeError, "Dense has no argument"),
    (lambda: LSTM(0), ValueError, "units=0.*at least 1"),
    (lambda: LSTM(2.5), ValueError, "units=2.5"),
    (lambda: LSTM(3, activation="softmax"), ValueError, "softmax.*mixes the units"),
    (lambda: LSTM(3, activation="tahn"), ValueError, "activation='tahn'.*tanh"),
    (lambda: LSTM(3, dropout=1.0), ValueError, "dropout=1.0"),
    (lambda: LSTM(3, kernel_initializer="foo"), ValueError, "kernel_initializer='foo'.*glorot_uniform"),
    (lambda: LSTM(3, bias_regularizer=3), ValueError, "bias_regularizer=3.*l1_l2"),
    (lambda: LSTM(3, recurrent_constraint="no"), ValueError, "recurrent_constraint='no'.*max_norm"),
    (lambda: LSTM(3, implementation=3), ValueError, "implementation=3.*1, 2"),
    (lambda: LSTM(3, return_state="yes"), ValueError, "return_state='yes'.*True or False"),
    (lambda: LSTM(3, seed=-1), ValueError, "seed=-1"),
    (lambda: LSTM(3, dtype="int8"), ValueError, "dtype='int8'.*float32"),
    (lambda: LSTM(3)(X[0]), ValueError, r"input has shape \(4, 5\); it should be \(B, T, input\)"),
    (lambda: LSTM(3)(X[:, :0]), ValueError, "no steps"),
    (lambda: LSTM(3)(X, mask=np.ones((4, 3))), ValueError, r"mask has shape \(4, 3\); it should be \(3, 4\)"),
    (lambda: LSTM(3)(X, mask=0.5 * np.ones((3, 4))), ValueError, "mask holds float64"),
    (lambda: LSTM(3)(X, initial_state=np.ones((3, 3))), ValueError, "initial_state has 1 arrays; give one for each of h, c"),
    (lambda: LSTM(3)(X, initial_state=[np.ones((3, 2))] * 2), ValueError, r"initial_state h has shape \(3, 2\)"),
    (lambda: LSTM(3).backward(np.ones((3, 3))), ValueError, "backward before a call"),
    (lambda: LSTM(3).get_weights() or LSTM(3).set_weights([]), ValueError, "no weights yet"),
    (lambda: LSTM(3).reset_states(), ValueError, "not stateful"),
    (lambda: Shortcut(LSTM(5)), ValueError, "return_sequences=True"),
    (lambda: Shortcut(Dense(4))(X), ValueError, r"makes \(3, 4, 4\) of \(3, 4, 5\)"),
    (lambda: Gate("lstm"), ValueError, "give a layer"),
    (lambda: Sequential([3]), ValueError, "no layer"),
    (lambda: Sequential([LSTM(3, return_state=True)]), ValueError, "returns its states"),
    (lambda: Sequential([Dense(2)]).fit(X, X[:2], loss="mse", optimizer="sgd"), ValueError, "y has 2 entries, x has 3"),
    (lambda: Sequential([Dense(2)]).fit(X, X, loss="rmse", optimizer="sgd"), ValueError, "loss='rmse'.*mse"),
    (lambda: Sequential([Dense(2)]).fit(X, X, loss="mse", optimizer="sgdd"), ValueError, "optimizer='sgdd'.*adam"),
    (
        lambda: Sequential([LSTM(2, stateful=True)]).fit(X, X[:, 0, :2], loss="mse", optimizer="sgd", batch_size=2),
        ValueError,
        "stateful, and 3 sequences make no whole batches of 2",
    ),
    (lambda: load("nowhere.npz"), ValueError, "nowhere.npz: no such file"),
    (lambda: load(__file__), ValueError, "not a file that save"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, header=np.array([{"class_name": "LSTM"}], dtype=object))
    with pytest.raises(ValueError, match="not a file that save"):
        load(path)
    own = LAYERS["own functions"]()
    own(X)
    with pytest.raises(ValueError, match="function of your own"):
        own.save(tmp_path / "own.npz")
    assert not (tmp_path / "own.npz").exists()
