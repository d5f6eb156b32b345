"""All that is known of one item: its line in the job file, its records, its answer. Reads and changes nothing (C15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import orjson

from batchrun.errors import JobFileUnreadable, JournalError, NoRunError
from batchrun.jobs.line import BOM
from batchrun.jobs.reader import open_jobs
from batchrun.journal.finished import outranks
from batchrun.journal.reader import read_result
from batchrun.journal.record import BadLine, Checkpoint, parse_checkpoint, to_json
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.report.closest import closest
from batchrun.report.source import Source

PENDING = "pending"


@dataclass(frozen=True, slots=True)
class JobLine:
    """A line of the job file as it stands there: what batchrun's defaults or flags added is not in it."""

    number: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """`job` is None where the job file has no such line (any more); `record` and `answer` are None while it is pending.
    `superseded` are records that count no longer. `remarks` tell what could not be read."""

    id: str
    jobs: str
    job: JobLine | None
    record: Checkpoint | None
    answer: dict[str, Any] | None
    superseded: tuple[Checkpoint, ...]
    is_running: bool
    command: str
    remarks: tuple[str, ...]

    @property
    def status(self) -> str:
        return PENDING if self.record is None else str(self.record.status)


def find_story(source: Source, id: str) -> Story:
    """Everything about `id`. Raises NoRunError, with the ids that may have been meant, where nobody knows it."""
    remarks: list[str] = []
    records = list(_records(source.state, id))
    job = _job(source.jobs, id, remarks)
    if job is None and not records:
        raise NoRunError(_unknown(source, id, remarks))
    record = reduce(lambda best, other: other if outranks(other, best) else best, records) if records else None
    return Story(
        id=id,
        jobs=str(source.jobs),
        job=job,
        record=record,
        answer=_answer(source.state, record, remarks),
        superseded=tuple(other for other in records if other is not record),
        is_running=source.holder is not None,
        command=source.command,
        remarks=tuple(remarks),
    )


def _records(state: StateDir, id: str) -> Iterator[Checkpoint]:
    # Only the lines of this id are decoded: among a million others that is the difference between one second and ten.
    begin = b'{"id":%s,' % to_json(id)
    try:
        for _, data, is_sound in scan(state.checkpoint):
            if is_sound and data.startswith(begin):
                yield parse_checkpoint(data)
    except (OSError, BadLine) as exc:
        raise NoRunError(f"{state.checkpoint}: cannot read it: {exc}; read it as the user who ran it") from exc


def _job(jobs: Path, id: str, remarks: list[str]) -> JobLine | None:
    try:
        return next((line for line in _job_lines(jobs) if line.fields.get("id") == id), None)
    except JobFileUnreadable as exc:
        remarks.append(str(exc))
        return None


def _answer(state: StateDir, record: Checkpoint | None, remarks: list[str]) -> dict[str, Any] | None:
    if record is None:
        return None
    try:
        return read_result(state, record)
    except JournalError as exc:
        remarks.append(str(exc))
        return None


def _unknown(source: Source, id: str, remarks: list[str]) -> str:
    if remarks:
        return f"no item {id!r} has finished, and {remarks[0]}"
    ids = (line.fields.get("id") for line in _job_lines(source.jobs))
    alike = closest(id, (known for known in ids if isinstance(known, str)))
    hint = f"; did you mean {' or '.join(alike)}?" if alike else "; check the spelling"
    return f"{source.jobs} has no item {id!r}{hint}"


def _job_lines(jobs: Path) -> Iterator[JobLine]:
    """The lines that are objects. Not checked as a run checks them: to see one item no other has to be right."""
    with open_jobs(jobs) as file:
        for number, line in enumerate(file, start=1):
            try:
                fields = orjson.loads(line.removeprefix(BOM) if number == 1 else line)
            except ValueError:
                continue
            if isinstance(fields, dict):
                yield JobLine(number, fields)
