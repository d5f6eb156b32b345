"""The job file as it stands now: its lines, the ids in them, and whether it is still the one of the newest run.

Not checked as a run checks it: to see one item no other has to be right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from batchrun.errors import JobFileUnreadable
from batchrun.jobs.dialect import id_of
from batchrun.jobs.opening import BOM, open_jobs
from batchrun.journal.runs import RunStart
from batchrun.report.plain import moment

CHEAP_BYTES = 50 << 20  # read and hashed in half a second; a longer one is judged by its time


class JobLine(NamedTuple):
    """A line of the job file as it stands there: what batchrun's defaults or flags added is not in it."""

    number: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobFileNow:
    """`ids` are those that stand in it, None where it was not read. `is_changed` is since the start of the newest run,
    False where nobody can tell."""

    ids: frozenset[str] | None = None
    is_changed: bool = False


UNREAD = JobFileNow()


def look_into(jobs: Path, start: RunStart | None, most: int = CHEAP_BYTES) -> JobFileNow:
    """Read a job file of at most so many bytes; of a longer one, or where there is none, little is known."""
    try:
        found = jobs.stat()
        if found.st_size <= most:
            return _read(jobs, start)
        return JobFileNow(None, start is not None and found.st_mtime > moment(start.started).timestamp())
    except (OSError, JobFileUnreadable):
        return UNREAD


def job_lines(jobs: Path) -> Iterator[JobLine]:
    """The lines that are objects. Raises JobFileUnreadable."""
    with open_jobs(jobs) as file:
        for number, line in enumerate(file, start=1):
            found = _job_line(line, number)
            if found is not None:
                yield found


def _read(jobs: Path, start: RunStart | None) -> JobFileNow:
    digest, ids = hashlib.sha256(), set()
    with open_jobs(jobs) as file:
        for number, line in enumerate(file, start=1):
            digest.update(line)
            found = _job_line(line, number)
            name = None if found is None else id_of(found.fields)
            if isinstance(name, str):
                ids.add(name)
    return JobFileNow(frozenset(ids), start is not None and digest.hexdigest() != start.jobs_sha256)


def _job_line(line: bytes, number: int) -> JobLine | None:
    try:
        fields = orjson.loads(line.removeprefix(BOM) if number == 1 else line)
    except ValueError:
        return None
    return JobLine(number, fields) if isinstance(fields, dict) else None
