"""Operator signs that a document uses for convolution: cells here are made of products, and a convolution is none."""

from __future__ import annotations

import re
from functools import lru_cache

_SIGN = r"\\(?:ast|circ|cdot|star|odot|otimes|circledast)(?![A-Za-z])|[*∗⊛∘·⊙⊗]"
_AROUND = r"[\s$'\"`´‘’“”()]*"
_CONVOLUTION = r"(?:convol|cross-correlation|畳み込み|たたみ込み|卷积|faltung)"
_PRODUCT = r"(?:product|multipl|hadamard|element|積|乘|乗)"
_MORE = rf"(?:{_AROUND}(?:,|and|und|と|、){_AROUND}(?:{_SIGN}))*"

# "$*$ and $\circ$ denote the convolution ...", without another formula between; "the convolution operator $*$"
_SAID = re.compile(rf"(?P<signs>(?:{_SIGN}){_MORE}){_AROUND}[^.$]{{0,60}}?{_CONVOLUTION}", re.IGNORECASE)
_SAID_BEFORE = re.compile(
    rf"{_CONVOLUTION}\w*(?:\s+(?:operators?|operations?|signs?|symbols?|is|are|denoted|written|marked|by|as|with|using))*"
    rf"{_AROUND}(?P<signs>{_SIGN})",
    re.IGNORECASE,
)
_A_PRODUCT = re.compile(rf"(?P<signs>(?:{_SIGN})){_AROUND}[^.$]{{0,60}}?{_PRODUCT}", re.IGNORECASE)
_SPOKEN_OF = re.compile(_CONVOLUTION, re.IGNORECASE)
_STAR = re.compile(r"(?<![\^_{\\*])[*∗](?![*}])|(?<![\^_{])\\ast(?![A-Za-z])")


def convolution(tex: str, text: str) -> tuple[int, str] | None:
    """Where an equation may convolve, by the text it stands in: the sign's offset, and why; None where it does not.

    A star is taken for one wherever the text speaks of convolutions and does not say that it is a product.
    """
    said, products, spoken_of = _said(text)
    for match in re.finditer(_SIGN, tex):
        sign = _plain(match.group())
        if sign in said and (sign != "*" or _STAR.match(tex, match.start())):
            return match.start(), f"the text says that {match.group()} is a convolution"
    star = _STAR.search(tex)
    if star and spoken_of and "*" not in products:
        return star.start(), f"the text speaks of convolutions, and does not say that {star.group()} is a product"
    return None


@lru_cache(maxsize=1)  # a page's text is asked about once for each of its equations
def _said(text: str) -> tuple[frozenset[str], frozenset[str], bool]:
    """The signs that the text calls convolutions, those it calls products, and whether it speaks of convolutions."""
    convolutions = {sign for match in (*_SAID.finditer(text), *_SAID_BEFORE.finditer(text)) for sign in _signs(match["signs"])}
    products = {sign for match in _A_PRODUCT.finditer(text) for sign in _signs(match["signs"])}
    return frozenset(convolutions), frozenset(products), _SPOKEN_OF.search(text) is not None


def _signs(text: str) -> set[str]:
    """The signs in a list; of several the star, as a circle beside it is the product."""
    signs = [_plain(sign) for sign in re.findall(_SIGN, text)]
    return set(signs) if len(signs) == 1 else {sign for sign in signs if sign == "*"} or set(signs)


def _plain(sign: str) -> str:
    return {r"\ast": "*", "∗": "*", r"\circ": "∘", r"\cdot": "·", r"\odot": "⊙", r"\otimes": "⊗", r"\circledast": "⊛"}.get(
        sign, sign
    )
