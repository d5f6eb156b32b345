"""The tables of the benches: plain text in columns, the same on a terminal, in a file and in a mail.

What stands in them is decided by each bench; here is how a figure is written, and that an unknown one is never a 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from batchrun.errors import ExitCode
from batchrun.report.plain import printable

UNKNOWN = "-"  # nothing was measured
NOT_APPLICABLE = "n/a"  # there is nothing that could be measured
GAP = "  "


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1) -> None:
    """The first `labels` columns stand to the left, figures to the right."""
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    for row in cells:
        padded = (
            cell.ljust(width) if place < labels else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        typer.echo(GAP.join(padded).rstrip())


def say(text: str = "") -> None:
    """A line above or below a table."""
    typer.echo(printable(text))


def told(figure: float | None, form: str, factor: float = 1.0) -> str:
    """A figure by a format such as `.2f`."""
    return UNKNOWN if figure is None else format(figure * factor, form)


def times(figure: float | None, digits: int = 2) -> str:
    """A ratio, as a factor."""
    return UNKNOWN if figure is None else f"{figure:.{digits}f} times"


def causes(counts: dict[str, int]) -> str:
    """Why requests failed."""
    return ", ".join(f"{count} {cause}" for cause, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def milliseconds(seconds: float | None) -> str:
    return told(seconds, ".1f", 1000)


def say_spending(spent_usd: float, is_used_up: bool, is_embedded: bool) -> None:
    """What it cost, where it costs anything."""
    if is_embedded:
        return
    say(f"spent ${spent_usd:.4f}" + ("; the budget was used up, so not everything was asked" if is_used_up else ""))


def require_answers(succeeded: int) -> None:
    """A bench in which nothing was answered has measured nothing: exit 1, whatever it could tell."""
    if succeeded == 0:
        raise typer.Exit(int(ExitCode.SOME_FAILED))
