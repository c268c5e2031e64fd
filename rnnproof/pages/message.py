"""Texts for people, made once and read in any language: the English template is the key of the catalogue.

`say("{n} of {all} runs diverge", n=3, all=10)` is a Message; `str(message)` is English, `message.text("ja")` the catalogue's
Japanese with the same values. The catalogue is `messages/*.toml`, a `[[message]]` with `en` and `ja` for each template. Every
literal that `say` is called with stands in it: tests/pages/test_messages.py reads them out of the source.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "ja")


@dataclass(frozen=True)
class Message:
    """A template with named places, as `str.format` has them, and what stands there: numbers, strings, other Messages."""

    template: str
    values: tuple[tuple[str, Any], ...] = ()

    def text(self, language: str = "en") -> str:
        """The text in a language; a template that the catalogue does not have stays English."""
        template = self.template if language == "en" else catalogue(language).get(self.template, self.template)
        return template.format(**{name: in_language(value, language) for name, value in self.values})

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True)
class Listed:
    """Several texts, one behind the other."""

    parts: tuple[Text, ...]
    between: Text = ", "

    def text(self, language: str = "en") -> str:
        """All parts in a language."""
        return str(in_language(self.between, language)).join(str(in_language(part, language)) for part in self.parts)

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True)
class InLanguages:
    """A text written out in each language: (language, text) pairs, English first."""

    texts: tuple[tuple[str, str], ...]

    def text(self, language: str = "en") -> str:
        """The text in a language, in the first where it has none."""
        return dict(self.texts).get(language, self.texts[0][1])

    def __str__(self) -> str:
        return self.text()


Text = str | Message | Listed | InLanguages


def say(template: str, /, **values: Any) -> Message:
    """A text for people. The template is a literal, so that the catalogue can be held against the source.

    Raises ValueError where its places are not the values: a brace of TeX, say, which belongs into a value.
    """
    if _places(template) != values.keys():
        raise ValueError(f"{template!r} has the places {sorted(_places(template))} for the values {sorted(values)}")
    return Message(template, tuple(values.items()))


@cache
def _places(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


COMMA, SEMICOLON, SPACE = say(", "), say("; "), say(" ")


def listed(parts: Iterable[Text], between: Text = COMMA) -> Listed:
    """The texts with a comma of the language between them, or `between`; SPACE is what stands between sentences."""
    return Listed(tuple(parts), between)


def in_language(value: Any, language: str) -> Any:
    """A Message's text; anything else as it is."""
    return value.text(language) if isinstance(value, Message | Listed | InLanguages) else value


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """{English template: template in the language}."""
    translations: dict[str, str] = {}
    for file in sorted(resources.files(__package__).joinpath("messages").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            for entry in tomllib.loads(file.read_text(encoding="utf-8"))["message"]:
                if entry["en"] in translations:
                    raise AssertionError(f"{file.name}: {entry['en']!r} is in the catalogue twice")
                translations[entry["en"]] = entry[language]
    return translations


def dump(text: Any) -> Any:
    """A text as JSON has it; numbers and strings stay."""
    if isinstance(text, Message):
        return {"say": text.template, "with": {name: dump(value) for name, value in text.values}}
    if isinstance(text, Listed):
        return {"list": [dump(part) for part in text.parts], "between": dump(text.between)}
    return text.item() if hasattr(text, "item") else text  # NumPy's scalars


def load(data: Any) -> Any:
    """What `dump` made, read back."""
    if isinstance(data, dict) and "say" in data:
        return Message(data["say"], tuple((name, load(value)) for name, value in data["with"].items()))
    if isinstance(data, dict):
        return Listed(tuple(map(load, data["list"])), load(data["between"]))
    return data
