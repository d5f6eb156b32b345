"""The story of a state directory: who ran when, and how it ended."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from batchrun.journal.record import encode_line, is_sealed
from batchrun.journal.runs import Run, RunEnd, RunStart, read_runs, record_end, record_start
from batchrun.journal.state import StateDir
from tests.journal.builders import state_in
from tests.journal.disks import DiskWithDiary


def start(run: str) -> RunStart:
    return RunStart(
        run=run,
        started="2026-11-21T01:00:00.000Z",
        pid=4711,
        host="attic",
        version="0.1.0",
        jobs="/data/jobs.jsonl",
        jobs_sha256="ab" * 32,
        args=["--limit", "3"],
        total=1000,
        pending=3,
        model="claude-haiku-5-5",
        simulated=False,
        cwd="/data",
    )


def end(run: str) -> RunEnd:
    counts, retried = {"done": 2, "failed": 1}, {"connect": 4}
    return RunEnd(run, "2026-11-21T02:00:00.000Z", 1, "finished", counts, retried, wasted_tokens=37)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return state_in(tmp_path)


def test_runs_come_back_in_the_order_of_their_starts(state: StateDir) -> None:
    """What was written is what is read."""
    for run in ("one", "two"):
        record_start(state, start(run))
        record_end(state, end(run))
    assert read_runs(state) == [Run(start("one"), end("one")), Run(start("two"), end("two"))]


def test_a_run_without_its_end_was_killed(state: StateDir) -> None:
    """Or it lives: the lock tells."""
    record_start(state, start("killed"))
    record_start(state, start("next"))
    record_end(state, end("next"))
    assert [run.end for run in read_runs(state)] == [None, end("next")]


def test_no_run_yet(state: StateDir) -> None:
    """A state without runs has none; that is no error."""
    assert read_runs(state) == []


@pytest.mark.parametrize("junk", [b'{"event":"start","ru', b"\0" * 50, b"{}\n", b"\xff\n"])
def test_a_torn_line_hides_no_other(state: StateDir, junk: bytes) -> None:
    """The next line begins on its own, and all whole ones are read (C7)."""
    record_start(state, start("one"))
    with state.runs.open("ab") as file:
        file.write(junk)
    record_end(state, end("one"))
    assert read_runs(state) == [Run(start("one"), end("one"))]
    assert is_sealed(state.runs.read_bytes().splitlines()[-1])


def test_the_file_cut_at_every_byte_is_read(state: StateDir) -> None:
    """What is whole is told, whatever follows."""
    record_start(state, start("one"))
    first = state.runs.stat().st_size
    record_end(state, end("one"))
    whole = state.runs.read_bytes()
    for cut in range(len(whole)):
        state.runs.write_bytes(whole[:cut])
        assert read_runs(state) == ([Run(start("one"), None)] if cut >= first else [])


def test_a_line_is_durable_when_it_is_recorded(state: StateDir) -> None:
    """A run that is killed by a power cut has a start."""
    disk = DiskWithDiary()
    record_start(state, start("one"), disk)
    assert disk.diary == [("sync", "directory"), ("write", "runs.jsonl"), ("sync", "runs.jsonl")]


def test_lines_of_an_older_version_are_read(state: StateDir) -> None:
    """They tell less: no directory, and nothing of failed attempts, which is not the same as none."""
    began, ended = asdict(start("one")), asdict(end("one"))
    for new in ("cwd", "retried", "wasted_tokens"):
        began.pop(new, None)
        ended.pop(new, None)
    state.runs.write_bytes(encode_line({"event": "start"} | began) + encode_line({"event": "end"} | ended))
    [run] = read_runs(state)
    assert run.end is not None
    assert (run.start.cwd, run.end.retried, run.end.wasted_tokens) == ("", None, 0)
    assert run.end.counts == {"done": 2, "failed": 1}
