"""The command line. Everything heavy is imported inside the subcommand that needs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from rnnproof import __version__
from rnnproof.cli.cell_selection import Found, How, Selection, reads_documents, select
from rnnproof.cli.console import EVERY, WRONG, Bar, Progress, emit, status
from rnnproof.errors import UsageError
from rnnproof.pages.message import LANGUAGES

_output = click.option(
    "--output",
    metavar="FILE|DIR/",
    help="A file; or a folder, there already or ending with a slash.",
)
_several = click.argument("cells", nargs=-1, metavar="[CELL]...")
_one = click.argument("cell", metavar="CELL")
_reports = click.option(
    "--output",
    "--out",
    "output",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
    help="The folder that pages, figures and results are written to.",
)
_PLACES = 12  # of what a document passes over for one reason, so many are told
_SUFFIXES = {"text": ".txt", "markdown": ".md", "latex": ".tex"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""

    def command() -> object:
        # not cli.main, which turns a closed pipe into status 1
        with cli.make_context("rnnproof", sys.argv[1:] if arguments is None else arguments) as context:
            return cli.invoke(context)

    return status(command)


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Gradients of recurrent cells, from the equations a paper prints: derived, proved, generated, checked.

    A CELL is the name of a catalogue cell (see `rnnproof cells`) or the path of a document (Markdown, TeX, reStructuredText,
    HTML, a notebook, Python or Julia source; - for standard input); a document may hold several. Exit status: 0 where
    everything asked for holds, 1 where a check found a wrong gradient or a proof failed, 2 where the input is at fault.

    \b
    Example: rnnproof derive lstm
    """


@cli.command("cells")
def cells_() -> None:
    """List the cells of the catalogue.

    \b
    Example: rnnproof cells
    """
    from rnnproof.pages import tables
    from rnnproof.pages.writers.terminal import table

    click.echo(table(tables.cells(selected.cell for selected in select(()).cells)))


@cli.command("read")
@_one
@partial(reads_documents, reading=False)
@click.option("--json", "as_json", is_flag=True, help="The reading as JSON.")
def read_(cell: str, how: How, as_json: bool) -> None:
    """Tell how a document is read: states, inputs, parameters, functions, what was assumed, what was passed over and why.

    \b
    Example: rnnproof read notes.md
    Example: cat notes.md | rnnproof read - --declare 'beta: scalar'
    """
    from rnnproof.equations.reader import Reading

    selection = select([cell], how)
    reading = Reading(tuple(found.cell for found in selection.cells), tuple(over for _, over in selection.passed_over))
    click.echo(json.dumps(reading.as_dict(), indent=2, ensure_ascii=False) if as_json else str(reading))


@cli.command()
@_one
@reads_documents
@click.option("--format", "form", type=click.Choice(list(_SUFFIXES)), default="text", show_default=True)
@_output
def derive(cell: str, how: How, form: str, output: str | None) -> None:
    """Derive the gradients of a cell: every step, its rule, the gradient of each parameter, the Jacobians.

    Functions the equations leave open stay open. Mathematics of a document that is no equation of a cell is listed on stderr.

    \b
    Example: rnnproof derive gru --format markdown --output gru.md
    """
    from rnnproof.pages import derivation

    selection = select([cell], how)
    _report_passed_over(selection)
    texts = {selected.cell.name: getattr(derivation.derive(selected.cell), form)() for selected in selection.cells}
    emit(texts, _SUFFIXES[form], output, together=form != "latex")


@cli.command()
@_one
@reads_documents
@_output
def generate(cell: str, how: How, output: str | None) -> None:
    """Generate a cell's standalone NumPy module: forward over a sequence, backward in time.

    \b
    Example: rnnproof generate notes.md --bind 'f=\\tanh(W o + b)' --output cells/
    """
    from rnnproof import generation

    selection = select([cell], how).closed()
    emit(
        {selected.cell.name: generation.generate(selected.cell) for selected in selection.cells}, ".py", output, together=False
    )


