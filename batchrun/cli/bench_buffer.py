"""`batchrun bench buffer`: its options and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import print_table, say, times

if TYPE_CHECKING:
    from batchrun.bench.buffer import BufferFigures

HEAD = ("buffer", "KB/session", "most held", "delay ms", "p99", "lost", "seconds")


def buffer(
    sessions: Annotated[int, typer.Option(min=1, help="Streams at once, a consumer each.")] = 12,
    tokens: Annotated[int, typer.Option(min=1, help="Of each stream.")] = 100,
    consumer_ms: Annotated[float, typer.Option(min=0, help="What the consumer takes for a token.")] = 50.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Tokens a second of each stream.")] = 100.0,
    size: Annotated[int, typer.Option(min=1, help="Of the pipe, in tokens.")] = 16,
    json: options.Json = False,
) -> None:
    """A consumer slower than its stream: a queue without a bound against the pipe of a run."""
    from dataclasses import asdict

    from batchrun.bench.buffer import BufferPlan, measure_buffers
    from batchrun.cli.terminal import print_json

    plan = BufferPlan(sessions, tokens, consumer_ms, rate, size)
    figures = measure_buffers(plan)
    if json:
        buffers = [asdict(one) for one in figures]
        print_json({"schema": "batchrun.bench.buffer/1", "plan": asdict(plan), "buffers": buffers})
        return
    say(f"{sessions} streams of {tokens} tokens at {rate:g} a second; the consumer takes {consumer_ms:g} ms a token")
    say()
    print_table(HEAD, [_row(one, size) for one in figures])
    say()
    queue, pipe = figures
    say(f"memory of the buffer, pipe over queue: {times(pipe.bytes_a_session / (queue.bytes_a_session or 1))}")
    say("delay: from the reader's hand to the consumer's; the queue's grows with the length of the answer")


def _row(figures: BufferFigures, size: int) -> tuple[str, ...]:
    return (
        f"pipe of {size}" if figures.buffer == "pipe" else "queue, no bound",
        f"{figures.bytes_a_session / 1024:.1f}",
        str(figures.most_held),
        f"{figures.delay_mean_ms:.0f}",
        f"{figures.delay_p99_ms:.0f}",
        str(figures.lost),
        f"{figures.seconds:.1f}",
    )
