"""Layers and models as .npz files: a JSON header and arrays, nothing pickled, written to a temporary name and renamed."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
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
        with np.load(target, allow_pickle=False) as file:
            header = json.loads(str(file[_HEADER][()]))
            arrays = {name.removeprefix("array:"): file[name] for name in file.files if name != _HEADER}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{target}: not a file that save() of a layer or model wrote; give one") from error
    if not isinstance(header, dict):
        raise ValueError(f"{target}: not a file that save() of a layer or model wrote; give one")
    return header, arrays