@cli.command()
@_several
@reads_documents
@click.option("--oracle", "oracles", multiple=True, metavar="NAME", help="Only this oracle; repeatable. All by default.")
@click.option(
    "--dtype", "dtypes", multiple=True, type=click.Choice(["float64", "float32"]), help="Only this dtype. Both by default."
)
@click.option("--module", metavar="FILE.py", help="Check this module of your own, against CELL where one is given.")
@click.option("--seeds", multiple=True, metavar="STATE", help="A state that the loss reads; repeatable. All by default.")
@click.option("--initial", multiple=True, metavar="STATE", help="A state with an initial value; repeatable. All by default.")
@click.option("--no-initial", is_flag=True, help="Every state starts from zero; forward takes no initial states.")
@click.option("--every", is_flag=True, help="A row for every gradient instead of one for each oracle.")
@click.option("--json", "as_json", is_flag=True, help="Every comparison as JSON.")
@click.option("--mutation", is_flag=True, help="Test the check instead: plant faults in the backward pass, count those caught.")
def check(
    cells: tuple[str, ...],
    how: How,
    oracles: tuple[str, ...],
    dtypes: tuple[str, ...],
    module: str | None,
    seeds: tuple[str, ...],
    initial: tuple[str, ...],
    no_initial: bool,
    every: bool,
    as_json: bool,
    mutation: bool,
) -> int:
    """Compare every gradient of the cells' code with every oracle; all catalogue cells by default.

    --module imports, and so runs, the file it names. The table goes to stdout; what is wrong is told on stderr, each fact once.

    \b
    Example: rnnproof check lstm gru --oracle jax --oracle complex
    """
    if mutation and (oracles or dtypes or module or every or as_json or seeds or initial or no_initial):
        raise UsageError("--mutation stands alone: it takes CELL and how to read it, and no other option")
    if initial and no_initial:
        raise UsageError("--initial and --no-initial: give one of them")
    if mutation:
        return _mutation(select(cells, how).closed())
    from rnnproof.pages import tables
    from rnnproof.pages.writers.terminal import table
    from rnnproof.verification.evidence import SILENT, Evidence

    asked = {
        "oracles": oracles or None,
        "dtypes": dtypes or ("float64", "float32"),
        "seeds": seeds or None,
        "initial": initial or not no_initial,
    }
    chosen = select(cells, how).closed().cells if cells or module is None else ()
    evidence = Evidence(tuple(row for part in _evidence(chosen, module, asked) for row in part))
    if as_json:
        click.echo(evidence.json())
    elif every:
        click.echo(evidence.table(by=("cell", "gradient", "oracle", "dtype")))
    else:
        click.echo(table(tables.summary(evidence)))
    differing = [] if module else _printed_gradients(chosen, silent=as_json)
    unheard = [str(row) for row in evidence.failures if row.verdict in SILENT]
    wrong = {row.cell for row in evidence.failures if row.verdict not in SILENT}
    if wrong:
        click.echo(str(Evidence(tuple(row for row in evidence if row.cell in wrong))), err=True)
    if wrong or differing:
        return WRONG
    if unheard:
        raise UsageError("; ".join(unheard) + "; install it, or ask for another oracle")
    return 0


