"""The state that a user means is found, and what lies in it is read without touching it."""

from __future__ import annotations

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
    jobs.write_text("")
    with pytest.raises(NoRunError, match=r"start one: batchrun run '.*/my jobs.jsonl'"):
        find_source(jobs, None, tmp_path)


def test_a_run_that_holds_its_lock_is_at_work(writer: StateWriter) -> None:
    """Whoever has died is not, though its name still stands in the lock."""
    writer.run_begins("run-2", 100, 3, 2)
    assert find_source(writer.jobs, None, Path("/")).alive is None
    lock = writer.hold_lock()
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
