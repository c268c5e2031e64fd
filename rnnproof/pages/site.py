"""Where each page lies: NAME.html and its Markdown beside it, in each language, and how they point at one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnproof.errors import UsageError
from rnnproof.pages.blocks import Document
from rnnproof.pages.message import LANGUAGES, Text
from rnnproof.pages.writers.html.writer import Site, html
from rnnproof.pages.writers.markdown import markdown

INDEX = "index"


@dataclass(frozen=True)
class Book:
    """Documents for a folder; pages that are in it already are linked to like those that are written.

    `derivations` are the names of those whose Markdown lies in derivations/; `pictures` are SVG texts by name, `drawn` those of
    this project's own drawing; `entries` are the links at the top of each page; `tones` as `Site` has them.
    """

    folder: Path
    documents: Sequence[Document]
    derivations: frozenset[str]
    pictures: Mapping[str, str]
    drawn: frozenset[str]
    entries: Sequence[tuple[str, Text]]
    tones: Mapping[Any, str]
    languages: Sequence[str] = ("en",)

    def files(self) -> dict[Path, str]:
        """Every page as HTML and as Markdown in every language, and the pictures of this project's own drawing."""
        texts = {self.folder / "figures" / f"{name}.svg": self.pictures[name] for name in sorted(self.drawn)}
        for document in self.documents:
            for language in self.languages:
                texts[self.folder / self._page(document.name, language)] = html(
                    document, self._site(document, language), language
                )
                text = markdown(document, language, self._link(document.name, language))
                texts[self.folder / self._markdown(document.name, language)] = text
        return texts

    def _exists(self, name: str, language: str, path: Callable[[str, str], str]) -> bool:
        """Whether there is, or will be, a page of that name, as HTML (`_page`) or as Markdown (`_markdown`)."""
        written = language in self.languages and any(document.name == name for document in self.documents)
        return written or (self.folder / path(name, language)).exists()

    def _page(self, name: str, language: str) -> str:
        return f"{name}{_suffix(language)}.html"

    def _markdown(self, name: str, language: str) -> str:
        folder = "derivations/" if name in self.derivations else ""
        return f"{folder}{'README' if name == INDEX else name}{_suffix(language)}.md"

    def _site(self, document: Document, language: str) -> Site:
        spoken = [other for other in LANGUAGES if other != language and self._exists(document.name, other, self._page)]
        others = [(other, self._page(document.name, other)) for other in spoken]
        entries = [entry for entry in self.entries if self._exists(entry[0].partition("#")[0], language, self._page)]
        return Site(self._address(language), self.pictures, self.drawn, entries, others, self.tones)

    def _address(self, language: str) -> Callable[[str], str]:
        return lambda target: self._resolved(target, language, self._page, "")

    def _link(self, document: str, language: str) -> Callable[[str], str]:
        up = "../" if document in self.derivations else ""
        return lambda target: self._resolved(target, language, self._markdown, up)

    def _resolved(self, target: str, language: str, path: Callable[[str, str], str], up: str) -> str:
        kind, _, rest = target.partition(":")
        if kind == "page":
            name, at, place = rest.partition("#")
            return up + path(name, language) + at + place if self._exists(name, language, path) else ""
        if kind == "file":
            return up + rest
        return target if kind == "https" else ""


def _suffix(language: str) -> str:
    return "" if language == "en" else f".{language}"


def without_clash(cells: Iterable[str], reserved: Iterable[str]) -> None:
    """Raise UsageError for two pages of one name, whatever its capitals: some file systems do not tell them apart."""
    taken = {name.casefold() for name in reserved}
    for name in cells:
        if name.casefold() in taken:
            raise UsageError(f"cell {name}: there is another page of that name; give the document, or the cell, another name")
        taken.add(name.casefold())
