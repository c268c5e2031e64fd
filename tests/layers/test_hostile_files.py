"""`load` of files that were damaged, or made to harm: ValueError, and no more memory than the file's own bytes ask for."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnproof import layers

X = np.random.default_rng(8).normal(size=(2, 4, 3))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A trained model's file."""
    path = tmp_path_factory.mktemp("sound") / "model.npz"
    model = layers.Sequential([layers.GRU(2, return_sequences=True), layers.LSTM(3)])
    model.fit(X, X[:, 0], loss="mse", optimizer="adam", verbose=0)
    model.save(path)
    return path.read_bytes()


def refused(path: Path, data: bytes) -> str:
    """What load says of these bytes, having taken no more than some megabytes to say it."""
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(ValueError) as raised:
        layers.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (
        type(raised.value) is ValueError
        and str(raised.value).startswith(str(path))
        and len(str(raised.value)) < 600 + len(str(path))
    )
    assert peak < 30_000_000
    return str(raised.value)


def changed(sound: bytes, change: Any) -> bytes:
    """The file with another header, arrays as they are."""
    with np.load(io.BytesIO(sound)) as file:
        stored = {name: file[name] for name in file.files}
    stored["header"] = np.array(json.dumps(change(json.loads(str(stored["header"])))))
    out = io.BytesIO()
    np.savez(out, **stored)
    return out.getvalue()


def in_first(**change: Any) -> Any:
    """A change of the first layer's arguments."""

    def write(header: Any) -> Any:
        header["config"]["layers"][0]["config"].update(change)
        return header

    return write


HEADERS = {
    "a list": lambda header: [header],
    "a number": lambda header: 3,
    "no class": lambda header: {**header, "class_name": "System"},
    "class is a list": lambda header: {**header, "class_name": ["LSTM"]},
    "no config": lambda header: {**header, "config": 7},
    "layers are a number": lambda header: {**header, "config": {"layers": 4}},
    "layers of text": lambda header: {**header, "config": {"layers": ["LSTM"]}},
    "another argument": in_first(sizes=3),
    "units no number": in_first(units="many"),
    "units huge": in_first(units=10**9),
    "units past int64": in_first(units=10**30),
    "units negative": in_first(units=-3),
    "an activation": in_first(activation="__import__('os')"),
    "an initializer": in_first(kernel_initializer={"class_name": "VarianceScaling", "config": {"scale": "x"}}),
    "a dtype": in_first(dtype="object"),
    "input_shape huge": lambda header: {**header, "input_shape": [None, None, 10**12]},
    "input_shape long": lambda header: {**header, "input_shape": [None] * 900 + [3]},
    "input_shape of steps": lambda header: {**header, "input_shape": [10**6, 10**6, 3]},
    "input_shape text": lambda header: {**header, "input_shape": "abc"},
    "optimizer": lambda header: {**header, "optimizer": {"class_name": "Adam", "config": {"lr": []}}},
    "optimizer a number": lambda header: {**header, "optimizer": 5},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_says_something_else(name: str, sound: bytes, tmp_path: Path) -> None:
    refused(tmp_path / "model.npz", changed(sound, HEADERS[name]))


def member(claimed: str, held: bytes = b"") -> bytes:
    """An .npy of version 1.0 whose header is this text."""
    text = claimed.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + held


NPY = {
    "80 GB": member("{'descr': '<f8', 'fortran_order': False, 'shape': (100000, 100000), }"),
    "negative": member("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -8), }", bytes(64)),
    "objects": member("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", bytes(8)),
    "code": member("{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (1,), }"),
    "nested": member("(" * 9000),
    "records": member("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", bytes(8)),
    "text": member("{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }", bytes(8)),
    "version 9": b"\x93NUMPY\x09\x00" + bytes(20),
    "nothing": b"",
}


@pytest.mark.parametrize("name", NPY)
def test_an_array_that_is_not_what_it_says(name: str, sound: bytes, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, NPY[name] if info.filename == "array:0.npy" else old.read(info))
    refused(tmp_path / "model.npz", out.getvalue())


@pytest.mark.slow
def test_an_archive_that_unpacks_to_more_than_it_is(sound: bytes, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(
            "header.npy", member("{'descr': '<f8', 'fortran_order': False, 'shape': (50000000,), }") + bytes(400_000_000)
        )
    assert len(out.getvalue()) < 1_000_000
    assert "compressed" in refused(tmp_path / "model.npz", out.getvalue())


def test_names_twice_and_headers_too_deep(sound: bytes, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            file.writestr("header.npy", member("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }"))
    refused(tmp_path / "model.npz", out.getvalue())
    out = io.BytesIO()
    np.savez(out, header=np.array("[" * 100_000))
    refused(tmp_path / "model.npz", out.getvalue())


def test_every_damaged_byte_is_told_or_harmless(sound: bytes, tmp_path: Path) -> None:
    """One flipped bit at 400 places, and the file cut off at 60: ValueError, or the very weights (a date, a padding)."""
    path = tmp_path / "model.npz"
    path.write_bytes(sound)
    weights = layers.load(path).get_weights()
    rng = np.random.default_rng(3)
    damaged = []
    for at in rng.integers(0, len(sound), 400):
        data = bytearray(sound)
        data[at] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(data))
    damaged += [sound[:stop] for stop in rng.integers(0, len(sound), 60)]
    for data in damaged:
        path.write_bytes(data)
        try:
            again = layers.load(path).get_weights()
        except ValueError:
            continue
        for one, other in zip(weights, again, strict=True):
            np.testing.assert_array_equal(one, other)
