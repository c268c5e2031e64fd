"""TeX macros: found in a document or in a file, and expanded in its mathematics, every character keeping its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from rnnproof.equations.page import Excerpt, Page, join, spaces

MAX_EXPANDED = 2_000_000
MAX_DEPTH = 30

_BRACES = r"\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*\})*\})*\})*\})*\}"
_NAME = r"\\(?:[A-Za-z@]+|[^A-Za-z\s])"
_DEFINED = re.compile(
    rf"\\(?P<new>(?:re|provide)?newcommand|renewcommand|providecommand|DeclareRobustCommand|newrobustcmd)\*?\s*"
    rf"(?:\{{\s*(?P<braced>{_NAME})\s*\}}|(?P<name>{_NAME}))\s*(?:\[(?P<count>\d)\])?\s*(?:\[(?P<default>[^\]]*)\])?"
    rf"\s*(?P<body>{_BRACES})"
    rf"|\\(?:long\s*\\)?[egx]?def\s*(?P<def>{_NAME})\s*(?P<pattern>(?:\s*\#\d)*)\s*(?P<defbody>{_BRACES})"
    rf"|\\let\s*(?P<let>{_NAME})\s*=?\s*(?P<other>{_NAME})"
    rf"|\\DeclareMathOperator\*?\s*\{{?\s*(?P<operator>{_NAME})\s*\}}?\s*(?P<text>{_BRACES})",
    re.S,
)
_MACRO = re.compile(r"\\(?:[A-Za-z@]+|[^A-Za-z\s])")
_PARAMETER = re.compile(r"\#(\d)")


@dataclass(frozen=True)
class Macro:
    """One definition, and from where on it holds."""

    name: str
    count: int
    default: str | None
    body: str
    place: int


@dataclass(frozen=True)
class Macros:
    """The definitions of each name, in order."""

    known: dict[str, tuple[Macro, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Macros:
        """The macros that a file defines; they hold everywhere."""
        return cls().extended(Excerpt(text, [-1] * len(text)))

    def and_those_of(self, page: Page, regions: Sequence[Excerpt]) -> Macros:
        """These, and those that the regions define."""
        found = self
        for region in regions:
            found = found.extended(region)
        return found

    def extended(self, region: Excerpt) -> Macros:
        known = dict(self.known)
        for match in _DEFINED.finditer(region.text):
            macro = _macro(match, region.place(match.start()), known)
            provided = (match["new"] or "").startswith("provide")
            if macro is not None and not (provided and macro.name in known):
                known[macro.name] = (*known.get(macro.name, ()), macro)
        return Macros(known)

    def without_definitions(self, region: Excerpt) -> Excerpt:
        """The region with the definitions blanked out."""
        return Excerpt(_DEFINED.sub(lambda match: spaces(match[0]), region.text), region.places)

    def at(self, name: str, place: int) -> Macro | None:
        """The definition that holds at a place: the last before it, else the first of all."""
        macros = self.known.get(name, ())
        before = bisect_right([macro.place for macro in macros], place) - 1
        return macros[max(before, 0)] if macros else None

    def expanded(self, page: Page, excerpt: Excerpt) -> Excerpt:
        """The excerpt with every known macro expanded. Raises EquationError where that does not end."""
        for _ in range(MAX_DEPTH):
            before = excerpt
            excerpt = self._once(excerpt)
            if excerpt is before:
                return excerpt
            if len(excerpt.text) > MAX_EXPANDED:
                break
        first = next(match for match in _MACRO.finditer(excerpt.text) if match[0] in self.known)
        page.fault(excerpt.place(first.start()), f"the macro {first[0]} does not end; define it without itself")

    def _once(self, excerpt: Excerpt) -> Excerpt:
        pieces: list[Excerpt] = []
        end = 0
        for match in _MACRO.finditer(excerpt.text):
            if match[0] not in self.known or match.start() < end:
                continue
            place = excerpt.place(match.start())
            macro = self.at(match[0], place)
            if macro is None:
                continue
            arguments, stop = _arguments(excerpt, match.end(), macro)
            if arguments is None:
                continue
            pieces += [excerpt[end : match.start()], *_filled(macro, place, arguments)]
            follows = excerpt.text[stop : stop + 1]
            if re.search(r"\\[A-Za-z]+\Z", macro.body) and follows.isalpha():
                pieces.append(Excerpt(" ", [place]))
            end = stop
        return join([*pieces, excerpt[end:]]) if pieces else excerpt


def _macro(match: re.Match[str], place: int, known: dict[str, tuple[Macro, ...]]) -> Macro | None:
    if match["body"] is not None:
        count = int(match["count"] or 0)
        return Macro(match["braced"] or match["name"], count, match["default"], match["body"][1:-1], place)
    if match["defbody"] is not None:
        return Macro(match["def"], match["pattern"].count("#"), None, match["defbody"][1:-1], place)
    if match["let"] is not None:
        if match["let"] == match["other"]:
            return None
        same = known.get(match["other"])
        return (
            Macro(match["let"], same[-1].count, same[-1].default, same[-1].body, place)
            if same
            else Macro(match["let"], 0, None, match["other"], place)
        )
    return Macro(match["operator"], 0, None, rf"\operatorname{match['text']}", place)


def _arguments(excerpt: Excerpt, at: int, macro: Macro) -> tuple[list[Excerpt] | None, int]:
    """The arguments that stand behind a macro, and where they end; None where one is missing."""
    text, arguments = excerpt.text, []
    for number in range(macro.count):
        if number == 0 and macro.default is not None:
            optional = re.compile(r"\s*\[([^\]]*)\]").match(text, at)
            if optional:
                arguments.append(excerpt[optional.start(1) : optional.end(1)])
                at = optional.end()
            else:
                arguments.append(Excerpt(macro.default, [excerpt.place(at - 1)] * len(macro.default)))
            continue
        while at < len(text) and text[at].isspace():
            at += 1
        stop = _token(text, at)
        if stop is None:
            return None, at
        braced = text[at] == "{"
        arguments.append(excerpt[at + 1 : stop - 1] if braced else excerpt[at:stop])
        at = stop
    return arguments, at


def _token(text: str, at: int) -> int | None:
    """The end of the group, macro or character that begins here."""
    if at >= len(text) or text[at] == "}":
        return None
    if text[at] != "{":
        macro = _MACRO.match(text, at)
        return macro.end() if macro else at + 1
    depth = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] in "{}":
            depth += 1 if text[at] == "{" else -1
            if depth == 0:
                return at + 1
        at += 1
    return None


def _filled(macro: Macro, place: int, arguments: list[Excerpt]) -> list[Excerpt]:
    """The body with its arguments, the body's own characters lying where the macro stands."""
    pieces: list[Excerpt] = []
    end = 0
    for match in _PARAMETER.finditer(macro.body):
        text = macro.body[end : match.start()]
        pieces.append(Excerpt(text, [place] * len(text)))
        number = int(match[1])
        if 1 <= number <= len(arguments):
            pieces.append(arguments[number - 1])
        end = match.end()
    text = macro.body[end:]
    return [*pieces, Excerpt(text, [place] * len(text))]
