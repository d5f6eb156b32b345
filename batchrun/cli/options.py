"""The options of `run`, as Typer wants them: name, type, help and panel. Values are read in `config`, not here.

An option that was not given is None, so that the environment and batchrun.toml can have their say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

WHAT = "What is asked"
WHO = "Who is asked"
GATE = "How many at once"
CLOCKS = "When an attempt counts as dead"
ENDS = "Retries and the end"
TOLD = "What is told"


def _option(panel: str, help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=False, **more)


Jobs = Annotated[Path, typer.Argument(metavar="JOBS", help="The job file: one JSON object a line.")]
State = Annotated[Path | None, _option(WHAT, "Where the state goes. (default: beside JOBS, ending .batchrun)")]
Limit = Annotated[int | None, _option(WHAT, "Ask only the first N pending items.", min=1, metavar="N")]
Only = Annotated[list[str] | None, _option(WHAT, "Ask only this item; may be given again.", metavar="ID")]
Model = Annotated[str | None, _option(WHAT, "For lines that name none. (default: claude-haiku-5-5)")]
MaxTokens = Annotated[int | None, _option(WHAT, "For lines that say nothing. (default: 2048)", min=1, metavar="N")]
Stream = Annotated[
    bool | None, _option(WHAT, "Whether answers are streamed. (default: stream)", "--stream/--no-stream")
]

Backend = Annotated[str | None, _option(WHO, "For lines that name none. (default: claude)", metavar="NAME")]
BaseUrl = Annotated[str | None, _option(WHO, "Without /v1. (default: what the SDK resolves)", metavar="URL")]
KeyFile = Annotated[Path | None, _option(WHO, "A file that holds the key, mode 0600; for cron.", metavar="FILE")]
InsecureHttp = Annotated[bool | None, _option(WHO, "Allow http beyond this machine.", "--insecure-http")]
Simulate = Annotated[bool | None, _option(WHO, "Ask the embedded provider; costs nothing.", "--simulate")]
Scenario = Annotated[str | None, _option(WHO, "With --simulate: calm, rough, storm, instant, or a file.")]

TargetCpu = Annotated[float | None, _option(GATE, "Per cent of the host. (default: 70)", metavar="PERCENT")]
MinSlots = Annotated[int | None, _option(GATE, "Never fewer at once. (default: 1)", min=1, metavar="N")]
MaxSlots = Annotated[int | None, _option(GATE, "Never more at once. (default: 256)", min=1, metavar="N")]
Prewarm = Annotated[int | None, _option(GATE, "Connections to open beforehand. (default: 0)", min=1, metavar="N")]
Period = Annotated[str | None, _option(GATE, "Between two looks at the load. (default: 2s)", metavar="DURATION")]

ConnectTimeout = Annotated[str | None, _option(CLOCKS, "To a connection. (default: 10s)", metavar="DURATION")]
FirstByteTimeout = Annotated[str | None, _option(CLOCKS, "To the first byte. (default: 120s)", metavar="DURATION")]
IdleTimeout = Annotated[str | None, _option(CLOCKS, "Without a single byte. (default: 60s)", metavar="DURATION")]
StallTimeout = Annotated[str | None, _option(CLOCKS, "With nothing but pings. (default: 600s)", metavar="DURATION")]
TotalTimeout = Annotated[str | None, _option(CLOCKS, "For the whole attempt. (default: 3600s)", metavar="DURATION")]

MaxAttempts = Annotated[int | None, _option(ENDS, "Per item and run. (default: 8)", min=1, metavar="N")]
GiveUp = Annotated[
    str | None, _option(ENDS, "Stop when nothing finishes for so long. (default: 60m)", metavar="DURATION")
]
DrainTimeout = Annotated[
    str | None, _option(ENDS, "For items in flight, once stopping. (default: 20s)", metavar="DURATION")
]
Accept = Annotated[str | None, _option(ENDS, "Of failed,refused,incomplete: no reason for exit 1.", metavar="KINDS")]

Quiet = Annotated[bool | None, _option(TOLD, "Say nothing when all goes well; for cron.", "--quiet")]
Json = Annotated[bool, _option(TOLD, "Print the end as one JSON object.", "--json")]
Log = Annotated[Path | None, _option(TOLD, "Write every decision to this file.", metavar="FILE")]
