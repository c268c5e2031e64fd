"""Where equations stand: displays and environments of every kind, inline, bare lines, fences, TeX files; prose around them."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from tests.random_cells.symbol_names import Index

ENVIRONMENTS = (
    *("align", "align*", "aligned", "eqnarray", "eqnarray*", "gather", "gather*", "gathered", "split", "flalign", "multline"),
    *("alignat", "alignedat", "cases", "dcases", "array", "equation", "equation*"),
)
BARE = ("align", "align*", "eqnarray", "eqnarray*", "gather", "equation", "flalign*", "multline*", "alignat*")
_ARGUMENTS = {"alignat": "{2}", "alignat*": "{2}", "alignedat": "{2}", "array": "{lcl}"}
_PROSE = (
    "A cell of its own kind; its gradient flows as it will.",
    "The price is \\$5, and `$h_t = h_{t-1}$` is code.",
    "再帰型ニューラルネットワークは次のように表される。",
    "<!-- $$ h_t = h_{t-1} $$ -->",
    "# Heading\n\nSome *words* before the equations (Author et al., 2016).",
    "The loss is $L = \\sum_t \\|y_t - d_t\\|^2$.",
    '~~~python\nh_t = "$$ h_t = h_{t-1} $$"\n~~~',
)
_SPACES = (r"\,", r"\;", r"\:", r"\!", "\n  ", "~", "  ", " % a remark\n")


def lay_out(rng: Random, used: Counter[str], relations: list[str], declarations: list[str], index: Index) -> str:
    """The document; every relation is `left & sign & right`."""
    relations = [_noisy(rng, used, relation) for relation in relations]
    style = rng.choices(("displays", "environment", "line", "inline", "fence", "bare"), (4, 6, 2, 1, 1, 1))[0]
    if style == "line" and any("\n" in relation for relation in relations):
        style = "displays"
    used[f"layout {style}"] += 1
    if style == "bare":
        return _bare(rng, used, relations, declarations)
    if style == "inline":
        blocks = [f"Here ${_one_line(relation)}$ holds." for relation in relations]
    elif style == "environment":
        blocks = _environments(rng, used, relations)
    elif style == "line":
        separator = rng.choice((", ", r", \quad ", r" \qquad ", "; ", r" \\ "))
        used[f"apart by {separator.strip()}"] += 1
        blocks = [_display(rng, used, separator.join(map(_plain, relations)))]
    elif style == "fence":
        blocks = [f"~~~math\n{_plain(relation)}\n~~~" for relation in relations]
    else:
        blocks = [_display(rng, used, _plain(relation)) for relation in relations]
    return _document(rng, used, blocks, declarations)


def _noisy(rng: Random, used: Counter[str], relation: str) -> str:
    """Spacing, remarks and line breaks at places where they mean nothing; a long sum over several rows."""
    if rng.random() < 0.12:
        space = rng.choice(_SPACES)
        used[f"noise {space.strip() or 'blank'}"] += 1
        relation = re.sub(r" (?=[+-] )", lambda _: f" {space} " if rng.random() < 0.5 else " ", relation)
    return relation


def _plain(relation: str) -> str:
    return relation.replace(" & ", " ")


def _one_line(relation: str) -> str:
    return _plain(relation).replace(" % a remark", "").replace("\n", " ")


def _display(rng: Random, used: Counter[str], text: str) -> str:
    before, after = rng.choice((("$$", "$$"), ("$$\n", "\n$$"), (r"\[", r"\]"), (r"\[ ", r" \]")))
    used[f"display {before.strip()}"] += 1
    if rng.random() < 0.15:
        used["label and tag"] += 1
        text += rng.choice((r" \label{eq:h} \tag{1}", r" \tag{2.1}", ".", ",", r" \qquad (1)"))
    return before + text + after


def _environments(rng: Random, used: Counter[str], relations: list[str]) -> list[str]:
    """All equations in one environment, or in two."""
    cut = rng.randint(1, len(relations)) if rng.random() < 0.3 else len(relations)
    blocks = []
    for rows in (relations[:cut], relations[cut:]):
        if not rows:
            continue
        bare = rng.random() < 0.4
        name = rng.choice(BARE if bare else ENVIRONMENTS)
        used[f"environment {name}"] += 1
        many = name.rstrip("*") in ("eqnarray", "array") or rng.random() < 0.3
        rows = [row if many else row.replace(" & ", " &", 1).replace(" & ", " ") for row in rows]
        if rng.random() < 0.2:
            used["row carried on"] += 1
            rows = [_carried_on(row) for row in rows]
        end = rng.choice((r" \\", r" \\", r", \\", r" \\[2pt]", r" \nonumber \\"))
        body = f"{end}\n".join(rows)
        text = f"\\begin{{{name}}}{_ARGUMENTS.get(name, '')}\n{body}\n\\end{{{name}}}"
        blocks.append(text if bare else _display(rng, Counter(), text) if rng.random() < 0.1 else f"$$\n{text}\n$$")
    return blocks


def _carried_on(row: str) -> str:
    """The row broken before its last + outside brackets."""
    depth, at = 0, 0
    for place, character in enumerate(row):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and row.startswith(" + ", place) and r"\begin" not in row and r"\lbrack" not in row:
            at = place
    return f"{row[:at]} \\\\\n&\\quad{row[at:]}" if at else row


def _document(rng: Random, used: Counter[str], blocks: list[str], declarations: list[str]) -> str:
    """Prose around the displays, with the declarations in it."""
    tex = rng.random() < 0.12
    if declarations:
        sentence = "With " + ", ".join(f"${told}$" for told in declarations) + "," if rng.random() < 0.7 else ""
        if not sentence and not tex:
            used["declared in a display"] += 1
            sentence = (
                f"$$ {', '.join(declarations)} $$"
                if len(declarations) == 1
                else "\n\n".join(f"$$ {d} $$" for d in declarations)
            )
        blocks.insert(rng.randint(0, len(blocks)), sentence or "With " + ", ".join(f"${told}$" for told in declarations))
    if tex:
        used["TeX document"] += 1
        fenced = [re.sub(r"~~~math\n(.*?)\n~~~", r"\\[\1\\]", block, flags=re.S) for block in blocks]
        return "\n".join((r"\documentclass{article}", r"\begin{document} % h_t = $", *fenced, r"\end{document}"))
    if rng.random() < 0.5:
        used["prose"] += 1
        blocks.insert(rng.randint(0, len(blocks)), rng.choice(_PROSE))
    return "\n\n".join(blocks) + "\n"


def _bare(rng: Random, used: Counter[str], relations: list[str], declarations: list[str]) -> str:
    """A text without any delimiter: equations, one a line."""
    lines = [_one_line(relation) for relation in relations]
    if declarations:
        lines[-1] += r", \quad " + ", ".join(declarations)
    return "\n".join(lines)
