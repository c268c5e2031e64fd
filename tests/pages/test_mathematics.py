"""The Markdown that is written holds only macros that GitHub allows and that MathJax and KaTeX both have."""

from __future__ import annotations

from pathlib import Path

import pytest

import rnnproof as rp
from tests.programs.mathematics import KNOWN, REFUSED, ROOT, formulas, macros, pages

SOURCE = r"""
$$
\operatorname{state}_t := \tanh(\bm{W} x_t + \pmb{R} \operatorname{state}_{t-1} + \mbox{bias}_{\operatorname{in}})
  + \textnormal{c} \circ \mathnormal{X}_t + \operatorname*{gain}^{\mbox{u}} \odot x_t
$$
"""


def test_the_lists_have_nothing_in_common() -> None:
    assert not KNOWN & REFUSED


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_committed_page_can_be_read_on_github(path: Path) -> None:
    used = set().union(*(macros(tex) for tex, _ in formulas(path.read_text(encoding="utf-8"))), set())
    assert used <= KNOWN, f"{path}: {sorted(used - KNOWN)}"


def test_a_documents_own_macros_become_portable() -> None:
    derivation = rp.derive(rp.read_text(SOURCE)[0])
    found = set().union(*(macros(tex) for tex, _ in formulas(derivation.markdown())))
    assert found <= KNOWN and {"boldsymbol", "mathrm", "text"} <= found
    assert not macros(derivation.latex()) & {"operatorname", "bm", "pmb", "mbox", "textnormal", "mathnormal"}


def test_what_is_no_mathematics_is_left_alone() -> None:
    text = "`$a$` costs $5 and $6, $b$\n\n```tex\n$c$\n```\n\n```math\nd\n```\n\n$$\ne\n$$\n\n``x ` $f$`` \\$g$ h"
    assert list(formulas(text)) == [("d\n", True), ("\ne\n", True), ("b", False)]
