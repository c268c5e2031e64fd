"""Every error a person can cause, as one tree.

    RnnproofError                 catch this to catch them all; the command line turns it into exit status 2
    ├── EquationError             an equation, a document or a Cell is at fault (what, where, cure)
    ├── BindError                 a function is open where a body is needed, or a body does not fit
    ├── GenerationError           a Cell that is well formed but that the generator cannot express
    └── UsageError                a bad argument: an unknown cell, oracle, option or module

All of them are ValueErrors too, so that `except ValueError` means what it says.
"""

from __future__ import annotations

_LINE, _LINES = 400, 20  # a message fits a screen of 24 lines, whatever the user's text in it is


class RnnproofError(ValueError):
    """Root of the tree; its text is one clear message: what is wrong, where, and what cures it; at most a screen of it."""

    def __init__(self, message: object = "") -> None:
        super().__init__(_on_a_screen(str(message)))


def _on_a_screen(message: str) -> str:
    """The message without the middle of long lines and without the lines in the middle of many."""
    lines = [line if len(line) <= _LINE else f"{line[:280]} ... {line[-100:]}" for line in message.split("\n")]
    room = _LINES - sum(len(line) // 80 for line in lines[:2])
    if sum(1 + len(line) // 80 for line in lines) <= _LINES:
        return "\n".join(lines)
    first, last = max(room // 2, 1), max(room // 2 - 3, 1)
    return "\n".join([*lines[:first], f"... ({len(lines) - first - last} lines) ...", *lines[len(lines) - last :]])


class EquationError(RnnproofError):
    """An equation, a document or a Cell is at fault."""


class BindError(RnnproofError):
    """A function is left open where a body is needed, or a body given for it does not fit."""


class GenerationError(RnnproofError):
    """A well-formed Cell that the generator cannot express."""


class UsageError(RnnproofError):
    """A bad argument: an unknown cell, oracle, option or module."""
