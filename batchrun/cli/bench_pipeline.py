"""`batchrun bench pipeline`: its options and its table."""

from __future__ import annotations

from typing import Annotated

import typer

from batchrun.cli import bench_options as options
from batchrun.cli.bench_table import print_table, say

HEAD = ("program", "items/s", "wall s", "CPU s", "CPU ms/item", "peak MB")


def pipeline(
    items: Annotated[int, typer.Option(min=1, help="Short ones, answered at once.")] = 5000,
    tokens: Annotated[int, typer.Option(min=4, help="Of each answer.")] = 4,
    json: options.Json = False,
) -> None:
    """Short items a second through the whole program, on one core; beside the script that everybody writes."""
    from dataclasses import asdict

    from batchrun.bench.pipeline import AT_ONCE, PipelinePlan, measure_pipeline
    from batchrun.cli.terminal import print_json

    figures = list(measure_pipeline(PipelinePlan(items, tokens)))
    if json:
        print_json({"schema": "batchrun.bench.pipeline/1", "programs": [asdict(each) for each in figures]})
        return
    say(f"{items:,} items of {tokens} tokens, from the start of the program to its end, on one core; the server, which")
    say(f"answers at once, has another one. The script runs {AT_ONCE} at once, keeps no checkpoints and never retries.")
    say()
    rows = [
        (
            each.program,
            f"{each.items_a_second:,.0f}",
            f"{each.wall_seconds:.2f}",
            f"{each.cpu_seconds:.2f}",
            f"{each.milliseconds_an_item:.2f}",
            f"{each.peak_mb:.0f}",
        )
        for each in figures
    ]
    print_table(HEAD, rows)
