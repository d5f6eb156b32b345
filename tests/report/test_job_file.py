"""The job file as it stands now is told apart from that of the newest run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchrun.journal.runs import RunStart, read_runs
from batchrun.report.job_file import UNREAD, JobFileNow, look_into
from tests.report.nights import EVENING, StateWriter


@pytest.fixture
def writer(tmp_path: Path) -> StateWriter:
    found = StateWriter(tmp_path / "jobs.jsonl")
    found.job_file(["a", "b"])
    found.run_begins("run-1", 0, 2, 2)
    return found


def start_of(writer: StateWriter) -> RunStart:
    return read_runs(writer.state)[-1].start


def test_a_file_that_is_the_same_is_not_changed(writer: StateWriter) -> None:
    """Whatever its time says: a copy of it is no other file."""
    os.utime(writer.jobs, (0, 0))
    assert look_into(writer.jobs, start_of(writer)) == JobFileNow(frozenset({"a", "b"}), is_changed=False)


def test_a_line_more_is_a_change(writer: StateWriter) -> None:
    """Also where the line is none that a run would take; lines at fault hide no others."""
    with writer.jobs.open("ab") as file:
        file.write(b'not json\n[]\n{"id": 7}\n{"id": "c", "prompt": "x"}\n')
    assert look_into(writer.jobs, start_of(writer)) == JobFileNow(frozenset({"a", "b", "c"}), is_changed=True)


@pytest.mark.parametrize(("seconds", "is_changed"), [(-1, False), (1, True)])
def test_a_long_file_is_judged_by_its_time(writer: StateWriter, seconds: int, is_changed: bool) -> None:
    """Reading it would take too long; its ids are not known then."""
    moment = EVENING.timestamp() + seconds
    os.utime(writer.jobs, (moment, moment))
    assert look_into(writer.jobs, start_of(writer), most=10) == JobFileNow(None, is_changed)


def test_a_file_that_is_gone_tells_nothing(writer: StateWriter) -> None:
    """Nor does one of which no run was made tell of a change."""
    assert look_into(writer.jobs, None) == JobFileNow(frozenset({"a", "b"}), is_changed=False)
    writer.jobs.unlink()
    assert look_into(writer.jobs, start_of(writer)) == UNREAD
    assert look_into(writer.jobs.parent, start_of(writer)) == UNREAD
