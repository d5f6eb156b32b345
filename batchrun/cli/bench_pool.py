"""`batchrun bench pool`: its options and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import causes, milliseconds, print_table, require_answers, say, say_spending, times
from batchrun.report.plain import counted

if TYPE_CHECKING:
    from batchrun.bench.pool import PoolComparison, PoolFigures

HEAD = (
    "connections",
    "made",
    "before",
    "n",
    "failed",
    "first wave",
    "first byte",
    "p95",
    "whole",
    "p95",
    "CPU ms/request",
)


@options.asking
def pool(
    requests: Annotated[int, typer.Option(min=1, help="Requests a client and round.")] = 200,
    concurrency: Annotated[int, typer.Option(min=1, help="How many at once.")] = 10,
    prewarm: Annotated[int, typer.Option(min=1, help="Connections made beforehand, in the pre-warmed pool.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Each client so often, the order turned.")] = 3,
    asked: options.EndpointOptions = options.EMBEDDED,
    json: options.Json = False,
) -> None:
    """A connection per request against a pool of kept ones, and a pool whose connections were made beforehand."""
    from dataclasses import asdict

    from batchrun.bench.pool import PoolPlan, measure_pool
    from batchrun.cli.terminal import print_json

    endpoint = options.endpoint_by(asked)
    plan = PoolPlan(requests=requests, concurrency=concurrency, prewarm=prewarm, rounds=rounds)
    figures = measure_pool(endpoint, plan)
    if json:
        print_json({"schema": "batchrun.bench.pool/1", **asdict(figures)})
    else:
        print_pool(figures, endpoint.is_embedded)
    require_answers(sum(client.succeeded for client in figures.clients))


def print_pool(figures: PoolComparison, is_embedded: bool) -> None:
    """The table, and what it does not say by itself."""
    from batchrun.bench.pool import EMBEDDED_FIRST_BYTE

    plan = figures.plan
    rounds = counted(plan.rounds, "round")
    say(f"{figures.endpoint}: {rounds} of {plan.requests} requests a client, {plan.concurrency} at once;")
    say("times in milliseconds, means and 95th percentiles")
    say()
    print_table(HEAD, [_row(client) for client in figures.clients])
    say()
    say(f"CPU of a request, pool over a connection each: {times(figures.cpu_ratio)}")
    say("first wave: to the first byte of the requests that began before any had ended, for which pre-warming is done")
    say(f"connections were counted by {figures.counted_by}")
    if is_embedded:
        say(f"the embedded provider takes {milliseconds(EMBEDDED_FIRST_BYTE)} ms to the first byte of each answer")
        say("on this machine a connection has no round trip and no TLS: a real one adds two or three round trips")
    for client in figures.clients:
        if client.causes:
            say(f"{client.client}: failed: {causes(client.causes)}")
    say_spending(figures.spent_usd, figures.is_budget_used_up, is_embedded)


def _row(client: PoolFigures) -> tuple[str, ...]:
    first, total = client.first_byte, client.total
    return (
        client.client,
        str(client.connections),
        str(client.prewarmed),
        str(client.requests),
        str(client.failed),
        milliseconds(client.first_wave),
        milliseconds(first.mean if first else None),
        milliseconds(first.p95 if first else None),
        milliseconds(total.mean if total else None),
        milliseconds(total.p95 if total else None),
        milliseconds(client.cpu_a_request),
    )
