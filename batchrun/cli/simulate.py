"""`batchrun simulate`: the embedded provider alone, for whoever wants to point another client at it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer

from batchrun.simulator.faults import FAULTS, FaultKind

WIDTH = 78  # as in app.py
_NAMES = ", ".join(kind for kind in FAULTS if kind is not FaultKind.STATUS)
# The backslash keeps a bracket from being taken for markup.
EPILOG = "\n".join(
    [
        "A prompt can ask for a fault, for so many times, at a place of the answer:",
        r"  \[\[error=529*2]]  \[\[error=429 retry-after=90*1]]  \[\[error=502 html]]",
        r"  \[\[fault=reset at=middle*1]]  \[\[fault=silence at=head]]",
        fill(f"Faults: {_NAMES}.", WIDTH),
        fill(
            "A scenario file has rates for them (rates = { malformed = 0.02, 429 = 0.2 }) and limits "
            "(requests_per_minute, input_tokens_per_minute, output_tokens_per_minute); docs/simulator.md tells more.",
            WIDTH,
        ),
    ]
)


def _option(metavar: str, help: str, **bounds: Any) -> Any:
    return typer.Option(metavar=metavar, help=help, show_default=False, **bounds)


def simulate(
    port: Annotated[int, _option("PORT", "0 takes a free one. (default: 8787)", min=0, max=65535)] = 8787,
    scenario: Annotated[
        str, _option("NAME", "calm, rough, storm, instant, or a TOML or JSON file. (default: calm)")
    ] = "calm",
    seed: Annotated[int | None, _option("N", "The same seed, the same faults. (default: the scenario's)")] = None,
    ttft: Annotated[float | None, _option("SECONDS", "To the first token. (default: the scenario's)")] = None,
    tokens_per_second: Annotated[
        float | None, _option("N", "Pace of each stream; 0 sends all at once. (default: the scenario's)")
    ] = None,
    log: Annotated[Path | None, _option("FILE", "Append a JSON line per request to it. (default: none)")] = None,
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
