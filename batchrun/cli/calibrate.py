"""`batchrun calibrate`: the user's own consumer, measured, and the pipe and slots that suit it. Sets nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli.bench_options import Json
from batchrun.cli.bench_table import print_table, say, told

if TYPE_CHECKING:
    from batchrun.bench.calibrate import Calibration

HEAD = ("of each", "n", "mean ms", "p95 ms", "CPU ms", "takes a second", "one slot brings")


def calibrate(
    sink: Annotated[str, typer.Option(help="module:function, looked for in this directory first.", metavar="M:F")],
    target_buffer_ms: Annotated[
        float, typer.Option(min=0.1, help="For how long the consumer may falter before the reader waits.")
    ] = 500.0,
    tokens: Annotated[int, typer.Option(min=1, help="Sent through it; items, if it takes whole answers.")] = 50,
    rate: Annotated[
        float | None,
        typer.Option(min=0.001, help="Tokens (items) a second of one slot. (default: 50, or 0.1)", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Send made-up tokens through your own consumer, and recommend the size of its pipe and how many slots."""
    from dataclasses import asdict

    from batchrun import loop
    from batchrun.bench import calibrate as bench
    from batchrun.cli.terminal import print_json
    from batchrun.errors import BatchrunError
    from batchrun.sinks.chain import build_sink
    from batchrun.sinks.config import SinkConfig
    from batchrun.stream.pipe import SinkFailed

    built = build_sink(SinkConfig(Path.cwd(), functions=(sink,)))
    assert built is not None
    try:
        figures = loop.run(bench.calibrate(built, tokens, target_buffer_ms, rate))
    except SinkFailed as exc:
        raise BatchrunError(f"{exc}; mend the consumer, then calibrate again") from exc
    if json:
        head = {"schema": "batchrun.calibrate/1", "sink": sink, "target_buffer_ms": target_buffer_ms}
        print_json(head | asdict(figures) | {"bears": figures.bears})
    else:
        _print(figures, sink, target_buffer_ms)


def _print(figures: Calibration, sink: str, target_buffer_ms: float) -> None:
    from batchrun.gate.law import GateBounds

    say(f"{figures.count} {figures.unit}s through {sink}, one after the other")
    say()
    print_table(
        HEAD,
        [
            (
                figures.unit,
                str(figures.count),
                f"{figures.mean_ms:.3g}",
                f"{figures.p95_ms:.3g}",
                f"{figures.cpu_ms:.3g}",
                f"{figures.bears:.3g}",
                f"{figures.rate:.3g}",
            )
        ],
    )
    say()
    if figures.pipe_size is None:
        say("it takes whole answers, so there is no pipe to size")
    else:
        size = figures.pipe_size
        say(f"--buffer {size}: ceil({target_buffer_ms:g} ms / {figures.mean_ms:.3g} ms), at least 1")
    if figures.slots is None:
        say("it uses too little CPU to be measured: it is no reason to bound the slots")
    elif figures.slots >= GateBounds().max_slots:
        say("its CPU is no reason to bound the slots")
    else:
        say(f"--max-slots {figures.slots} for each core that it may use, by its CPU at that rate")
    if figures.bears < figures.rate:
        say(
            f"it takes {told(figures.bears, '.3g')} {figures.unit}s a second: it is what limits an item, not its stream"
        )
