"""`batchrun report [JOBS]`: the morning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchrun.cli.looking import Jobs, Json, State


def report(
    jobs: Jobs = None,
    state: State = None,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="Runs that ended in so long a time; the newest, if none did.")
    ] = "24h",
    json: Json = False,
) -> None:
    """Tell the night: what was answered, what failed and why, how fast it went, what to do next."""
    from datetime import UTC, datetime, timedelta

    from batchrun.cli.streams import remark
    from batchrun.cli.terminal import draw, marks, print_json, width
    from batchrun.plural import counted
    from batchrun.report.facts import report_facts
    from batchrun.report.lines import Lines
    from batchrun.report.periods import read_periods
    from batchrun.report.source import find_source, night_of
    from batchrun.report.summary import summarise
    from batchrun.report.text import report_page

    seconds = _seconds(since)
    source = find_source(jobs, state, Path.cwd())
    night = night_of(source, timedelta(seconds=seconds), datetime.now(UTC))
    lines = Lines(source.state)
    summary = summarise(night, lines.in_stretches(), read_periods(source.state.telemetry, night.since))
    if lines.damaged:
        passed = counted(lines.damaged, "damaged byte was", "damaged bytes were")
        remark(f"{source.state.checkpoint}: {passed} passed over; the next run mends the file")
    if json:
        print_json(report_facts(summary))
    else:
        draw(report_page(summary, width(), marks=marks()))


def _seconds(text: str) -> float:
    from batchrun.settings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--since") from exc
