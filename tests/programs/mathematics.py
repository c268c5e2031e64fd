"""The mathematics in Markdown, as GitHub finds it, rendered by MathJax and by KaTeX.

    npm install --prefix FOLDER mathjax@4 katex
    python -m tests.programs.mathematics FOLDER [FILE.md ...]

Without files: README.md and every page in reports/. Prints what either of them cannot render, and ends with status 1 where
there is such a formula.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What GitHub answers with "The following macros are not allowed": they hide text, or define and override others.
REFUSED = frozenset(
    "operatorname mbox phantom hphantom vphantom newcommand renewcommand providecommand newenvironment renewenvironment def "
    "let gdef edef xdef DeclareMathOperator DeclarePairedDelimiter href require unicode class cssId style bbox mathchoice data "
    "includegraphics html htmlClass htmlId htmlStyle htmlData url Verb verb tag label ref eqref color".split()
)

# Every macro that the writers use; MathJax and KaTeX render each of them (the command above is how that was seen).
KNOWN = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega varepsilon varphi vartheta varrho varpi varsigma ell "
    "bar tilde hat dot ddot vec overline underline widetilde widehat check breve acute grave mathring "
    "overrightarrow overleftarrow "
    "mathrm mathbf mathcal mathbb mathit mathsf mathtt mathfrak mathscr boldsymbol text textbf textit textrm textsf texttt "
    "frac tfrac dfrac sqrt left right begin end partial nabla sum prod int odot cdot cdots ldots dots times top circ ast star "
    "tanh exp log sin cos max min cosh sinh erf le leq ge geq lt gt neq infty in cup quad qquad big Big lVert rVert langle "
    "rangle mid equiv triangleq gets leftarrow mapsto to vee sup Vert oplus otimes oslash prime intercal "
    ", ; : ! _ { } \\ | &".split()
) | {" "}
MACRO = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_FENCE = re.compile(r"^(```+|~~~+)(\w*)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_RENDER = """
import {createRequire} from 'node:module'; import {readFileSync} from 'node:fs';
const require = createRequire(process.argv[2] + '/'); const katex = require('katex');
const {default: MathJax} = await import(require.resolve('mathjax'));
await MathJax.init({loader: {load: ['input/tex', 'output/svg']}, tex: {formatError: (_, error) => {throw error}}});
const wrong = [];
for (const [where, tex, display] of JSON.parse(readFileSync(0))) {
  try { katex.renderToString(tex, {displayMode: display, throwOnError: true, strict: 'ignore'}) }
  catch (error) { wrong.push([where, 'KaTeX', error.message]) }
  try { await MathJax.tex2svgPromise(tex, {display}) }
  catch (error) { wrong.push([where, 'MathJax', error.message]) }
}
console.log(JSON.stringify(wrong)); process.exit(0);
"""


def formulas(markdown: str) -> Iterator[tuple[str, bool]]:
    """(TeX, whether it is a display) of what GitHub takes for mathematics."""
    yield from ((match[3], True) for match in _FENCE.finditer(markdown) if match[2] == "math")
    prose = _FENCE.sub("\n", markdown)
    prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", " ", prose, flags=re.DOTALL)
    for match in re.finditer(r"\$\$(.+?)\$\$", prose, re.DOTALL):
        yield match[1], True
    for match in re.finditer(
        r"(?<![\w\\$])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\w$])", re.sub(r"\$\$.+?\$\$", " ", prose, flags=re.DOTALL)
    ):
        yield match[1].replace(r"\|", "|") if "|" in prose else match[1], False


def macros(tex: str) -> set[str]:
    """The macros of a formula."""
    return set(MACRO.findall(tex))


def pages() -> list[Path]:
    """README and every committed page."""
    return [ROOT / "README.md", *sorted((ROOT / "reports").rglob("*.md"))]


def main(folder: str, files: list[str]) -> int:
    work = [
        (f"{path}: {tex[:80]}", tex, display)
        for path in (map(Path, files) if files else pages())
        for tex, display in formulas(path.read_text(encoding="utf-8"))
    ]
    script = Path(folder).resolve() / "render.mjs"
    script.write_text(_RENDER, encoding="utf-8")
    run = subprocess.run(
        ["node", script, Path(folder).resolve()], input=json.dumps(work), capture_output=True, text=True, check=True
    )
    wrong = json.loads(run.stdout)
    for where, renderer, message in wrong:
        print(f"{where}\n    {renderer}: {message}")
    print(f"{len(work)} formulas, {len(wrong)} errors")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
