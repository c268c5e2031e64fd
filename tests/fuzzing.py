"""Hostile documents by the thousand: what the reader, the derivation and the generator make of them.

    python -m tests.fuzzing [--count 20000] [--seed 0] [--jobs 2]

Documents are those of the catalogue and of the page on notation, cut, spliced, doubled and sprinkled with signs; equations made
of random tokens; cells of up to 20 equations that read one another in every way; and noise. Each is read, and what is read is
derived, proved and generated. Everything but a cell or one message of at most a screen is a failure and is printed with the
document; so is whatever takes over two seconds. Ends with status 1 where there is one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

from rnnproof.equations.reader import read_text
from rnnproof.errors import RnnproofError
from rnnproof.generation import generate
from rnnproof.pages import notation
from rnnproof.pages.blocks import Code
from rnnproof.pages.derivation import derive
from rnnproof.pages.written import blocks
from rnnproof.proofs import prove

SECONDS, STOP = 2.0, 30
SCREEN = 24 * 120
TOKENS = (
    r"h_t h_{t-1} h_{t+1} x_t c_t c_{t-1} W R b \alpha \lambda λ \sigma \tanh \exp \mathrm{relu} f g o^{(l)} o^{(l-1)} W_t "
    r"I 0 1 2 + - * / = := \odot \circ \cdot \times ( ) [ ] { } \{ \} _ ^ ^\top ^2 ' , ; & \\ \frac \sqrt \bar \tilde{h} \hat "
    r"\mathbf \text{np} \text{first} \operatorname{x} \begin{pmatrix} \end{pmatrix} \in \mathbb{R}^{n} \left( \right) "
    r"\label{a} \tag{1} \quad \, ~ ; | \| \sum_t \int \infty $ $$ \[ \] \( \) 1e999 0.5 -1 99999999999999999999 ½ ∞ ΢ é 家 "
    "\u202e \x00 \ud800 %"
).split(" ")


def corpus() -> list[str]:
    """What to spoil."""
    folder = resources.files("rnnproof") / "equations" / "catalogue"
    texts = [entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".md")]
    page = blocks(notation.sources()["en"])
    return texts + [block.text for block in page if isinstance(block, Code)]


def _cut(rng: random.Random, text: str, _: str) -> str:
    start, stop = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    return text[:start] + text[stop:]


def _spliced(rng: random.Random, text: str, other: str) -> str:
    return text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]


def _sprinkled(rng: random.Random, text: str, _: str) -> str:
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(TOKENS) + text[at + rng.randint(0, 2) :]
    return text


def _doubled(rng: random.Random, text: str, _: str) -> str:
    start = rng.randrange(len(text) + 1)
    part = text[start : start + rng.randint(1, 40)]
    return text[:start] + part * rng.choice((2, 3, 50, 1000)) + text[start:]


def _nested(rng: random.Random, text: str, _: str) -> str:
    depth = rng.choice((5, 50, 500, 5000))
    left, right = rng.choice(
        (("(", ")"), ("{", "}"), (r"\frac{", "}{2}"), (r"\tanh(", ")"), ("x_{", "}"), (r"\bar{", "}"), ("[", "; x_t]"))
    )
    return f"$h_t = {left * depth}x_t{right * rng.choice((depth, depth - 1))} + h_{{t-1}}$"


def _random(rng: random.Random, text: str, _: str) -> str:
    words = " ".join(rng.choice(TOKENS) for _ in range(rng.randint(3, 60)))
    return f"$$ h_t = {words} + R h_{{t-1}} $$" if rng.random() < 0.7 else words


def _grown(rng: random.Random, text: str, _: str) -> str:
    """Equations of which each reads earlier ones, by products, functions, sums, quotients and stacks."""
    count = rng.randint(2, 20)
    names = ["x_t", "h_{t-1}", *(f"a_{{{place},t}}" for place in range(count))]
    shapes = (
        lambda read: rf"\tanh({' + '.join(f'R_{{{rng.randrange(99)}}} {one}' for one in read)})",
        lambda read: r" \odot ".join(read),
        lambda read: rf"V_{{{len(read)}}} [{'; '.join(read)}]",
        lambda read: rf"\frac{{{read[0]}}}{{2 + \alpha}} + R_{{{rng.randrange(9)}}}^\top {read[-1]}",
        lambda read: rf"(1 - {read[0]}) \odot {read[-1]} + {read[0]} \odot \sigma({read[-1]})",
    )
    lines = [
        f"{names[place + 2]} = {rng.choice(shapes)([rng.choice(names[1 : place + 2]) for _ in range(rng.randint(1, 6))])}"
        for place in range(count)
    ]
    last = " + ".join(rng.sample(names[1:], rng.randint(1, min(5, count))))
    return "$$" + r" \\ ".join([*lines, rf"h_t = {last} + \tanh(W x_t + R h_{{t-1}})"]) + "$$"


def _noise(rng: random.Random, text: str, _: str) -> str:
    return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0x3000), rng.randrange(0x110000)))) for _ in range(200))


SPOIL: tuple[Callable[[random.Random, str, str], str], ...] = (
    _cut,
    _spliced,
    _sprinkled,
    _sprinkled,
    _doubled,
    _nested,
    _random,
    _random,
    _grown,
    _noise,
)


def documents(count: int, seed: int) -> Iterator[str]:
    rng, texts = random.Random(seed), corpus()
    for _ in range(count):
        text = rng.choice(texts)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            text = rng.choice(SPOIL)(rng, text, rng.choice(texts))
        yield text[:200_000]


def outcome(text: str) -> tuple[str, str, float]:
    """What became of a document: "read", "refused", or what is wrong; the details; the seconds."""
    started = time.perf_counter()
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(STOP)
    try:
        for cell in read_text(text):
            derive(cell).text()
            prove(cell)
            if not cell.open_functions:
                generate(cell)
        found, details = "read", ""
    except RnnproofError as error:
        found, details = ("refused", "") if len(str(error)) <= SCREEN else ("a message longer than a screen", str(error))
    except BaseException:
        found, details = "a traceback", traceback.format_exc()[-1500:]
    finally:
        signal.alarm(0)
    seconds = time.perf_counter() - started
    return ("slow" if seconds > SECONDS and found in ("read", "refused") else found), details, seconds


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
    texts = list(documents(options.count, options.seed))
    with multiprocessing.Pool(options.jobs) as pool:
        for text, (found, details, seconds) in zip(texts, pool.imap(outcome, texts, chunksize=20), strict=True):
            tally[found] += 1
            longest = max(longest, seconds)
            if found not in ("read", "refused"):
                print(f"{found}, {seconds:.1f} s: {text[:600]!r} ({len(text)} characters)\n{details}", flush=True)
            if sum(tally.values()) % 1000 == 0 and sys.stderr.isatty():
                print(f"{sum(tally.values())}/{options.count} {dict(tally)}", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{options.count} documents, seed {options.seed}: {dict(tally)}")
    print(f"the longest {longest:.2f} s; at most {peak:.0f} MB a process")
    return 0 if set(tally) <= {"read", "refused"} else 1


if __name__ == "__main__":
    sys.exit(main())
