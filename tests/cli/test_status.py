"""`batchrun status`, the installed program, beside a run that works and after one that does not."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.program import batchrun
from tests.report.nights import StateWriter, outcome


@pytest.fixture
def writer(tmp_path: Path) -> StateWriter:
    """A run of 300 items that began twelve minutes ago and has written its last period a second ago."""
    found = StateWriter(tmp_path / "jobs.jsonl", datetime.now(UTC) - timedelta(minutes=12))
    found.run_begins("run-1", 0, 300, 300)
    found.snapshot("run-1", 719)
    found.finish(*(outcome(f"page-{number}", 5 * number, found.begin) for number in range(119)))
    return found


def test_a_run_at_work_is_seen_from_another_shell(writer: StateWriter) -> None:
    """By whom it is run, how far it is, what limits it; no bar in a pipe, and nothing to type."""
    lock = writer.hold_lock()
    try:
        done = batchrun("status", "jobs.jsonl", cwd=writer.jobs.parent)
        facts = json.loads(batchrun("status", "jobs.jsonl", "--json", cwd=writer.jobs.parent).stdout)
    finally:
        lock.release()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("jobs.jsonl: running for 12 min")
    assert "finished    120 of 300 (40 %)\n" in done.stdout
    assert "limited by the CPU target" in done.stdout
    assert "batchrun run" not in done.stdout
    assert (facts["schema"], facts["running"], facts["done"]) == ("batchrun.status/1", True, 118)


def test_a_killed_run_is_told_with_the_command_to_go_on(writer: StateWriter) -> None:
    """Its name still stands in the lock, but no such process lives; what the log says counts."""
    holder = {"pid": 2**22 + 1, "process_start": 1.0, "host": socket.gethostname(), "boot_id": None, "started": ""}
    writer.state.lock.write_text(json.dumps(holder) + "\n")
    done = batchrun("status", "jobs.jsonl", cwd=writer.jobs.parent)
    assert "killed (kill -9, out of memory or power)" in done.stdout
    assert "119 of 300" in done.stdout
    assert done.stdout.endswith("To go on (181 pending):\n  batchrun run jobs.jsonl\n")


def test_a_run_that_went_quiet_is_remarked_upon_on_stderr(writer: StateWriter) -> None:
    """The facts stay facts, also as JSON."""
    writer.snapshot("run-1", 60)
    lock = writer.hold_lock()
    try:
        done = batchrun("status", "jobs.jsonl", "--json", cwd=writer.jobs.parent)
    finally:
        lock.release()
    assert json.loads(done.stdout)["running"] is True
    assert "has written nothing for 11 min" in done.stderr
