"""All that is known of one item: its line in the job file, its records, its answer. Reads and changes nothing (C15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import orjson

from batchrun.errors import JobFileUnreadable, JournalError, NoRunError
from batchrun.jobs.dialect import id_of
from batchrun.jobs.job import BackendSpeech, Job, RequestFlags
from batchrun.jobs.line import BadJobLine, parse_line
from batchrun.journal.finished import MAX_FAILED_RUNS, outranks
from batchrun.journal.reader import read_result
from batchrun.journal.record import BadLine, Checkpoint, parse_checkpoint, to_json
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.outcome import Status
from batchrun.report.closest import closest
from batchrun.report.invocation import request_flags
from batchrun.report.job_file import JobLine, job_lines
from batchrun.report.night import asking
from batchrun.report.source import Source

PENDING = "pending"
NO_FLAGS = RequestFlags()


@dataclass(frozen=True, slots=True)
class Story:
    """`job` is None where the job file has no such line (any more); `record` and `answer` are None while it is pending.
    `superseded` are records that count no longer. `is_removed` tells that the job file was read and has no such line;
    `is_other_request` that the record is of another request than the line makes now. `why_pending` is what the newest
    run said of the item's model. `failed_runs` counts the runs in which this request failed of what may pass.
    `remarks` tell what could not be read."""

    id: str
    jobs: str
    job: JobLine | None
    record: Checkpoint | None
    answer: dict[str, Any] | None
    superseded: tuple[Checkpoint, ...]
    is_running: bool
    command: str
    remarks: tuple[str, ...]
    is_removed: bool = False
    is_other_request: bool = False
    why_pending: str | None = None
    simulated: bool = False
    failed_runs: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the next run leaves the item alone by itself, answered or not."""
        return self.record is not None and (self.record.final or self.failed_runs >= MAX_FAILED_RUNS)

    @property
    def status(self) -> str:
        return PENDING if self.record is None else str(self.record.status)


def find_story(source: Source, id: str, flags: RequestFlags = NO_FLAGS) -> Story:
    """Everything about `id`. Raises NoRunError, with the ids that may have been meant, where nobody knows it.

    `flags` are what the next run gives to lines that say nothing themselves.
    """
    remarks: list[str] = []
    records = list(_records(source.state, id))
    job = _job(source.lines, id, remarks)
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
        is_removed=job is None and not remarks,
        is_other_request=job is not None and record is not None and _is_other(job, record, source, flags),
        why_pending=_why_pending(job, source, flags) if job is not None and record is None else None,
        remarks=tuple(remarks),
        simulated=source.simulated,
        failed_runs=0 if record is None else sum(_is_passing(other, record.request) for other in records),
    )


def _is_passing(record: Checkpoint, request: str) -> bool:
    return record.status is Status.FAILED and not record.final and record.request == request


def _is_other(job: JobLine, record: Checkpoint, source: Source, flags: RequestFlags) -> bool:
    """Whether the line asks something else than was answered. A line that says nothing of model or max_tokens is the
    same under any flags that one of the runs may have been given."""
    given = {flags, NO_FLAGS, *(request_flags(run.start.args) for run in source.runs)}
    given |= {replace(each, model=record.model) for each in given}
    asked = [_as_job(job, each) for each in given]
    return None not in asked and all(each is not None and each.request != record.request for each in asked)


def _why_pending(job: JobLine, source: Source, flags: RequestFlags) -> str | None:
    end = asking(source.runs)[-1].end if source.runs else None
    asked = _as_job(job, flags)
    if end is None or asked is None:
        return None
    return end.reason if f"unknown model {asked.model}:" in end.reason else None


def _as_job(line: JobLine, flags: RequestFlags) -> Job | None:
    """What a run would make of the line; None where it is at fault."""
    named = {name: BackendSpeech(name) for name in (flags.backend, str(line.fields.get("backend")))}
    try:
        return parse_line(orjson.dumps(line.fields), line.number, flags, named)
    except (BadJobLine, TypeError):
        return None


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
        return next((line for line in job_lines(jobs) if id_of(line.fields) == id), None)
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
    ids = (id_of(line.fields) for line in job_lines(source.lines))
    alike = closest(id, (known for known in ids if isinstance(known, str)))
    hint = f"; did you mean {' or '.join(alike)}?" if alike else "; check the spelling"
    return f"{source.jobs} has no item {id!r}{hint}"
