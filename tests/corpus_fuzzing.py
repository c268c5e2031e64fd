"""Documents of the corpus, mutated by the thousand: what the reader makes of them beside what it makes of the originals.

    python -m tests.corpus_fuzzing [--count 20000] [--seed 0] [--jobs 2]

Three kinds of mutation, each with what has to hold:
- a symbol in an equation that a cell has becomes another letter: the reading changes, or the document is refused;
- what means nothing changes (spacing, sizes of brackets, a comment, the sign of the elementwise product): the reading stays;
- characters or lines are lost, doubled, exchanged: whatever is read, every equation of the document is in a cell or is passed
  over with its reason: nothing vanishes without a word.
And in every case: a cell, or one message; no traceback, nothing over two seconds. Ends with status 1 where one of this does not
hold, and prints the document.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import re
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rnnproof.equations import containers, reader, source
from rnnproof.errors import RnnproofError

CORPUS = Path(__file__).parent / "equations" / "corpus"
SECONDS, STOP = 2.0, 30
# A letter in mathematics that is no part of a macro or of a word in braces.
_LETTER = re.compile(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])")
_LETTERS = "abcdegjklmopqrsuvwyzABCDEGJKLMPQRSUVWXYZ"


@dataclass(frozen=True)
class Mutant:
    """A mutated document: which, what was done, the text, and "changed", "same" or "accounted" for what has to hold."""

    path: Path
    done: str
    text: str
    due: str


def documents() -> list[Path]:
    """The documents that are read."""
    paths = sorted(path for path in CORPUS.iterdir() if path.suffix != ".toml")
    return [path for path in paths if "refused" not in tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))]


def told(reading: reader.Reading) -> Any:
    """What is compared: the cells, but for where and how they are printed; and the equations passed over."""
    cells = []
    for cell in reading.cells:
        read = cell.reading()
        equations = tuple((str(e.symbol), str(e.expression)) for e in cell.equations)
        shapes = tuple((one.name, one.shape) for one in (*read.states, *read.inputs, *read.parameters))
        cells.append((read.index, equations, shapes, read.functions, read.assumed))
    over = frozenset(entry.tex for entry in reading.passed_over if "=" in entry.tex)
    return tuple(cells), over


@cache
def original(path: Path) -> Any:
    """The reading of a document as it stands."""
    return told(reader.read_report(path))


@cache
def spans(path: Path) -> tuple[tuple[int, int], ...]:
    """Where in a document's text equations stand that a cell has, each as (start, stop)."""
    page = containers.opened(path)
    report = reader.read_report(path)
    used = {equation.where for cell in report.cells for equation in cell.equations}
    over = {(entry.where, entry.tex) for entry in report.passed_over}
    found = []
    for printed in source.equations(containers.taken_apart(page)):
        places = printed.excerpt.places
        straight = len(places) and places[-1] - places[0] == len(places) - 1
        where = page.where(printed.offset)
        if straight and printed.is_relation and where in used and (where, printed.shown) not in over:
            found.append((places[0], places[-1] + 1))
    return tuple(found)


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    rng, paths = random.Random(seed), documents()
    while count:
        path = rng.choice(paths)
        mutant = rng.choice((_symbol, _symbol, _neutral, _spoilt, _spoilt))(rng, path)
        if mutant is not None:
            count -= 1
            yield mutant


def _symbol(rng: random.Random, path: Path) -> Mutant | None:
    text, places = path.read_text(encoding="utf-8"), spans(path)
    if not places or path.suffix == ".ipynb":
        return None
    start, stop = rng.choice(places)
    letters = [match for match in _LETTER.finditer(text, start, stop) if not _in_words(text, start, match.start())]
    if not letters:
        return None
    match = rng.choice(letters)
    if re.search(r"\\sum_\s*\{[^{}]*\}\s*\^\s*\{?\s*\Z", text[start : match.start()]):
        return None  # how many terms a sum has is told by its matrix
    new = rng.choice([letter for letter in _LETTERS if letter != match[0]])
    mutated = text[: match.start()] + new + text[match.end() :]
    return Mutant(path, f"{match[0]} -> {new} in {text[start:stop]!r}", mutated, "changed")


def _in_words(text: str, start: int, at: int) -> bool:
    """Whether a place is within the braces of a text, a colour or a label."""
    return (
        re.search(r"\\(?:text\w*|operatorname\*?|label|color|textcolor|begin|end|tag)\s*\{[^{}]*\Z", text[start:at]) is not None
    )


