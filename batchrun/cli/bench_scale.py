"""`batchrun bench scale`: its options and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import print_table, say

if TYPE_CHECKING:
    from batchrun.bench.scale import ScaleFigures

HEAD = ("command", "seconds", "at most", "CPU s", "peak MB", "at most")


def scale(
    items: Annotated[int, typer.Option(min=1, help="Finished items; a million take 1.3 GB.")] = 1_000_000,
    pending: Annotated[int | None, typer.Option(min=0, help="Items besides. (default: one in a hundred)")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each command runs; the median is told.")] = 3,
    json: options.Json = False,
) -> None:
    """A start, `status` and `report` on the journal of a million finished items, made in a temporary directory."""
    from dataclasses import asdict

    from batchrun.bench.scale import ScalePlan, measure_scale
    from batchrun.cli.terminal import print_json

    figures = measure_scale(ScalePlan(items, items // 100 if pending is None else pending, rounds))
    if json:
        print_json({"schema": "batchrun.bench.scale/1", **asdict(figures)})
        return
    plan = figures.plan
    say(f"{plan.items:,} finished items; checkpoint.jsonl has {_mb(figures.checkpoint_bytes)} MB")
    say(f"({figures.checkpoint_line:.0f} bytes a line), results.jsonl {_mb(figures.results_bytes)} MB,")
    say(f"the job file {_mb(figures.jobs_bytes)} MB; the median of {plan.rounds} is told")
    say()
    print_table(HEAD, [_row(command) for command in figures.commands])
    say()
    say("at most: what is asked of a million items; a start ends when it is known what is pending")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f}"


def _row(figures: ScaleFigures) -> tuple[str, ...]:
    return (
        figures.what,
        f"{figures.wall_seconds:.2f}",
        "" if figures.most_seconds is None else f"{figures.most_seconds:g}",
        f"{figures.cpu_seconds:.2f}",
        f"{figures.peak_mb:.0f}",
        "" if figures.most_mb is None else f"{figures.most_mb:g}",
    )
