"""`batchrun simulate`: the embedded provider alone, for whoever wants to point another client at it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8787,
    scenario: Annotated[str, typer.Option(help="calm, rough, storm, instant, or a TOML or JSON file.")] = "calm",
    seed: Annotated[int | None, typer.Option(help="The same seed, the same faults.")] = None,
    ttft: Annotated[float | None, typer.Option(help="Seconds to the first token.")] = None,
    tokens_per_second: Annotated[float | None, typer.Option(help="Pace of each stream.")] = None,
    log: Annotated[Path | None, typer.Option(help="Append a JSON line per request to this file.")] = None,
) -> None:
    """Serve the embedded provider on 127.0.0.1 until Ctrl-C; its address is printed as one JSON line."""
    options = {"port": port, "scenario": scenario, "seed": seed, "ttft": ttft, "tokens-per-second": tokens_per_second}
    words = [
        word
        for name, value in (options | {"log": log}).items()
        if value is not None
        for word in (f"--{name}", str(value))
    ]
    # In the place of this process: signals reach the server itself, and nothing of ours stays in memory.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "batchrun.simulator", "--forever", *words])
