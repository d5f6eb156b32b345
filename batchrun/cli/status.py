"""`batchrun status [JOBS]`: where a run stands, from another shell."""

from __future__ import annotations

from pathlib import Path

from batchrun.cli.looking import Jobs, Json, State


def status(jobs: Jobs = None, state: State = None, json: Json = False) -> None:
    """Tell whether a run is at work, how far it is, what limits it, and what to do when it is not."""
    from datetime import UTC, datetime

    from batchrun.cli.streams import remark
    from batchrun.cli.terminal import bar_marks, draw, print_json
    from batchrun.report.source import find_source, look_at
    from batchrun.report.standing import standing
    from batchrun.report.standing_text import quiet_remark, status_page

    found = standing(look_at(find_source(jobs, state, Path.cwd()), datetime.now(UTC)))
    if json:
        from batchrun.report.facts import status_facts

        print_json(status_facts(found))
    else:
        draw(status_page(found, bar_marks=bar_marks()))
    if text := quiet_remark(found):
        remark(text)
