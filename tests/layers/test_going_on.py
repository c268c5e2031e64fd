"""What goes on: a mask past a layer that goes backwards, an optimiser past a fit, a name past a save."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnproof import layers, optimizers

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@pytest.mark.parametrize("turned", [(True, False), (True, True), (False, True)])
def test_padding_changes_nothing_after_layers_that_go_backwards(kind: type, turned: tuple[bool, bool]) -> None:
    model = layers.Sequential(
        [
            kind(5, return_sequences=True, go_backwards=turned[0]),
            kind(4, return_sequences=True, go_backwards=turned[1]),
            kind(3),
        ]
    )
    x = RNG.normal(size=(2, 6, 3))
    plain = model(x)
    padded = np.concatenate([x, np.full((2, 2, 3), 7.0)], axis=1)
    mask = np.arange(8)[None, :] < np.array([[6], [6]])
    np.testing.assert_allclose(model(padded, mask=mask), plain, rtol=1e-13, atol=1e-14)  # the same sums in the same order


def data() -> tuple[np.ndarray, np.ndarray]:
    return RNG.normal(size=(8, 4, 3)), RNG.normal(size=(8, 2))


def test_fit_without_an_optimizer_goes_on(tmp_path: Path) -> None:
    x, y = data()
    model = layers.Sequential([layers.SimpleRNN(2)])
    with pytest.raises(ValueError, match="no optimizer to go on with"):
        model.fit(x, y, loss="mse", verbose=0)
    model.fit(x, y, loss="mse", optimizer="adam", epochs=2, batch_size=4, shuffle=False, verbose=0)
    model.save(tmp_path / "model.npz")
    loaded = layers.load(tmp_path / "model.npz")
    for one in (model, loaded):
        one.fit(x, y, loss="mse", batch_size=4, shuffle=False, verbose=0)
    assert loaded.optimizer.iterations == 6
    for mine, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_fit_with_an_optimizer_says_that_it_starts_anew(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = data()
    model = layers.Sequential([layers.SimpleRNN(2)])
    model.fit(x, y, loss="mse", optimizer="adam")
    assert "starts anew" not in capsys.readouterr().err
    model.fit(x, y, loss="mse", optimizer="adam")
    assert "the optimizer starts anew; fit() without optimizer goes on after its 1 steps" in capsys.readouterr().err


def test_a_learning_state_belongs_to_its_optimiser() -> None:
    weight = np.ones(3)
    adam = optimizers.Adam()
    adam.apply_gradients([(np.ones(3), weight)])
    with pytest.raises(ValueError, match="Adamax: this is a learning state of Adam"):
        optimizers.Adamax().set_weights(adam.get_weights())
    optimizers.Adam().set_weights(adam.get_weights())


@pytest.mark.parametrize("ending", [".h5", ".keras", ".H5", ".pt", ".onnx"])
def test_another_programs_ending_is_refused(ending: str, tmp_path: Path) -> None:
    model = layers.Sequential([layers.SimpleRNN(2)])
    model(RNG.normal(size=(1, 2, 3)))
    with pytest.raises(ValueError, match=r"another program's format, and this file is a \.npz"):
        model.save(tmp_path / f"model{ending}")
    assert not list(tmp_path.iterdir())
