"""`generate(cell)`: the text of a module that computes a cell and its gradients."""

from __future__ import annotations

from collections.abc import Mapping

from rnnproof.equations.cell import Cell
from rnnproof.errors import GenerationError, UsageError
from rnnproof.generation.numpy.module import print_module
from rnnproof.generation.pipeline import pipeline
from rnnproof.generation.target import Source, Target

TARGETS: Mapping[str, Target] = {"numpy": print_module}


def generate(cell: Cell, *, fuse: bool = True, steps: int | None = None, target: str = "numpy") -> str:
    """Source text of a module with PARAMETERS, STATES, prepare, forward, backward and step.

    `fuse` stacks the gates, so that each product and activation is made once for all of them; without it each gate has its
    own. `steps` writes the time loop out, as a straight line for sequences of just that many steps. Same numbers, up to
    rounding, in every case. The text is validated against the cell's Programs before it is handed out. Raises BindError where
    a function is left open, GenerationError for what code cannot express, UsageError for an unknown target.
    """
    return source(cell, fuse=fuse, steps=steps, target=target).text


def source(cell: Cell, *, fuse: bool = True, steps: int | None = None, target: str = "numpy") -> Source:
    """What `generate` says, with what each line computes."""
    if target not in TARGETS:
        raise UsageError(f"there is no target {target!r}; there is {', '.join(TARGETS)}")
    if steps is not None and steps < 1:
        raise GenerationError(f"cell {cell.name}: steps={steps}; give the number of steps to write out, 1 or more")
    return TARGETS[target](pipeline(cell, fuse=fuse), steps)
