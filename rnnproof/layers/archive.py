"""Layers and models as .npz files: a JSON header and arrays, nothing pickled, written to a temporary name and renamed.

A file is read as one that somebody else may have written: nothing is allocated that its own bytes do not hold.
"""

from __future__ import annotations

import io
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_HEADER = "header"
_FOREIGN = {".h5", ".hdf5", ".keras", ".tf", ".pb", ".ckpt", ".pt", ".pth", ".bin", ".onnx", ".safetensors", ".pkl", ".pickle"}


def write(path: str | PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a file that `read` reads. Raises ValueError for a header that JSON can't hold, a folder
    that is not there, or the ending of another program's format."""
    target = Path(path)
    if target.suffix.lower() in _FOREIGN:
        raise ValueError(f"{target}: {target.suffix} is another program's format, and this file is a .npz; name it so")
    try:
        text = json.dumps(header)
    except TypeError as error:
        raise ValueError(f"{target}: the configuration can't be written as JSON: {error}") from None
    if not target.parent.is_dir():
        raise ValueError(f"{target}: the folder {target.parent} does not exist; make it first")
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        try:
            stored: dict[str, Any] = {f"array:{name}": value for name, value in arrays.items()}
            np.savez(file, **{**stored, _HEADER: np.array(text)})
            file.close()
            os.replace(file.name, target)
        except BaseException:
            file.close()
            os.unlink(file.name)
            raise


def read(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of a file. Raises ValueError for a file that `write` did not write."""
    target = Path(path)
    if not target.is_file():
        raise ValueError(f"{target}: no such file; give the path that save() wrote")
    try:
        with zipfile.ZipFile(target) as file:
            stored = {name.removesuffix(".npy"): _array(data) for name, data in _members(file, target.stat().st_size)}
        header = json.loads(str(stored.pop(_HEADER)[()]))
        if not isinstance(header, dict):
            raise ValueError("the header is no table")
        arrays = {name.removeprefix("array:"): array for name, array in stored.items()}
        if any(array.dtype.kind not in "fiub" for array in arrays.values()):
            raise ValueError("an array holds no numbers")
    except Exception as error:  # whatever zip, NumPy and JSON raise on bytes that are not theirs
        why = str(error) or type(error).__name__
        raise ValueError(f"{target}: not a file that save() of a layer or model wrote ({why[:200]}); give one") from error
    return header, arrays


def _members(file: zipfile.ZipFile, size: int) -> Iterator[tuple[str, bytes]]:
    """Each member's name and bytes, checked against its checksum. Raises ValueError for what is larger than it lies there."""
    members = file.infolist()
    if len({member.filename for member in members}) != len(members):
        raise ValueError("a name is in it twice")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename} is compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its parts claim more than it holds")
    for member in members:
        yield member.filename, file.read(member)


def _array(data: bytes) -> Array:
    """The array of an .npy file, which has to hold just the bytes that its header says. Raises ValueError for others."""
    stream = io.BytesIO(data)
    magic: Any = np.lib.format.read_magic
    major, _ = magic(stream)
    reads: dict[int, Any] = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    shape, by_columns, dtype = reads[major](stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - stream.tell() or min(shape, default=0) < 0:
        raise ValueError("an array is not as long as its header says, or holds objects")
    flat = np.frombuffer(data, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if by_columns else "C").copy()