_NEUTRAL = (
    (r"(?<=[=+])(?= )", r"\\,"),
    (r"(?<!\\)\\odot(?![A-Za-z])", r"\\circ"),
    (r"(?<![\\A-Za-z])\((?=[A-Za-z1])", r"\\bigl("),
    (r"(?<=[=+]) ", "  "),
    (r"\\tanh(?=\()", r"\\tanh\\!"),
)


def _neutral(rng: random.Random, path: Path) -> Mutant | None:
    text, places = path.read_text(encoding="utf-8"), spans(path)
    if not places or path.suffix in (".ipynb", ".py", ".jl"):
        return None
    start, stop = rng.choice(places)
    pattern, new = rng.choice(_NEUTRAL)
    mutated = text[:start] + re.sub(pattern, new, text[start:stop], count=1) + text[stop:]
    if mutated == text or (r"\circ" in new and re.search(r"\\circ|∘|conv|合成|卷积|畳", text)):
        return None
    return Mutant(path, f"{pattern} -> {new} in {text[start:stop]!r}", mutated, "same")


def _spoilt(rng: random.Random, path: Path) -> Mutant | None:
    text = path.read_text(encoding="utf-8")
    at = rng.randrange(len(text))
    kind = rng.choice(("lost", "doubled", "exchanged", "put in", "line lost", "line doubled", "lines exchanged"))
    lines = text.split("\n")
    row, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == "lost":
        mutated = text[:at] + text[at + 1 :]
    elif kind == "doubled":
        mutated = text[:at] + text[at] + text[at:]
    elif kind == "exchanged":
        mutated = text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]
    elif kind == "put in":
        mutated = text[:at] + rng.choice(list("{}()[]_^$\\&=+-'hxWt1 ")) + text[at:]
    else:
        if kind == "line lost":
            del lines[row]
        elif kind == "line doubled":
            lines.insert(row, lines[row])
        else:
            lines[row], lines[other] = lines[other], lines[row]
        mutated = "\n".join(lines)
    return Mutant(path, f"{kind} at {at}, lines {row}, {other}", mutated, "accounted")


def outcome(mutant: Mutant) -> tuple[str, str, float]:
    """What became of a mutant: "read", "refused", or what is wrong; the details; the seconds."""
    started = time.perf_counter()
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(STOP)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / mutant.path.name
            path.write_text(mutant.text, encoding="utf-8")
            report = reader.read_report(path)
            found, details = "read", broken(mutant, path, report)
            found = "misread" if details else "read"
    except RnnproofError:
        found, details = "refused", ""
    except BaseException:
        found, details = "a traceback", traceback.format_exc()[-1500:]
    finally:
        signal.alarm(0)
    seconds = time.perf_counter() - started
    return ("slow" if seconds > SECONDS and found in ("read", "refused") else found), details, seconds


def broken(mutant: Mutant, path: Path, report: reader.Reading) -> str:
    """What does not hold, or nothing."""
    if mutant.due == "changed" and told(report) == original(mutant.path):
        return "the reading is that of the original"
    if mutant.due == "same" and told(report)[0] != original(mutant.path)[0]:
        return "the reading is not that of the original"
    page = containers.opened(path)
    used = {equation.where for cell in report.cells for equation in cell.equations}
    used |= {body.where for cell in report.cells for body in cell.bodies}
    over = {entry.where for entry in report.passed_over}
    for printed in source.equations(containers.taken_apart(page)):
        where = page.where(printed.offset)
        defines = "=" in printed.tex and r"\in" not in printed.tex
        if defines and where not in used | over:
            return f"{printed.shown} ({where}) is in no cell, and not passed over"
    return ""


def _late(*_: Any) -> None:
    raise TimeoutError(f"over {STOP} s")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    tally: Counter[str] = Counter()
    longest = 0.0
    texts = list(mutants(options.count, options.seed))
    with multiprocessing.Pool(options.jobs) as pool:
        for mutant, (found, details, seconds) in zip(texts, pool.imap(outcome, texts, chunksize=50), strict=True):
            tally[found] += 1
            longest = max(longest, seconds)
            if found not in ("read", "refused"):
                print(f"{found}, {seconds:.1f} s: {mutant.path.name}, {mutant.done}\n    {details}", flush=True)
            if sum(tally.values()) % 1000 == 0 and sys.stderr.isatty():
                print(f"{sum(tally.values())}/{options.count} {dict(tally)}", file=sys.stderr)
    print(
        f"{options.count} mutants of {len(documents())} documents, seed {options.seed}: {dict(tally)}; longest {longest:.2f} s"
    )
    return 0 if set(tally) <= {"read", "refused"} else 1


if __name__ == "__main__":
    sys.exit(main())
