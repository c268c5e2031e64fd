"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rnnproof.errors import UsageError


def write(texts: Mapping[Path, str | bytes]) -> None:
    """Write every text, or picture, to its path, making folders; each is written beside its place and then renamed.

    No file is renamed before all are written. Raises UsageError for a place that cannot be written, leaving what was there.
    """
    waiting: list[tuple[str, Path]] = []
    try:
        for path, text in texts.items():
            place = path.resolve()  # a link stays and its file changes
            if place.exists() and not place.is_file():
                raise UsageError(f"{path}: is there and is not a plain file; give another path")
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
            waiting.append((temporary, place))
            with open(handle, "wb") as file:
                file.write(text.encode() if isinstance(text, str) else text)
            os.chmod(temporary, _mode(place))
        for temporary, path in waiting:
            os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); give another path") from None
    finally:
        for temporary, _ in waiting:
            Path(temporary).unlink(missing_ok=True)


def _mode(path: Path) -> int:
    """The file's own mode, or that of a new file: mkstemp's would shut everybody else out."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
