"""The tests again and again on a machine that is busy.

    python -m tests.programs.under_load [--times 10] [--busy 2] [PYTEST ARGUMENT ...]

Beside them so many processes count as fast as they can. Prints what each run ends with; ends with status 1 where one failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--busy", type=int, default=2)
    options, rest = parser.parse_known_args()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    failed = 0
    try:
        for time in range(options.times):
            line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *rest]
            run = subprocess.run(line, capture_output=True, text=True)
            failed += run.returncode != 0
            told = run.stdout.splitlines()
            print(f"{time + 1}: {told[-1] if told else run.stderr}", flush=True)
            print("".join(f"    {line}\n" for line in told if line.startswith("FAILED")), end="", flush=True)
    finally:
        for process in busy:
            process.kill()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
