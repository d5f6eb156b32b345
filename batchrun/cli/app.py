"""The Typer application: which commands there are, in the order in which a user meets them. Nothing is done here."""

from __future__ import annotations

from textwrap import fill
from typing import Annotated

import typer

from batchrun import __version__
from batchrun.cli.bench import bench
from batchrun.cli.calibrate import calibrate
from batchrun.cli.export import export
from batchrun.cli.report import report
from batchrun.cli.run import run
from batchrun.cli.show import show
from batchrun.cli.simulate import EPILOG as SIMULATED_FAULTS
from batchrun.cli.simulate import simulate
from batchrun.cli.status import status
from batchrun.cli.tune import tune
from batchrun.errors import MEANING

WIDTH = 78  # Typer indents by one and fits what is wider to the terminal, but knows no hanging indent
EXIT_CODES = "Exit codes:\n" + "\n".join(
    fill(meaning, WIDTH, initial_indent=f"{int(code):>3}  ", subsequent_indent=" " * 5)
    for code, meaning in MEANING.items()
)

app = typer.Typer(
    name="batchrun",
    help="Runs thousands of LLM requests overnight, and in the morning every item is answered or explained.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (run, status, report, show, export, tune, calibrate):
    app.command()(command)
app.command(epilog=SIMULATED_FAULTS)(simulate)
app.add_typer(bench, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"batchrun {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, metavar="", help="Print the version and exit."),
    ] = False,
) -> None:
    """Runs thousands of LLM requests overnight, and in the morning every item is answered or explained."""
