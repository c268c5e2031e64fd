"""Everything the layers were compared with, in tables: `python -m tests.programs.tables [--output reports/layers.md]`."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from rnnproof.pages import files
from tests.programs.tables import arguments, exchange, optimizers, training

PARTS = {"Arguments": arguments, "torch and ONNX": exchange, "Optimisers": optimizers, "Training": training}
HEAD = """\
# Layers, optimisers and converters against the frameworks

Made by `python -m tests.programs.tables --output reports/layers.md`; the errors are those of the machine that made it.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="a Markdown file; without it the tables are printed")
    output = parser.parse_args().output
    found = []
    for title, part in PARTS.items():
        print(f"{title} ...", file=sys.stderr)
        found.append(f"## {title}\n\n{part.text('github' if output else 'simple')}\n")
    whole = "\n".join([HEAD, *found])
    if output:
        files.write({output: whole})
    else:
        print(whole)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
