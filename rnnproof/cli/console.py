"""Where a command's words go: progress to a terminal, one message for a fault, an exit status for everything."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from rnnproof.errors import RnnproofError, UsageError

WRONG, FAULT, INTERNAL, INTERRUPTED, PIPE = 1, 2, 70, 130, 141

# A line that comes and goes within a second only flickers.
PATIENCE = 1.0

# Seconds between two lines of progress where they stay, in a file or a log.
EVERY = 10.0


class Progress:
    """One line on a terminal's stderr that says how far a long command is; silent elsewhere and for the first second.

    With `every`, in seconds, the line is there at once, and elsewhere than on a terminal a new one comes so often.
    """

    def __init__(self, every: float | None = None) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._every = every
        self._next = time.monotonic() + (PATIENCE if every is None else 0.0)
        self._drawn = False

    def __call__(self, done: int, total: int, what: str) -> None:
        if sys.stderr is None or time.monotonic() < self._next:
            return
        text = f"{done}/{total} {what}"
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + text[:width])
            self._drawn = True
        elif self._every is not None:
            sys.stderr.write(text + "\n")
            self._next = time.monotonic() + self._every
        sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class Bar:
    """A bar on a terminal's stderr with the rate and the time left; silent elsewhere."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._started = 0.0

    def start(self, found: int, left: int) -> Callable[[int], None]:
        """Begin with `left` trials to run; what is returned is told of each."""
        label = f"{self._label} ({found} done before)" if found else self._label
        hidden = sys.stderr is None or not sys.stderr.isatty() or not left
        self._bar = click.progressbar(
            length=left, label=label, file=sys.stderr, hidden=hidden, show_pos=True, item_show_func=self._rate, width=24
        )
        self._started = time.monotonic()
        self._bar.render_progress()
        return lambda done: self._bar.update(1, done)

    def _rate(self, done: int | None) -> str | None:
        seconds = time.monotonic() - self._started
        return f"{done / seconds:.1f}/s" if done and seconds > 0 else None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def emit(texts: Mapping[str, str], suffix: str, output: str | None, *, together: bool) -> None:
    """Print the texts, or write them to a file, or to NAME + suffix in a folder (one that exists or ends with a slash).

    Raises UsageError for several texts in one place where they cannot stand `together`.
    """
    from rnnproof.pages import files

    folder = output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())
    if len(texts) > 1 and not together and not folder:
        raise UsageError(f"there are {len(texts)} cells ({', '.join(texts)}); pick one with --cell or give --output DIR/")
    joined = "\n\n".join(texts.values())
    if output is None:
        click.echo(joined, nl=False)
        return
    written = {Path(output, name + suffix): text for name, text in texts.items()} if folder else {Path(output): joined}
    files.write(written)
    click.echo("\n".join(f"wrote {path}" for path in written), err=True)


def status(command: Callable[[], object]) -> int:
    """Run a command to its exit status; a person's fault becomes one message on stderr, without traceback.

    1: a check found a wrong gradient or a proof failed. 2: the input is at fault. 70: rnnproof itself is. 130: interrupted.
    141: whoever read the output stopped reading.
    """
    try:
        _readable()
        if sys.stdout is None:
            return _say("there is no standard output to write to; open one", FAULT)
        result = command()
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except RnnproofError as error:
        return _say(str(error), FAULT)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        help_ = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "rnnproof"
        return _say(f"{error.format_message()} See `{help_} --help`.", FAULT)
    except (KeyboardInterrupt, click.Abort) as stop:
        return _say(str(stop) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Python flushes stdout once more as it leaves; what cannot be written goes nowhere instead.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "output: "
        if not error.filename:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _say(f"{where}{error.strerror or error}; check the path and the room left", FAULT)
    except Exception:  # whatever it is, a person gets its trace, one line and status 70
        traceback.print_exc()
        return _say("this is a fault in rnnproof, not in what it was given; please report it with the lines above", INTERNAL)


def _readable() -> None:
    """Output to a file or a pipe is UTF-8; on a terminal of another encoding, what that lacks is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="replace") if stream.isatty() else stream.reconfigure(encoding="utf-8")


def _say(message: str, code: int) -> int:
    if sys.stderr is not None:
        print(f"rnnproof: {message}", file=sys.stderr)
    return code
