"""The Typer application: which commands there are, in the order in which a user meets them. Nothing is done here.

Each stands in the module of its name. Typer takes a third of a millisecond for each option of each command, so whoever
names a command gets an application with that one alone: `status` is asked for by scripts, again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from textwrap import fill
from typing import Annotated

import typer

from batchrun import __version__
from batchrun.cli.switches import Command, Group
from batchrun.errors import MEANING

WIDTH = 78  # Typer indents by one and fits what is wider to the terminal, but knows no hanging indent
EXIT_CODES = "Exit codes:\n" + "\n".join(
    fill(meaning, WIDTH, initial_indent=f"{int(code):>3}  ", subsequent_indent=" " * 5)
    for code, meaning in MEANING.items()
)

COMMANDS = ("run", "status", "report", "show", "export", "tune", "calibrate", "simulate", "bench")


def app_for(words: Sequence[str]) -> typer.Typer:
    """The application for this command line: with the command that it begins with, or else with all of them."""
    app = typer.Typer(
        name="batchrun",
        cls=Group,
        help="Runs thousands of LLM requests overnight, and in the morning every item is answered or explained.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(_root)
    for name in [name for name in COMMANDS if name in words[:1]] or COMMANDS:
        module = import_module(f"batchrun.cli.{name}")
        command = getattr(module, name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(cls=Command, epilog=getattr(module, "EPILOG", None))(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"batchrun {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, metavar="", help="Print the version and exit."),
    ] = False,
) -> None:
    """Runs thousands of LLM requests overnight, and in the morning every item is answered or explained."""
