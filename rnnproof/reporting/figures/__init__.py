"""Figures of the experiments: one module for each, all in one style."""

from __future__ import annotations

import importlib

from rnnproof.experiments.findings import Findings
from rnnproof.reporting.figures.style import Drawing, styled


def draw(experiment: str, findings: Findings) -> list[Drawing]:
    """The figures of an experiment. Raises UsageError where Matplotlib is not installed."""
    with styled():
        module = importlib.import_module(f"rnnproof.reporting.figures.{experiment.replace('-', '_')}")
        found: list[Drawing] = module.draw(findings)
        return [drawing.rendered() for drawing in found]
