"""The options of `run`, as Typer wants them: name, type and panel. What they mean stands in the table of settings,
which `config` reads too; values are not read here.

An option that was not given is None, so that the environment and batchrun.toml can have their say. Numbers come as
text, so that a mistake in one is told in the same words wherever it stands. A switch takes nothing, hence its empty
metavar.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from batchrun.settings import SETTINGS

WHAT = "What is asked"
WHO = "Who is asked"
GATE = "How many at once"
CLOCKS = "When an attempt counts as dead"
ENDS = "Retries and the end"
TOLD = "What is told"


def _option(panel: str, setting: str, *names: str, **more: Any) -> Any:
    _, _, default, meaning = SETTINGS[setting]
    help = f"{meaning} (default: {default})"
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=False, **more)


Jobs = Annotated[Path, typer.Argument(metavar="JOBS", help="The job file: one JSON object a line.")]
State = Annotated[Path | None, _option(WHAT, "state", metavar="DIR")]
Limit = Annotated[str | None, _option(WHAT, "limit", metavar="N")]
Only = Annotated[list[str] | None, _option(WHAT, "only", metavar="ID")]
Model = Annotated[str | None, _option(WHAT, "model", metavar="MODEL")]
MaxTokens = Annotated[str | None, _option(WHAT, "max_tokens", metavar="N")]
Stream = Annotated[bool | None, _option(WHAT, "stream", "--stream/--no-stream", metavar="")]

Backend = Annotated[str | None, _option(WHO, "backend", metavar="NAME")]
BaseUrl = Annotated[str | None, _option(WHO, "base_url", metavar="URL")]
KeyFile = Annotated[Path | None, _option(WHO, "key_file", metavar="FILE")]
InsecureHttp = Annotated[bool | None, _option(WHO, "insecure_http", "--insecure-http", metavar="")]
Simulate = Annotated[bool | None, _option(WHO, "simulate", "--simulate", metavar="")]
Scenario = Annotated[str | None, _option(WHO, "scenario", metavar="NAME")]

TargetCpu = Annotated[str | None, _option(GATE, "target_cpu", metavar="PERCENT")]
MinSlots = Annotated[str | None, _option(GATE, "min_slots", metavar="N")]
MaxSlots = Annotated[str | None, _option(GATE, "max_slots", metavar="N")]
Prewarm = Annotated[str | None, _option(GATE, "prewarm", metavar="N")]
Period = Annotated[str | None, _option(GATE, "period", metavar="DURATION")]

ConnectTimeout = Annotated[str | None, _option(CLOCKS, "connect_timeout", metavar="DURATION")]
FirstByteTimeout = Annotated[str | None, _option(CLOCKS, "first_byte_timeout", metavar="DURATION")]
IdleTimeout = Annotated[str | None, _option(CLOCKS, "idle_timeout", metavar="DURATION")]
StallTimeout = Annotated[str | None, _option(CLOCKS, "stall_timeout", metavar="DURATION")]
TotalTimeout = Annotated[str | None, _option(CLOCKS, "total_timeout", metavar="DURATION")]

MaxAttempts = Annotated[str | None, _option(ENDS, "max_attempts", metavar="N")]
GiveUp = Annotated[str | None, _option(ENDS, "give_up", metavar="DURATION")]
DrainTimeout = Annotated[str | None, _option(ENDS, "drain_timeout", metavar="DURATION")]
MaxCost = Annotated[str | None, _option(ENDS, "max_cost", metavar="USD")]
MaxTokensTotal = Annotated[str | None, _option(ENDS, "max_tokens_total", metavar="N")]
Accept = Annotated[str | None, _option(ENDS, "accept", metavar="KINDS")]

Quiet = Annotated[bool | None, _option(TOLD, "quiet", "--quiet", metavar="")]
Json = Annotated[bool | None, _option(TOLD, "json", "--json", metavar="")]
Log = Annotated[Path | None, _option(TOLD, "log", metavar="FILE")]
