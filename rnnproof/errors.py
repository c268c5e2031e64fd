"""Every error a person can cause, as one tree.

    RnnproofError                 catch this to catch them all; the command line turns it into exit status 2
    ├── EquationError             an equation, a document or a Cell is at fault (what, where, cure)
    ├── BindError                 a function is open where a body is needed, or a body does not fit
    ├── GenerationError           a Cell that is well formed but that the generator cannot express
    └── UsageError                a bad argument: an unknown cell, oracle, option or module

All of them are ValueErrors too, so that `except ValueError` means what it says.
"""

from __future__ import annotations


class RnnproofError(ValueError):
    """Root of the tree; its text is one clear message: what is wrong, where, and what cures it."""


class EquationError(RnnproofError):
    """An equation, a document or a Cell is at fault."""


class BindError(RnnproofError):
    """A function is left open where a body is needed, or a body given for it does not fit."""


class GenerationError(RnnproofError):
    """A well-formed Cell that the generator cannot express."""


class UsageError(RnnproofError):
    """A bad argument: an unknown cell, oracle, option or module."""
