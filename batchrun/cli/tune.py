"""`batchrun tune [JOBS]`: change a run that is at work, without a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def tune(
    jobs: Annotated[
        Path | None, typer.Argument(metavar="JOBS", help="The job file. (default: the newest run on this machine)")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the state lies, if the run was told so.")
    ] = None,
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
    reload: Annotated[bool, typer.Option("--reload", help="Read batchrun.toml again; SIGUSR1 does the same.")] = False,
) -> None:
    """Change a run that is at work; it takes it within a period and tells it in its telemetry."""
    from batchrun.cli.terminal import remark
    from batchrun.report.source import find_source
    from batchrun.tuning import read_asked, tune_run
    from batchrun.whereabouts import state_of

    bounds = {"target_cpu": target_cpu, "min_slots": min_slots, "max_slots": max_slots}
    asked = read_asked(bounds | {"buffer": buffer, "law": law, "paused": paused, "reload": reload or None})
    place = state_of(jobs) if state is None and jobs is not None else state
    told = tune_run(find_source(jobs, place, Path.cwd()).state, asked, backend)
    for name, tuning in told.gates.items():
        remark(f"asked of {'every gate' if name == '*' else name}: {tuning.in_words()}")
    if told.buffer is not None:
        remark(f"asked of every pipe: {told.buffer} pieces")
    if asked.reload:
        remark("asked to read batchrun.toml again")
