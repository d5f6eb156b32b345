"""The state that a user means is found, and what lies in it is read without touching it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from batchrun.errors import NoRunError
from batchrun.journal.index import remember
from batchrun.report.census import Totals
from batchrun.report.night import How
from batchrun.report.plain import moment
from batchrun.report.source import find_source, look_at, night_of
from tests.report.nights import StateWriter, failed, outcome, stamp

DAY = timedelta(days=1)


@pytest.fixture
def writer(tmp_path: Path) -> StateWriter:
    """A run of three items that was drained after one of them."""
    found = StateWriter(tmp_path / "jobs.jsonl")
    found.job_file(["a", "b", "c"])
    found.run_begins("run-1", 0, 3, 3, ["--model", "m"])
    found.finish(outcome("a"))
    found.run_ends("run-1", 90, 75, "SIGINT received")
    return found


def test_the_job_file_leads_to_its_state(writer: StateWriter) -> None:
    """So does the state directory itself, by either name."""
    for jobs, state in ((writer.jobs, None), (writer.state.path, None), (None, writer.state.path)):
        source = find_source(jobs, state, writer.jobs.parent)
        assert source.state.path == writer.state.path
        assert source.command == "batchrun run " + ("jobs.jsonl" if jobs != writer.jobs else str(jobs)) + " --model m"


def test_without_a_job_file_it_is_the_newest_run(
    writer: StateWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of this machine; the job file is named as it is reached from here."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state of the user"))
    assert remember(writer.state) is None
    source = find_source(None, None, Path("/elsewhere"))
    assert source.state.path == writer.state.path
    assert source.jobs == writer.jobs
    assert find_source(None, None, writer.jobs.parent).jobs == Path("jobs.jsonl")


def test_where_no_run_was_made_it_is_said_what_to_do(tmp_path: Path) -> None:
    """With the path for the shell; a file that is not there is told apart."""
    jobs = tmp_path / "my jobs.jsonl"
    with pytest.raises(NoRunError, match="no such job file"):
        find_source(jobs, None, tmp_path)
    jobs.write_text(" \n")
    with pytest.raises(NoRunError, match="has no job, and no run has been made here yet"):
        find_source(jobs, None, tmp_path)
    jobs.write_text('{"id": "a", "prompt": "x"}')
    with pytest.raises(NoRunError, match=r"no run has been made here yet; start one: batchrun run '.*/my jobs.jsonl'"):
        find_source(jobs, None, tmp_path)


def test_a_state_that_holds_no_more_than_its_headers_is_no_run(tmp_path: Path) -> None:
    """One that could not start has left it; where one is just starting there is something to tell."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    writer.job_file(["a"])
    with pytest.raises(NoRunError, match="no run has been made here yet; start one: batchrun run"):
        find_source(writer.jobs, None, tmp_path)
    lock = writer.hold_lock()
    try:
        assert find_source(writer.jobs, None, tmp_path).is_starting
    finally:
        lock.release()


def test_a_run_that_holds_its_lock_is_at_work(writer: StateWriter) -> None:
    """Whoever has died is not, though its name still stands in the lock."""
    writer.run_begins("run-2", 100, 3, 2)
    assert find_source(writer.jobs, None, Path("/")).alive is None
    lock = writer.hold_lock(99)
    try:
        source = find_source(writer.jobs, None, Path("/"))
        assert source.alive == "run-2"
        night = night_of(source, DAY, moment(stamp(200)))
        assert [run.how for run in night.runs] == [How.DRAINED, How.RUNNING]
        assert night.is_running
    finally:
        lock.release()


def test_a_killed_run_is_followed_to_its_last_telemetry(writer: StateWriter) -> None:
    """Also where the night has no other run and lies long back."""
    writer.run_begins("run-2", 100, 3, 2)
    writer.period("run-2", 160, 8, 20.0, "ramp")
    source = find_source(writer.jobs, None, Path("/"))
    for later in (200, 7 * 86400):
        last = night_of(source, DAY, moment(stamp(later))).runs[-1]
        assert (last.run, last.how, last.seconds) == ("run-2", How.KILLED, 60.0)


def test_the_log_is_counted_where_no_run_is_at_work(writer: StateWriter) -> None:
    """The snapshot of a killed run was behind; of a live one it is read instead, for that is quick."""
    writer.snapshot("run-1", 50, done=0, failed=0, incomplete=0)
    writer.finish(failed("b", "silent", "", final=False))
    now = moment(stamp(200))
    assert look_at(find_source(writer.jobs, None, Path("/")), now).counted == Totals(done=1, failed=1, again=1)
    lock = writer.hold_lock()
    try:
        assert look_at(find_source(writer.jobs, None, Path("/")), now).counted is None
    finally:
        lock.release()


