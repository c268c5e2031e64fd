"""Inline prose as HTML: $math$, `code`, **bold**, *emphasis*, [label](target); everything else is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from rnnproof.pages.writers.html import mathml

_PARTS = re.compile(
    r"\$(?P<math>[^$]+)\$|`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|(?<![*\w])\*(?P<em>[^*]+)\*(?![*\w])"
    r"|\[(?P<label>[^\]]*)\]\((?P<target>[^)\s]*)\)",
    re.DOTALL,
)


def html(text: str, link: Callable[[str], str]) -> str:
    """The text; `link` turns a target into an address, or "" where there is no such page."""
    parts, at = [], 0
    for match in _PARTS.finditer(text):
        parts += [escape(text[at : match.start()], quote=False), _element(match, link)]
        at = match.end()
    return "".join([*parts, escape(text[at:], quote=False)])


def _element(match: re.Match[str], link: Callable[[str], str]) -> str:
    if match["math"]:
        return mathml.inline(match["math"])
    if match["code"]:
        return f"<code>{escape(match['code'], quote=False)}</code>"
    for tag in ("strong", "em"):
        if match[tag]:
            return f"<{tag}>{html(match[tag], link)}</{tag}>"
    target, label = link(match["target"]), html(match["label"], link)
    return f'<a href="{escape(target)}">{label}</a>' if target else label
