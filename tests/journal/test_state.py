"""Where the state of a job file lies."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from batchrun.journal.state import StateDir


@pytest.mark.parametrize(
    ("jobs", "state"),
    [
        ("jobs.jsonl", "jobs.batchrun"),
        ("jobs.json", "jobs.batchrun"),
        ("jobs.jsonl.gz", "jobs.batchrun"),
        ("jobs", "jobs.batchrun"),
        ("jobs.txt", "jobs.txt.batchrun"),
        ("my jobs.v2.jsonl", "my jobs.v2.batchrun"),
        (".jsonl", ".jsonl.batchrun"),
    ],
)
def test_the_state_lies_beside_the_job_file(tmp_path: Path, jobs: str, state: str) -> None:
    """Scripts rely on the name."""
    assert StateDir.for_jobs(tmp_path / jobs) == StateDir(tmp_path / state)


def test_the_directory_is_its_owners_alone(tmp_path: Path) -> None:
    """Answers are nobody else's; a directory that stands already is left as it is."""
    state = StateDir(tmp_path / "new" / "jobs.batchrun")
    state.create()
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
    state.path.chmod(0o750)
    state.create()
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o750
