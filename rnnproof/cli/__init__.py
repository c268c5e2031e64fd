"""The command line: `rnnproof COMMAND`."""

from rnnproof.cli.commands import main

__all__ = ["main"]