def test_a_checkpoint_alone_is_enough(writer: StateWriter) -> None:
    """Runs, snapshot and telemetry are lost; what was paid for is still told."""
    writer.state.runs.unlink()
    source = find_source(writer.jobs, None, Path("/"))
    assert look_at(source, moment(stamp(200))).counted == Totals(done=1)
    night = night_of(source, DAY, moment(stamp(200)))
    assert (night.runs, night.total, night.since) == ((), None, "")


def test_looking_changes_nothing(writer: StateWriter) -> None:
    """C15: not a byte, not a time, no new file."""

    def files() -> dict[str, tuple[bytes, int]]:
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in writer.state.path.iterdir()}

    before = files()
    source = find_source(writer.jobs, None, Path("/"))
    look_at(source, moment(stamp(200)))
    night_of(source, DAY, moment(stamp(200)))
    assert files() == before


def test_a_run_that_is_just_starting_is_not_the_one_that_was_killed(writer: StateWriter) -> None:
    """It has the lock and no line yet; in a container it may have the same pid."""
    writer.run_begins("run-2", 100, 3, 2)
    writer.snapshot("run-2", 110, done=2)
    lock = writer.hold_lock(150)
    try:
        source = find_source(writer.jobs, None, Path("/"))
        assert (source.alive, source.is_starting) == (None, True)
        seen = look_at(source, moment(stamp(160)))
        assert (seen.is_starting, seen.counted) == (True, Totals(done=1))
        night = night_of(source, DAY, moment(stamp(160)))
        assert (night.runs[-1].how, night.is_running, night.is_starting) == (How.KILLED, False, True)
        writer.run_begins("run-3", 151, 3, 2)
        assert find_source(writer.jobs, None, Path("/")).alive == "run-3"
    finally:
        lock.release()


def test_a_run_of_another_process_is_not_the_holders(writer: StateWriter) -> None:
    """Nor that of another machine."""
    writer.run_begins("run-2", 100, 3, 2)
    lock = writer.hold_lock(99)
    try:
        source = find_source(writer.jobs, None, Path("/"))
        assert source.holder is not None
        for other in (replace(source.holder, pid=1), replace(source.holder, host="attic")):
            assert replace(source, holder=other).alive is None
            assert replace(source, holder=other).is_starting
    finally:
        lock.release()


def test_a_killed_run_tells_its_failed_attempts_by_its_last_telemetry(writer: StateWriter) -> None:
    """Its items may have no record at all."""
    writer.run_begins("run-2", 100, 3, 2)
    writer.period("run-2", 130, 8, 20.0, "ramp", retried={"connect": 3}, wasted_tokens=1)
    writer.period("run-2", 160, 8, 20.0, "ramp", retried={"connect": 9}, wasted_tokens=4)
    last = night_of(find_source(writer.jobs, None, Path("/")), DAY, moment(stamp(200))).runs[-1]
    assert (last.retried, last.wasted_tokens) == ({"connect": 9}, 4)


def test_a_job_file_that_has_changed_is_noticed(writer: StateWriter) -> None:
    """By both who look: an item that left it is not counted, one that came is pending."""
    writer.job_file(["b", "c", "d", "e"])
    source = find_source(writer.jobs, None, Path("/"))
    seen = look_at(source, moment(stamp(200)))
    assert (seen.counted, seen.file.is_changed) == (Totals(), True)
    assert night_of(source, DAY, moment(stamp(200))).file == seen.file


def test_the_state_is_named_where_it_does_not_lie_beside_the_job_file(writer: StateWriter, tmp_path: Path) -> None:
    """Also where the run was not told so, for somebody has moved it."""
    moved = writer.state.path.rename(tmp_path / "elsewhere")
    assert find_source(None, moved, tmp_path).command == "batchrun run jobs.jsonl --state elsewhere --model m"
    assert find_source(None, moved, Path("/")).command == f"batchrun run {writer.jobs} --state {moved} --model m"


def test_from_the_root_paths_keep_their_slash(writer: StateWriter) -> None:
    """Else nobody would take them for paths."""
    assert find_source(None, writer.state.path, Path("/")).jobs == writer.jobs
