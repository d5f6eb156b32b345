"""`batchrun tune [JOBS]`: change a run that is at work, without a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def tune(
    jobs: Annotated[
        Path | None, typer.Argument(metavar="[JOBS]", help="The job file. (default: the newest run on this machine)")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Where the state lies, if the run was told so.")] = None,
    backend: Annotated[str | None, typer.Option(metavar="NAME", help="This gate only. (default: all)")] = None,
    target_cpu: Annotated[float | None, typer.Option(min=1, max=100, metavar="PERCENT", help="Of the host.")] = None,
    min_slots: Annotated[int | None, typer.Option(min=1, metavar="N", help="Never fewer at once.")] = None,
    max_slots: Annotated[int | None, typer.Option(min=1, metavar="N", help="Never more at once.")] = None,
    buffer: Annotated[int | None, typer.Option(min=1, metavar="N", help="Size of the pipe to a consumer.")] = None,
    paused: Annotated[bool | None, typer.Option("--pause/--resume", help="Admit nothing, or go on.")] = None,
) -> None:
    """Change a run that is at work; it takes it within a period and tells it in its telemetry."""
    from batchrun.cli.terminal import remark
    from batchrun.journal.control import Tuning
    from batchrun.report.source import find_source
    from batchrun.tuning import tune_run

    asked = Tuning(target_cpu, min_slots, max_slots, paused)
    if asked == Tuning() and buffer is None:
        raise typer.BadParameter("nothing to change; give for example --max-slots 4")
    found = find_source(jobs, state, Path.cwd())
    told = tune_run(found.state, asked, backend, buffer)
    for name, tuning in told.gates.items():
        remark(f"asked of {'every gate' if name == '*' else name}: {tuning.in_words()}")
    if told.buffer is not None:
        remark(f"asked of every pipe: {told.buffer} deltas")
