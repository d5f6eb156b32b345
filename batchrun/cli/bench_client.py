"""`batchrun bench client`: its options and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import print_table, say, told

if TYPE_CHECKING:
    from batchrun.bench.client import ClientFigures

HEAD = ("client", "us/event", "events", "CPU s", "wall s", "peak MB", "charged to no item")


def client(
    streams: Annotated[int, typer.Option(min=1, help="How many at once.")] = 100,
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second and stream.")] = 50.0,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each stream lasts.")] = 10.0,
    json: options.Json = False,
) -> None:
    """CPU per streamed event: the loop that everybody writes (messages.stream, text_stream) against batchrun's."""
    from batchrun.bench.client import measure_clients
    from batchrun.cli.terminal import print_json

    figures = measure_clients(streams, rate, seconds)
    cost = {figure.client: figure.microseconds_an_event for figure in figures}
    ratio = cost["batchrun"] / cost["articles"]
    if json:
        clients = [_json(figure) for figure in figures]
        head = {"schema": "batchrun.bench.client/1", "streams": streams, "rate": rate}
        print_json(head | {"clients": clients, "ratio": ratio})
        return
    say(f"{streams} streams of {rate:g} events/s for {seconds:g} s, client and server on cores of their own")
    say()
    print_table(HEAD, [_row(figure) for figure in figures])
    say()
    say(f"batchrun / articles: {ratio:.2f}")


def _json(figure: ClientFigures) -> dict[str, object]:
    return {
        "client": figure.client,
        "us_an_event": figure.microseconds_an_event,
        "events": figure.events,
        "cpu_s": figure.cpu_seconds,
        "wall_s": figure.wall_seconds,
        "peak_mb": figure.peak_mb,
        "unattributed": figure.unattributed,
    }


def _row(figure: ClientFigures) -> tuple[str, ...]:
    return (
        figure.client,
        f"{figure.microseconds_an_event:.1f}",
        f"{figure.events:,}",
        f"{figure.cpu_seconds:.2f}",
        f"{figure.wall_seconds:.2f}",
        f"{figure.peak_mb:.0f}",
        told(figure.unattributed, ".0%"),
    )
