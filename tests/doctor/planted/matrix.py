"""Run the doctor on planted mistakes: `python -m tests.doctor.planted.matrix --alone --pairs 20 --healthy 40`."""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from types import FrameType
from typing import Any

from tests.doctor.planted.cases import Case, alone, healthy, together
from tests.doctor.planted.mistakes import ALSO_TRUE, SKIPPED
from tests.doctor.planted.names import CELLS, Sizes
from tests.doctor.planted.passes import make

LIMIT = 600  # seconds for one examination


def run(case: Case) -> dict[str, Any]:
    """Examine one case: the planted and the reported kinds, and the seconds."""
    from rnnproof.doctor import examine

    planted = sorted({name.split("/")[0] for name in case.mistakes})
    result: dict[str, Any] = {"key": case.key, **vars(case), "planted": planted, "doctor": version_of_the_doctor()}
    start = time.perf_counter()
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(LIMIT)
    try:
        report = examine(make(case.cell, case.layout, case.mistakes, Sizes(*case.sizes), case.seed), cell=case.cell)
        result["reported"] = sorted({str(getattr(m.kind, "value", m.kind)) for m in report.mistakes})
        result |= {"ok": bool(report.ok), "text": str(report)}
    except Exception as error:  # the run goes on, and the table shows it
        result |= {"reported": [], "ok": False, "error": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)
    return result | {"seconds": round(time.perf_counter() - start, 2)}


def version_of_the_doctor() -> str:
    """A checksum of its sources: results of a run that goes on may be those of different versions."""
    folder = Path(__file__).parents[3] / "rnnproof" / "doctor"
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.rglob("*.py")))).hexdigest()[:12]


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"{LIMIT} s")


def verdict(result: dict[str, Any]) -> str:
    """exact, wrong (a kind that was not planted), silent (fewer kinds) or error."""
    planted, reported = set(result["planted"]), set(result["reported"])
    if "error" in result:
        return "error"
    if reported == planted:
        return "exact" if planted or result["ok"] else "wrong"
    return "wrong" if reported - planted else "silent"


def cases_of(arguments: argparse.Namespace) -> list[Case]:
    """All cases asked for."""
    cases: list[Case] = []
    for cell in [arguments.cell] if arguments.cell else CELLS:
        if arguments.alone:
            cases += alone(cell, arguments.seed, arguments.variants)
        for size, number in ((2, arguments.pairs), (3, arguments.triples)):
            cases += together(cell, size, number, arguments.seed)
        cases += healthy(cell, arguments.healthy, arguments.seed)
    return cases


def results_of(cases: list[Case], file: Path | None, jobs: int) -> Iterator[dict[str, Any]]:
    """Results, those of an interrupted run first; each new one is appended to the file."""
    old = {}
    if file and file.exists():
        old = {result["key"]: result for result in map(json.loads, file.read_text().splitlines())}
    yield from (old[case.key] for case in cases if case.key in old)
    left = [case for case in cases if case.key not in old]
    for n, result in enumerate(_examined(left, jobs), 1):
        if file:
            with file.open("a") as out:
                out.write(json.dumps(result) + "\n")
        print(f"{n}/{len(left)} {result['seconds']:6.1f} s {verdict(result):6} {result['key']}", file=sys.stderr, flush=True)
        yield result


def _examined(cases: list[Case], jobs: int) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        yield from map(run, cases)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(run, case) for case in cases]):
            yield future.result()


def table(results: list[dict[str, Any]]) -> str:
    """Shares and seconds of each group and cell."""
    lines = [
        f"{'':8} {'cell':16} {'cases':>5} {'exact':>7} {'wrong':>7} {'silent':>7} {'error':>7} {'mean s':>7} {'longest':>7}"
    ]
    for group, cell in sorted({(r["group"], r["cell"]) for r in results}, key=lambda row: (row[0], CELLS.index(row[1]))):
        rows = [r for r in results if (r["group"], r["cell"]) == (group, cell)]
        verdicts = [verdict(r) for r in rows]
        shares = " ".join(f"{verdicts.count(v) / len(rows):7.1%}" for v in ("exact", "wrong", "silent", "error"))
        seconds = [r["seconds"] for r in rows]
        lines.append(f"{group:8} {cell:16} {len(rows):5} {shares} {sum(seconds) / len(rows):7.1f} {max(seconds):7.1f}")
    return "\n".join(lines)


def line_of(result: dict[str, Any]) -> str:
    """One result that is not exact, with a note where what was reported is another true name of the same numbers."""
    reported = result.get("error") or ", ".join(result["reported"]) or "nothing"
    also = {kind for name in result["mistakes"] for kind in ALSO_TRUE.get(name, "").split()}
    true = bool(result["reported"]) and set(result["reported"]) <= also | set(result["planted"])
    note = " (another true name)" if true else ""
    return (
        f"{verdict(result):6} {result['key']}: planted {', '.join(result['planted']) or 'nothing'}; reported {reported}{note}"
    )


def main() -> None:
    """Run the cases asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=SKIPPED, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alone", action="store_true", help="every mistake alone")
    parser.add_argument(
        "--variants", type=int, default=0, metavar="N", help="with --alone: N variants of a kind in each layout"
    )
    for group in ("pairs", "triples", "healthy"):
        parser.add_argument(f"--{group}", type=int, default=0, metavar="N", help=f"N {group} for each cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cell", choices=CELLS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="JSON lines; a run with the same file goes on where it ended")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="only list the cases")
    arguments = parser.parse_args()
    cases = cases_of(arguments)
    if arguments.list:
        print("\n".join(case.key for case in cases))
        return
    results = sorted(results_of(cases, arguments.json, arguments.jobs), key=lambda result: str(result["key"]))
    print(table(results))
    versions = sorted({str(result.get("doctor")) for result in results})
    print(f"versions of the doctor: {', '.join(versions)}")
    for result in results:
        if verdict(result) != "exact":
            print(line_of(result))


if __name__ == "__main__":
    main()
