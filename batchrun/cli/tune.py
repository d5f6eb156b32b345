"""`batchrun tune [JOBS]`: change a run that is at work, without a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchrun.cli.looking import Jobs, State


def tune(
    jobs: Jobs = None,
    state: State = None,
    backend: Annotated[str | None, typer.Option(metavar="NAME", help="This gate only. (default: all)")] = None,
    target_cpu: Annotated[str | None, typer.Option(metavar="PERCENT", help="Per cent of the host.")] = None,
    min_slots: Annotated[str | None, typer.Option(metavar="N", help="Never fewer at once.")] = None,
    max_slots: Annotated[str | None, typer.Option(metavar="N", help="Never more at once.")] = None,
    buffer: Annotated[
        str | None, typer.Option(metavar="N", help="Pieces between a stream and its --sink, in every gate.")
    ] = None,
    law: Annotated[str | None, typer.Option(metavar="NAME", help="What moves the slots: adaptive or steady.")] = None,
    paused: Annotated[
        bool | None, typer.Option("--pause/--resume", metavar="", help="Admit nothing, or go on.")
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", metavar="", help="Read batchrun.toml again; SIGUSR1 does the same.")
    ] = False,
) -> None:
    """Change a run that is at work; it takes it within a period and tells it in its telemetry."""
    from batchrun.cli.streams import remark
    from batchrun.plural import counted
    from batchrun.report.source import find_source
    from batchrun.tuning import read_asked, tune_run

    bounds = {"target_cpu": target_cpu, "min_slots": min_slots, "max_slots": max_slots}
    asked = read_asked(bounds | {"buffer": buffer, "law": law, "paused": paused, "reload": reload or None})
    told = tune_run(find_source(jobs, state, Path.cwd()).state, asked, backend)
    for name, tuning in told.gates.items():
        remark(f"asked of {'every gate' if name == '*' else name}: {tuning.in_words()}")
    if told.buffer is not None:
        remark(f"asked of every pipe: {counted(told.buffer, 'piece')}")
    if asked.reload:
        remark("asked to read batchrun.toml again")
