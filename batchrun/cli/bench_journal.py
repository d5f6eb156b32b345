"""`batchrun bench journal`: its options and its two tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import NOT_APPLICABLE, causes, milliseconds, print_table, require_answers, say, told

if TYPE_CHECKING:
    from batchrun.bench.journal import JournalComparison, Loop, RateFigures, StreamsFigures

LOOP_HEAD = ("loop late p99", "worst", "loop cores", "other cores")
STREAMS_HEAD = ("streams on", "n", "failed", "item s", "wait ms", "p95", "worst", "% of item", *LOOP_HEAD)
RATE_HEAD = ("finishes on", "n", "commits", "records each", "wait ms", "p95", "worst", "behind", "keeps up", *LOOP_HEAD)


def journal(
    streams: Annotated[int, typer.Option(min=1, help="How many at once.")] = 200,
    items: Annotated[int, typer.Option(min=1, help="Streams on each disk.")] = 1000,
    tokens: Annotated[int, typer.Option(min=2, help="Of an item, about; they come at 20 a second.")] = 60,
    rate: Annotated[int, typer.Option(min=1, help="Finishes a second, in the second table.")] = 1000,
    seconds: Annotated[float, typer.Option(min=0.1, help="For so long.")] = 5.0,
    sync_ms: Annotated[float, typer.Option(min=0, help="An fsync of the slow disk, which is made up.")] = 10.0,
    place: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Whose disk is measured.")] = Path(),
    json: options.Json = False,
) -> None:
    """What it costs that an answer is durable before it counts: on this disk, on a slow one, and without a journal."""
    from dataclasses import asdict

    from batchrun.bench.journal import JournalPlan, measure_journal
    from batchrun.cli.terminal import print_json

    plan = JournalPlan(streams, items, tokens, rate=rate, seconds=seconds, sync_ms=sync_ms)
    figures = measure_journal(plan, place)
    if json:
        print_json({"schema": "batchrun.bench.journal/1", **asdict(figures)})
    else:
        print_journal(figures)
    require_answers(sum(disk.items - disk.failed for disk in figures.streams))


def print_journal(figures: JournalComparison) -> None:
    """Both tables, and what their columns mean."""
    plan = figures.plan
    pace = f"{plan.tokens_a_second:g} a second"
    say(f"{plan.items} items of about {plan.tokens} tokens at {pace}, {plan.streams} at once;")
    say(f"an fsync takes {milliseconds(figures.sync_seconds)} ms on this disk and {plan.sync_ms:g} ms on the slow one")
    say()
    print_table(STREAMS_HEAD, [_streams(disk) for disk in figures.streams])
    say()
    say(f"{plan.rate:,} finishes a second for {plan.seconds:g} s, without streams")
    say()
    print_table(RATE_HEAD, [_rate(disk) for disk in figures.rates])
    say()
    say("wait: from the whole answer to its being durable; behind: ms from the last finish to all being durable")
    say("late: ms that a timer of the event loop came too late, looked at every 5 ms")
    say("cores: CPU over the time measured, of the loop's thread and of all others together, the journal's among them")
    for disk in figures.streams:
        if disk.causes:
            say(f"{disk.disk}: failed: {causes(disk.causes)}")


def _streams(disk: StreamsFigures) -> tuple[str, ...]:
    wait = disk.wait
    waits = (
        (milliseconds(wait.median), milliseconds(wait.p95), milliseconds(disk.worst_wait))
        if wait
        else (NOT_APPLICABLE,) * 3
    )
    return (
        disk.disk,
        str(disk.items),
        str(disk.failed),
        told(disk.wall.mean if disk.wall else None, ".2f"),
        *waits,
        told(disk.wait_share, ".2f", 100) if wait else NOT_APPLICABLE,
        *_loop(disk.loop),
    )


def _rate(disk: RateFigures) -> tuple[str, ...]:
    wait = disk.wait
    return (
        disk.disk,
        str(disk.finished),
        str(disk.commits),
        told(disk.records_a_commit, ".1f"),
        milliseconds(wait.median if wait else None),
        milliseconds(wait.p95 if wait else None),
        milliseconds(disk.worst_wait),
        milliseconds(disk.behind),
        "yes" if disk.keeps_up else "no",
        *_loop(disk.loop),
    )


def _loop(loop: Loop) -> tuple[str, ...]:
    return (
        milliseconds(loop.lag.p99 if loop.lag else None),
        milliseconds(loop.worst_lag),
        told(loop.cores, ".3f"),
        told(loop.other_cores, ".3f"),
    )
