"""`batchrun bench modes`: its options and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import (
    NOT_APPLICABLE,
    UNKNOWN,
    causes,
    milliseconds,
    print_table,
    require_answers,
    say,
    say_spending,
    times,
    told,
)

if TYPE_CHECKING:
    from batchrun.bench.modes import ModeFigures, ModesFigures
    from batchrun.bench.statistics import Statistics

HEAD = ("mode", "seconds to", "n", "succeeded", "failed", "mean", "median", "p95", "p99", "CPU ms/request")


@options.asking
def modes(
    iterations: Annotated[int, typer.Option(min=1, help="Requests in each mode.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, help="How many at once.")] = 10,
    stream_ratio: Annotated[float, typer.Option(min=0, max=1, help="Share of streams in the mixed traffic.")] = 0.7,
    tokens: Annotated[int, typer.Option(min=1, help="Mean length of an answer.")] = 60,
    scenario: options.Scenario = "calm",
    asked: options.EndpointOptions = options.EMBEDDED,
    json: options.Json = False,
) -> None:
    """Streaming against non-streaming, and a mix of both: first token, whole answer, CPU."""
    from dataclasses import asdict

    from batchrun.bench.modes import ModesPlan, measure_modes
    from batchrun.cli.terminal import print_json

    endpoint = options.endpoint_by(asked)
    figures = measure_modes(endpoint, ModesPlan(iterations, concurrency, stream_ratio, tokens), scenario)
    if json:
        print_json({"schema": "batchrun.bench.modes/1", **asdict(figures)})
    else:
        print_modes(figures, endpoint.is_embedded)
    require_answers(sum(mode.succeeded for mode in figures.modes))


def print_modes(figures: ModesFigures, is_embedded: bool) -> None:
    """The table, and what it does not say by itself."""
    plan = figures.plan
    say(f"{figures.endpoint}: {plan.iterations} requests a mode, {plan.concurrency} at once,")
    say(f"about {plan.tokens} tokens an answer; {plan.stream_ratio:.0%} of the mixed requests are streams")
    say()
    print_table(HEAD, [row for mode in figures.modes for row in _rows(mode)], labels=2)
    say()
    say(f"CPU, streaming over non-streaming: {times(figures.cpu_ratio)}")
    if figures.streaming_later is not None:
        say(f"a stream ends {milliseconds(figures.streaming_later)} ms after the document of the same request,")
        say(f"as the median of the {figures.paired_requests} that were answered in both modes")
    say("n/a: a document that comes whole has no first token. Failed requests count in no time.")
    for mode in figures.modes:
        if mode.causes:
            say(f"{mode.mode} failed: {causes(mode.causes)}")
    say_spending(figures.spent_usd, figures.is_budget_used_up, is_embedded)


def _rows(mode: ModeFigures) -> list[tuple[str, ...]]:
    return [
        (mode.mode, "first token", *_spread(mode.ttft, mode.ttft_applies), ""),
        ("", "whole answer", *_spread(mode.total, True, mode), milliseconds(mode.cpu_a_request)),
    ]


def _spread(figures: Statistics | None, applies: bool, counted: ModeFigures | None = None) -> tuple[str, ...]:
    """`counted`: whose requests are counted in this row."""
    n = UNKNOWN if figures is None else str(figures.n)
    ends = ("", "") if counted is None else (str(counted.succeeded), str(counted.failed))
    counts = (n if applies else NOT_APPLICABLE, *ends)
    if figures is None:
        return *counts, *(NOT_APPLICABLE if not applies else UNKNOWN for _ in range(4))
    return *counts, *(told(one, ".3f") for one in (figures.mean, figures.median, figures.p95, figures.p99))
