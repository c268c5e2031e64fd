"""The page "Writing equations the reader understands": a document in each language, written by hand and tested by reading it.

`page.LANGUAGE.md`: a fence of `tex` or `markdown` is an example. What follows says what the reader makes of it: a fence
`reading` its roles; displays the lines of its derivation; fences `same` (one text) and `each` (one a line) texts that give
the same cell; "with ..." what may stand in the place of the words behind the fence's language; a table what is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from rnnproof.pages.blocks import Document
from rnnproof.pages.message import LANGUAGES
from rnnproof.pages.written import document as written


def sources() -> Mapping[str, str]:
    """The page's text in each language."""
    return {
        language: (resources.files(__package__) / f"page.{language}.md").read_text(encoding="utf-8") for language in LANGUAGES
    }


def document() -> Document:
    """The page."""
    return written("notation", sources())
