"""`batchrun show ID [JOBS]`: one item, whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchrun.cli.looking import Jobs, Json, State

if TYPE_CHECKING:
    from batchrun.jobs.job import RequestFlags
    from batchrun.report.source import Source


def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="The item's id in the job file.")],
    jobs: Jobs = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Show one item: what was asked, what was answered, the attempts, the numbers, the error."""
    from datetime import UTC, datetime

    from batchrun.cli.streams import remark
    from batchrun.cli.terminal import draw, print_json
    from batchrun.report.facts import story_facts
    from batchrun.report.plain import stamp
    from batchrun.report.source import find_source
    from batchrun.report.story import find_story
    from batchrun.report.story_text import story_page

    source = find_source(jobs, state, Path.cwd())
    story = find_story(source, id, _flags(source))
    if json:
        print_json(story_facts(story))
    else:
        draw(story_page(story, stamp(datetime.now(UTC))))
    for text in story.remarks:
        remark(text)


def _flags(source: Source) -> RequestFlags:
    """What the next run gives to lines that say nothing: the newest run's own options, else the environment's and the
    settings file's."""
    from batchrun.config import resolve
    from batchrun.errors import BatchrunError
    from batchrun.report.invocation import request_flags
    from batchrun.report.night import asking

    given = request_flags(asking(source.runs)[-1].start.args if source.runs else ())
    try:
        told = {"model": given.model, "max_tokens": given.max_tokens, "stop_when": given.stop_when}
        return resolve(source.jobs, told).flags
    except BatchrunError:  # to see one item no setting has to be right
        return given
