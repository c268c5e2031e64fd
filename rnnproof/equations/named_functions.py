"""Which function a document prints a body of: \\sigma(x) = 1/(1 + e^{-x}) is the sigmoid, \\sigma(x) = \\max(0, x) is not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rnnproof.equations import activations
from rnnproof.equations.source import Printed

OTHER = "another function"
_LEFT = re.compile(
    r"\A\s*(?P<name>\\(?:operatorname\*?|mathrm|text|textrm)\s*\{\w+\}|\\?[A-Za-z]+|[σφψϕ])(?P<label>_\w|_\{\w+\})?"
    r"\s*\(\s*(?P<argument>\\?[A-Za-z]+(?:_\w|_\{\w+\})?)\s*\)(?P<entry>_\w|_\{\w+\})?\s*(?:=|:=|≔|\\equiv)(?P<body>[^=]+)"
)
_GREEK = {"σ": "sigma", "φ": "phi", "ψ": "psi", "ϕ": "phi"}
_FORMS = {
    "sigmoid": (
        "1/(1+e^-x)",
        "1/(1+exp(-x))",
        "1/(e^-x+1)",
        "e^x/(1+e^x)",
        "e^x/(e^x+1)",
        "exp(x)/(1+exp(x))",
        "(1+e^-x)^-1",
        "1/2(1+tanh(x/2))",
        "sigma(x)",
        "sigmoid(x)",
    ),
    "tanh": (
        "(e^x-e^-x)/(e^x+e^-x)",
        "(exp(x)-exp(-x))/(exp(x)+exp(-x))",
        "(1-e^-2x)/(1+e^-2x)",
        "(e^2x-1)/(e^2x+1)",
        "sinh(x)/cosh(x)",
        "sinhx/coshx",
        "2sigma(2x)-1",
        "2/(1+e^-2x)-1",
        "tanh(x)",
        "tanhx",
    ),
    "relu": ("max(0,x)", "max(x,0)", "relu(x)"),
}
_KNOWN = {form: name for name, forms in _FORMS.items() for form in forms}


def defined(printed: Iterable[Printed]) -> dict[str, tuple[str, Printed]]:
    """For each function that is printed with its body: the name of that activation, or OTHER, and where.

    Of functions with other names only those whose body is a well-known one.
    """
    found: dict[str, tuple[str, Printed]] = {}
    for equation in printed:
        match = _LEFT.match(equation.tex)
        if match is None or match["label"]:
            continue
        name = re.sub(r"\\(?:operatorname\*?|mathrm|text|textrm)|[\\{}\s]", "", match["name"])
        name = _GREEK.get(name, name)
        body = "" if match["entry"] else _normal(match["body"], match["argument"])
        known = _KNOWN.get(body)
        if known is None and (activations.find(name) is None or re.fullmatch(r"[\d.]*", body)):
            if not match["entry"] or activations.find(name) is None:
                continue
        found.setdefault(name, (known or OTHER, equation))
    return found


def _normal(tex: str, argument: str) -> str:
    """A body in plain characters, fractions as slashes, its argument x."""
    text = re.sub(rf"(?<![A-Za-z\\]){re.escape(argument)}(?![A-Za-z])", " x ", tex)
    text = re.sub(r"\\(?:left|right|operatorname|mathrm|text|rm)(?![A-Za-z])|\\[,;!: ]", "", text)
    for _ in range(4):
        text = re.sub(r"\\[dt]?frac\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r"((\1))/((\2))", text)
    text = re.sub(r"[{}\s\\]|\.$", "", text.replace(r"\{", "(").replace(r"\}", ")"))
    while (shorter := re.sub(r"\(\(([^()]*(?:\([^()]*\)[^()]*)*)\)\)", r"(\1)", text)) != text:
        text = shorter
    text = re.sub(r"(?<![A-Za-z])\((\w[\w^]*|e\^-?\d?x|exp\(-?x\)|sinh\(x\)|cosh\(x\))\)(?=[/+\-]|$)", r"\1", text)
    text = re.sub(r"/\((\w[\w^]*|e\^-?\d?x|exp\(-?x\)|cosh\(x\))\)", r"/\1", text)
    return text.strip(".,;")
