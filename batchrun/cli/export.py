"""`batchrun export [JOBS]`: the answers in the form that other programs read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli.looking import Jobs, State
from batchrun.cli.switches import listed, one_of
from batchrun.export.choices import Format, Order

if TYPE_CHECKING:
    from batchrun.export.items import Items


def export(
    format: Annotated[
        Format,
        typer.Option(
            parser=one_of(Format),
            metavar=listed(Format),
            help="Whose readers are to read it; jsonl holds all that is known.",
        ),
    ],
    jobs: Jobs = None,
    order: Annotated[
        Order,
        typer.Option(parser=one_of(Order), metavar=listed(Order), help="As in the job file, or as they ended."),
    ] = Order.INPUT,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Replaced once it is whole; - is stdout.")] = Path("-"),
    status: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Only these of done, incomplete, refused, failed, pending; commas between them. (default: all)",
        ),
    ] = None,
    state: State = None,
) -> None:
    """Write the answers as Anthropic or OpenAI batch results, as CSV, or as JSON lines."""
    import sys

    from batchrun.cli.streams import remark
    from batchrun.export.formats import written
    from batchrun.export.items import Items
    from batchrun.export.output import check_apart, write_file, write_stream
    from batchrun.report.source import find_source

    kinds = _kinds(status)
    source = find_source(jobs, state, Path.cwd())
    items = Items(source.state, source.jobs, order, kinds)
    if output == Path("-"):
        if not write_stream(sys.stdout.fileno(), written(format, items)):
            return  # of what was counted so far nothing is worth telling
    else:
        check_apart(output, source.jobs, source.state.path)
        write_file(output, written(format, items))
    for text in _remarks(items):
        remark(text)


def _kinds(text: str | None) -> frozenset[str]:
    from batchrun.export.items import KINDS

    kinds = frozenset(KINDS if text is None else (word.strip() for word in text.split(",")))
    if unknown := sorted(kinds - frozenset(KINDS)):
        raise typer.BadParameter(f"{unknown[0]!r} is not among {', '.join(KINDS)}", param_hint="--status")
    return kinds


def _remarks(items: Items) -> Iterator[str]:
    """What the lines themselves do not say."""
    from batchrun.plural import agreed, counted

    if pending := items.counts["pending"] - items.damaged:
        yield f"{counted(pending, 'item')} not answered yet"
    if items.damaged:
        told = counted(items.damaged, "answer cannot be read and counts", "answers cannot be read and count")
        yield f"{told} as pending; run the jobs again to mend it"
    if items.left_out:
        told = counted(items.left_out, "answer left out, whose id", "answers left out, whose ids")
        them = agreed(items.left_out, "it", "them")
        yield f"{told} the job file does not have; --order finished has {them}"
    if items.jobs_trouble:
        yield f"what is pending is not known: {items.jobs_trouble}"