@cli.command()
@click.argument("target", metavar="FILE.py[:NAME]")
@click.option("--cell", metavar="CELL", help="The cell that the loss computes: of the catalogue, or a document's path.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all random numbers.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.option("--markdown", is_flag=True, help="The report in Markdown, with the errors by gradient and length.")
def examine(target: str, cell: str | None, seed: int, as_json: bool, markdown: bool) -> int:
    """Name the mistake in a backward pass that somebody wrote.

    FILE.py is imported, and so run. NAME in it (make where none is given) is a function make(T, B, rng) that returns three
    things: loss, a function without arguments that returns a number; arrays, a dict of the NumPy arrays that it reads; and
    claimed, their gradients by name, or a function that returns them. Status 1 where a gradient is wrong.

    \b
    Example: rnnproof examine mine.py:make --cell lstm
    """
    from rnnproof.doctor import examine as examined
    from rnnproof.verification import load_module

    path, _, name = target.partition(":")
    module = load_module(path)
    make = getattr(module, name or "make", None)
    if not callable(make):
        raise UsageError(f"{path} has no function {name or 'make'}; write make(T, B, rng) -> loss, arrays, claimed")
    with Progress() as progress:
        report = examined(make, cell=cell, seed=seed, progress=progress)
    click.echo(report.json() if as_json else report.markdown() if markdown else str(report))
    return 0 if report.ok else WRONG


def _printed_gradients(chosen: Sequence[Found], silent: bool) -> list[Any]:
    """Tell how the gradients that the documents print compare with the derived ones; those that differ, on stderr too."""
    from rnnproof.pages.printed_gradient_blocks import verdicts
    from rnnproof.pages.writers.terminal import bullets
    from rnnproof.verification.gradient_comparison import DIFFERS, compare_printed_gradients

    compared = [one for selected in chosen for one in compare_printed_gradients(selected.cell)]
    if compared and not silent:
        click.echo("\n" + bullets(verdicts(compared)))
    differing = [one for one in compared if one.verdict == DIFFERS]
    for one in differing:
        click.echo(str(one), err=True)
    return differing


def _evidence(chosen: Sequence[Found], module: str | None, asked: dict[str, Any]) -> list[Any]:
    """The Evidence of each cell, or of the one module."""
    from rnnproof import verification

    with Progress() as progress:
        if module is None:
            return [verification.check(selected.subject, progress=progress, **asked) for selected in chosen]
        if len(chosen) > 1:
            names = ", ".join(selected.cell.name for selected in chosen)
            raise UsageError(f"--module is compared with one cell, and there are {len(chosen)} ({names}); pick one with --cell")
        against = chosen[0].cell if chosen else None
        return [verification.check(verification.load_module(module), against=against, progress=progress, **asked)]


def _mutation(selection: Selection) -> int:
    from rnnproof.verification.mutation import score, score_table

    with Progress() as progress:
        reports = [score(selected.subject, progress=progress) for selected in selection.cells]
    for report in reports:
        click.echo(report.table() + "\n")
    click.echo(score_table(reports))
    return 0 if all(report.ok for report in reports) else WRONG


@cli.command()
@_several
@reads_documents
@click.option("--rules", is_flag=True, help="Prove the rules of the adjoint table (alone, where no CELL is given).")
def prove(cells: tuple[str, ...], how: How, rules: bool) -> int:
    """Prove the derived gradients exactly; without CELL, the rules and every cell of the catalogue.

    \b
    Example: rnnproof prove lstm
    """
    from rnnproof import proofs

    with Progress() as progress:
        reports = [proofs.prove_rules()] if rules or not cells else []
        if cells or not rules:
            reports += [proofs.prove(selected.cell, progress=progress) for selected in select(cells, how).cells]
    click.echo("\n\n".join(report.table() for report in reports))
    return 0 if all(report.proved for report in reports) else WRONG


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--quick", is_flag=True, help="A few trials, in seconds: to see that everything works.")
@click.option("--full", is_flag=True, help="Every combination, in up to an hour.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all random numbers.")
@_reports
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; by default one for each core.")
@click.option("--cluster", metavar="ADDRESS", help="Run the trials on the Dask scheduler there, such as tcp://10.0.0.1:8786.")
def experiment(
    names: tuple[str, ...], quick: bool, full: bool, seed: int, output: Path, jobs: int | None, cluster: str | None
) -> None:
    """Measure how gradients explode, vanish and are clipped: cliff, flow, clipping, temporal-order, gru-vs-lstm, unroll.

    Writes DIR/NAME.md with its tables (Markdown, text, LaTeX, CSV) and figures (SVG, PNG). Every finished trial is kept in
    DIR/trials.sqlite: the same command goes on where it was stopped, and repeats nothing. A quick run writes to DIR/quick,
    gives no verdict, and is read by no other command.

    \b
    Example: rnnproof experiment cliff --output reports
    """
    from rnnproof.study import experiments
    from rnnproof.study.experiment_pages import write

    if quick and full:
        raise UsageError("--quick and --full: give one of them")
    output = output / "quick" if quick else output
    scale = "quick" if quick else "full" if full else "default"
    for name in names:
        experiments.load(name)  # an unknown name is told before any work is done
    for name in names:
        with Bar(name) as bar:
            written = write(name, output, scale=scale, seed=seed, jobs=jobs, cluster=cluster, progress=bar.start)
        click.echo(written.text() + "\n")
        click.echo(f"{name}: {written.ran} trials run, {written.found} found done")
        click.echo(f"wrote {output / name}.md, its tables and figures ({len(written.paths)} files)")


@cli.command("claims")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--findings",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
    help="Where `rnnproof experiment` has written to.",
)
@click.option("--lang", "language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True)
def claims_(names: tuple[str, ...], findings: Path, language: str) -> None:
    """Test what the lecture says: a verdict for every claim, computed from proofs, counts and measurements.

    With NAME, the cases in which that claim was tested, and the numbers seen. What needs an experiment that was not run is
    "not measured here"; everything else is tested on the spot, in seconds.

    \b
    Example: rnnproof claims units-is-length go-backwards-output
    """
    from rnnproof.pages.writers.terminal import terminal
    from rnnproof.study import claims_pages
    from rnnproof.study.claims import Sources, ledger

    with Progress() as progress:
        outcomes = ledger(Sources(findings), names, progress)
    click.echo(terminal(claims_pages.in_full(outcomes) if names else claims_pages.overview(outcomes), language), nl=False)


@cli.command()
@click.argument("cells", nargs=-1, metavar="[CELL_OR_DOCUMENT]...")
@reads_documents
@click.option(
    "--lang", "languages", multiple=True, type=click.Choice(LANGUAGES), help="English (default), Japanese; repeatable."
)
@_reports
@click.option("--verbose", is_flag=True, help="The table of all comparisons, and every file written.")
def report(cells: tuple[str, ...], how: How, languages: tuple[str, ...], output: Path, verbose: bool) -> int:
    """Write the pages a person reads, as HTML and Markdown: each cell from its equations to its evidence.

    Without an argument: every cell of the catalogue, the checks, the claims, the experiments whose results are in DIR, how to
    write equations, and an overview, index.html. With one: the pages of these cells alone. What every oracle found is kept in
    DIR/findings/evidence.json; of an oracle that is not installed, what it found before on the same code stays.

    \b
    Example: rnnproof report
    Example: rnnproof report notes.md --output notes --lang ja
    """
    from rnnproof.pages.report import Asked, write
    from rnnproof.study.report_chapter import StudyChapter

    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: not a folder; give one for the pages, --output DIR")
    asked = []
    if cells or how != How():
        selection = select(cells, how)
        _report_passed_over(selection)
        asked = [Asked(selected.cell, selected.word, bool(selected.catalogue)) for selected in selection.cells]
    with Progress(EVERY) as progress:
        written = write(output, asked, languages or LANGUAGES[:1], progress, [StudyChapter(output, progress)])
    if verbose:
        click.echo(written.details + "\n\n" + "\n".join(f"wrote {path}" for path in written.paths))
    click.echo("\n".join(written.lines))
    return 0 if written.ok else WRONG


def _report_passed_over(selection: Selection) -> None:
    """One paragraph on stderr for each reason, with the first few places."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for document, over in selection.passed_over:
        reasons.setdefault((document, over.reason), []).append(f"{over.tex} (line {over.line})")
    for (document, reason), places in reasons.items():
        more = f", and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
        click.echo(f"{document}: passed over, {reason}: {', '.join(places[:_PLACES])}{more}", err=True)
