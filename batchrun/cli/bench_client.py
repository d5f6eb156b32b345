"""`batchrun bench client`: its options, its table, its object and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import milliseconds, print_table, say, times, told
from batchrun.errors import UsageError

if TYPE_CHECKING:
    from batchrun.bench.client import CaseFigures, ClientFigures, ManyFigures

HEAD = ("client", "us/event", "streams/core", "KB/stream", "p95 wall s", "first late ms", "end late", "not charged")
REQUEST_HEAD = ("client", "ms/request", "p95 wall ms")
BAR = 50  # characters of the longest bar


def client(
    streams: Annotated[int, typer.Option(min=1, help="How many at once.")] = 100,
    rate: Annotated[
        list[float] | None,
        typer.Option(min=0.1, help="Events a second and stream; may be given again. (default: 50)", show_default=False),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each stream lasts.")] = 10.0,
    tls: Annotated[
        bool, typer.Option("--tls/--no-tls", metavar="", help="Ask over TLS too, one record an event.")
    ] = True,
    many: Annotated[
        int | None,
        typer.Option(min=2, help="Instead: so many streams on one core against one alone.", show_default=False),
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the figures into this file.", metavar="FILE")] = None,
    json: options.Json = False,
) -> None:
    """What a streamed event costs: the usual loop (messages.stream, text_stream), the SDK's raw events, batchrun, and
    the least that is possible."""
    from batchrun.bench.client import Case, measure_cases, measure_many
    from batchrun.cli.terminal import print_json

    rates = rate or [50.0]
    if many is not None:
        if len(rates) > 1 or svg is not None:
            raise UsageError("--many measures one rate, and draws nothing: leave --svg and the other --rate out")
        _tell_many(measure_many(many, rates[0], seconds), is_json=json)
        return
    cases = [Case(streams, each, seconds, is_tls) for is_tls in ((False, True) if tls else (False,)) for each in rates]
    cases.append(Case(streams, 0, 0))
    figures = list(measure_cases(cases))
    if svg is not None:
        from batchrun.cli.bench_drawing import drawing

        svg.write_text(drawing([(_title(figure), _bars(figure)) for figure in figures[:-1]]), encoding="utf-8")
    if json:
        print_json({"schema": "batchrun.bench.client/1", "cases": [_json(figure) for figure in figures]})
        return
    for figure in figures:
        _print(figure)
    if tls and not any(figure.case.is_tls for figure in figures):
        say("nothing over TLS: the openssl program, which makes the certificate, is not installed")


def _tell_many(figures: ManyFigures, *, is_json: bool) -> None:
    from batchrun.cli.terminal import print_json

    case, many = figures.case, figures.many
    if is_json:
        head = {"schema": "batchrun.bench.client_many/1", "streams": case.streams, "rate": case.rate}
        times_alone = {"seconds": case.seconds, "times_alone": figures.times_alone, "cores": many.cores}
        print_json(
            head | times_alone | {"many": _json_of(many, case.rate), "alone": _json_of(figures.alone, case.rate)}
        )
        return
    say(f"{_title(figures)}, begun within {case.spread:.1f} s")
    say()
    rows = {f"{case.streams:,}": many, "alone": figures.alone}
    print_table(("streams", *HEAD[1:]), [(name, *_row(each, case.rate)[1:]) for name, each in rows.items()])
    say()
    say(f"p95 wall: {figures.times_alone:.3f} times that of one alone; {many.cores:.0%} of a core")
    say(f"at 95 % of its moments the server had sent everything less than {milliseconds(many.server_late)} ms late")


def _print(figures: CaseFigures) -> None:
    say(_title(figures))
    say()
    if not figures.case.rate:
        print_table(REQUEST_HEAD, [_request_row(each) for each in figures.clients.values()])
        return
    print_table(HEAD, [_row(each, figures.case.rate) for each in figures.clients.values()])
    say()
    longest = max(cost for _, cost in _bars(figures))
    for name, cost in _bars(figures):
        say(f"{name:9} {'█' * max(1, round(BAR * cost / longest))} {cost:.1f} us")
    say()
    usual, floor = figures.ratio("batchrun", "articles"), figures.ratio("batchrun", "floor")
    say(f"batchrun / articles: {told(usual, '.3f')}, batchrun / floor: {times(floor)}")
    say()


def _title(figures: CaseFigures | ManyFigures) -> str:
    case = figures.case
    if not case.rate:
        return f"{case.streams} whole answers of {case.tokens} tokens at once: what a request costs beside its events"
    way = "over TLS" if case.is_tls else "plain"
    streams = f"{case.streams} streams of {case.rate:g} events/s for {case.seconds:g} s"
    return f"{streams}, {way}, client and server on cores of their own"


def _bars(figures: CaseFigures) -> Sequence[tuple[str, float]]:
    return [(name, each.microseconds_an_event) for name, each in figures.clients.items()]


def _json(figures: CaseFigures) -> dict[str, object]:
    case = figures.case
    head = {"streams": case.streams, "rate": case.rate, "seconds": case.seconds, "tls": case.is_tls}
    ratios = {f"to_{other}": figures.ratio("batchrun", other) for other in ("articles", "raw", "floor")}
    return head | {"clients": [_json_of(each, case.rate) for each in figures.clients.values()], "ratios": ratios}


def _json_of(figure: ClientFigures, rate: float) -> dict[str, object]:
    return {
        "client": figure.client,
        "us_an_event": figure.microseconds_an_event,
        "ms_a_request": figure.milliseconds_a_stream,
        "streams_a_core": figure.streams_a_core(rate) if rate else 0.0,
        "kb_a_stream": figure.stream_kb,
        "events": figure.events,
        "cpu_s": figure.cpu_seconds,
        "wall_s": figure.wall_seconds,
        "wall_p95_s": figure.wall_p95,
        "first_late_p95_s": figure.late_first_p95,
        "end_late_mean": figure.late_end_mean,
        "peak_mb": figure.peak_mb,
        "unattributed": figure.unattributed,
        "server_late_p95_s": figure.server_late,
    }


def _row(figure: ClientFigures, rate: float) -> tuple[str, ...]:
    return (
        figure.client,
        f"{figure.microseconds_an_event:.1f}",
        f"{figure.streams_a_core(rate):,.0f}",
        f"{figure.stream_kb:.0f}",
        f"{figure.wall_p95:.2f}",
        milliseconds(figure.late_first_p95),
        f"{figure.late_end_mean:.1%}",
        told(figure.unattributed, ".0%"),
    )


def _request_row(figure: ClientFigures) -> tuple[str, ...]:
    return figure.client, f"{figure.milliseconds_a_stream:.2f}", milliseconds(figure.wall_p95)
