"""`batchrun bench ...`: the measurements, each a subcommand that prints a table or one JSON object."""

from __future__ import annotations

from typing import Annotated

import typer

bench = typer.Typer(help="Measure: free of charge, on the embedded provider.", no_args_is_help=True)


@bench.callback()
def _root() -> None:
    """Measure: free of charge, on the embedded provider."""


@bench.command()
def client(
    streams: Annotated[int, typer.Option(min=1, help="How many at once.")] = 100,
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second and stream.")] = 50.0,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each stream lasts.")] = 10.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """CPU per streamed event: the loop that everybody writes (messages.stream, text_stream) against batchrun's."""
    from batchrun.bench.client import measure_clients
    from batchrun.cli.terminal import print_json

    figures = measure_clients(streams, rate, seconds)
    cost = {figure.client: figure.microseconds_an_event for figure in figures}
    ratio = cost["batchrun"] / cost["articles"]
    if json:
        rows = [
            {
                "client": figure.client,
                "us_an_event": figure.microseconds_an_event,
                "events": figure.events,
                "cpu_s": figure.cpu_seconds,
                "wall_s": figure.wall_seconds,
                "peak_mb": figure.peak_mb,
                "unattributed": figure.unattributed,
            }
            for figure in figures
        ]
        print_json(
            {"schema": "batchrun.bench.client/1", "streams": streams, "rate": rate, "clients": rows, "ratio": ratio}
        )
        return
    typer.echo(f"{streams} streams of {rate:g} events/s for {seconds:g} s, client and server on cores of their own\n")
    typer.echo(
        f"{'client':<10} {'us/event':>9} {'events':>9} {'CPU s':>7} {'wall s':>7} {'peak MB':>8}  charged to no item"
    )
    for figure in figures:
        share = "-" if figure.unattributed is None else f"{figure.unattributed:.0%}"
        typer.echo(
            f"{figure.client:<10} {figure.microseconds_an_event:>9.1f} {figure.events:>9,} {figure.cpu_seconds:>7.2f} "
            f"{figure.wall_seconds:>7.2f} {figure.peak_mb:>8.0f}  {share}"
        )
    typer.echo(f"\nbatchrun / articles: {ratio:.2f}")
