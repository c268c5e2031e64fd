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
    for found in _PARTS.finditer(text):
        parts += [escape(text[at : found.start()], quote=False), _element(found, link)]
        at = found.end()
    return "".join([*parts, escape(text[at:], quote=False)])


def _element(found: re.Match[str], link: Callable[[str], str]) -> str:
    if found["math"]:
        return mathml.inline(found["math"])
    if found["code"]:
        return f"<code>{escape(found['code'], quote=False)}</code>"
    for tag in ("strong", "em"):
        if found[tag]:
            return f"<{tag}>{html(found[tag], link)}</{tag}>"
    target, label = link(found["target"]), html(found["label"], link)
    return f'<a href="{escape(target)}">{label}</a>' if target else label
