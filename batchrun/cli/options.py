"""The options of `run`, as Typer wants them: name, type and panel. What they mean stands in the table of settings,
which `config` reads too; values are not read here.

An option that was not given is None, so that the environment and batchrun.toml can have their say. Numbers come as
text, so that a mistake in one is told in the same words wherever it stands. A switch takes nothing, hence its empty
metavar.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from batchrun.settings import SETTINGS

WHAT = "What is asked"
TO = "Who takes the answers, beside the results file"
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
# In the order in which the command line and `--help` have them.
RUN: dict[str, Any] = {
    "state": Annotated[Path | None, _option(WHAT, "state", metavar="DIR")],
    "limit": Annotated[str | None, _option(WHAT, "limit", metavar="N")],
    "only": Annotated[list[str] | None, _option(WHAT, "only", metavar="ID")],
    "model": Annotated[str | None, _option(WHAT, "model", metavar="MODEL")],
    "max_tokens": Annotated[str | None, _option(WHAT, "max_tokens", metavar="N")],
    "stream": Annotated[bool | None, _option(WHAT, "stream", "--stream/--no-stream", metavar="")],
    "stop_when": Annotated[str | None, _option(WHAT, "stop_when", metavar="JSON")],
    "sink": Annotated[list[str] | None, _option(TO, "sink", metavar="M:F")],
    "each": Annotated[list[str] | None, _option(TO, "each", metavar="COMMAND")],
    "out_dir": Annotated[Path | None, _option(TO, "out_dir", metavar="DIR")],
    "webhook": Annotated[list[str] | None, _option(TO, "webhook", metavar="URL")],
    "buffer": Annotated[str | None, _option(TO, "buffer", metavar="N")],
    "each_parallel": Annotated[str | None, _option(TO, "each_parallel", metavar="N")],
    "sink_timeout": Annotated[str | None, _option(TO, "sink_timeout", metavar="DURATION")],
    "backend": Annotated[str | None, _option(WHO, "backend", metavar="NAME")],
    "base_url": Annotated[str | None, _option(WHO, "base_url", metavar="URL")],
    "key_file": Annotated[Path | None, _option(WHO, "key_file", metavar="FILE")],
    "insecure_http": Annotated[bool | None, _option(WHO, "insecure_http", "--insecure-http", metavar="")],
    "simulate": Annotated[bool | None, _option(WHO, "simulate", "--simulate", metavar="")],
    "scenario": Annotated[str | None, _option(WHO, "scenario", metavar="NAME")],
    "target_cpu": Annotated[str | None, _option(GATE, "target_cpu", metavar="PERCENT")],
    "min_slots": Annotated[str | None, _option(GATE, "min_slots", metavar="N")],
    "max_slots": Annotated[str | None, _option(GATE, "max_slots", metavar="N")],
    "prewarm": Annotated[str | None, _option(GATE, "prewarm", metavar="N")],
    "law": Annotated[str | None, _option(GATE, "law", metavar="NAME")],
    "period": Annotated[str | None, _option(GATE, "period", metavar="DURATION")],
    "connect_timeout": Annotated[str | None, _option(CLOCKS, "connect_timeout", metavar="DURATION")],
    "first_byte_timeout": Annotated[str | None, _option(CLOCKS, "first_byte_timeout", metavar="DURATION")],
    "idle_timeout": Annotated[str | None, _option(CLOCKS, "idle_timeout", metavar="DURATION")],
    "stall_timeout": Annotated[str | None, _option(CLOCKS, "stall_timeout", metavar="DURATION")],
    "total_timeout": Annotated[str | None, _option(CLOCKS, "total_timeout", metavar="DURATION")],
    "max_attempts": Annotated[str | None, _option(ENDS, "max_attempts", metavar="N")],
    "give_up": Annotated[str | None, _option(ENDS, "give_up", metavar="DURATION")],
    "retry": Annotated[str | None, _option(ENDS, "retry", metavar="WHAT")],
    "changed": Annotated[str | None, _option(ENDS, "changed", metavar="HOW")],
    "drain_timeout": Annotated[str | None, _option(ENDS, "drain_timeout", metavar="DURATION")],
    "deadline": Annotated[str | None, _option(ENDS, "deadline", metavar="HH:MM")],
    "max_time": Annotated[str | None, _option(ENDS, "max_time", metavar="DURATION")],
    "max_failures": Annotated[str | None, _option(ENDS, "max_failures", metavar="N")],
    "max_cost": Annotated[str | None, _option(ENDS, "max_cost", metavar="USD")],
    "max_tokens_total": Annotated[str | None, _option(ENDS, "max_tokens_total", metavar="N")],
    "accept": Annotated[str | None, _option(ENDS, "accept", metavar="KINDS")],
    "quiet": Annotated[bool | None, _option(TOLD, "quiet", "--quiet", metavar="")],
    "json": Annotated[bool | None, _option(TOLD, "json", "--json", metavar="")],
    "log": Annotated[Path | None, _option(TOLD, "log", metavar="FILE")],
}


def taking(options: dict[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command that takes `**given` a parameter for each option, so that Typer finds what stands in a table."""

    def told(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        taken = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in options.items()
        ]
        command.__signature__ = signature.replace(parameters=[*own, *taken])  # type: ignore[attr-defined]  # PEP 362
        return command

    return told
