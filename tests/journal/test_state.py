"""Where the state of a job file lies."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from batchrun.errors import StateError
from batchrun.journal.state import StateDir
from tests.journal.disks import DiskInMemory, DiskWithDiary


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


def test_the_name_of_the_directory_is_durable(tmp_path: Path) -> None:
    """Each one that is made, and one that a killed run has made: a power cut would take it with all in it (C11)."""
    state, disk = StateDir(tmp_path / "new" / "jobs.batchrun"), DiskWithDiary()
    state.create(disk)
    made = [("make", "new"), ("sync", "directory"), ("make", "jobs.batchrun"), ("sync", "directory")]
    assert disk.diary == made
    state.create(disk)
    assert disk.diary == [*made, ("sync", "directory")]


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path) -> None:
    """Of a path of several names the one that is in the way."""
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(StateError, match=r"notes: a file stands .* --state DIR"):
        StateDir(tmp_path / "notes" / "jobs.batchrun").create()


def test_where_no_directory_can_be_made_nothing_is_to_be_brought_back(tmp_path: Path) -> None:
    """As in /proc: what never was there is not gone."""

    class DiskThatTakesNoNames(DiskInMemory):
        def make_directory(self, path: Path, mode: int) -> None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    with pytest.raises(StateError) as caught:
        StateDir(tmp_path / "x").create(DiskThatTakesNoNames())
    assert str(caught.value).endswith("No such file or directory; give another place with --state DIR")


def test_a_place_that_cannot_be_looked_into_is_no_traceback(tmp_path: Path) -> None:
    """Exit 73, as for one that cannot be made."""
    for state in (StateDir(tmp_path / ("long" * 100)), StateDir(tmp_path / ("long" * 100) / "jobs.batchrun")):
        with pytest.raises(StateError, match="--state DIR"):
            state.is_begun()
        with pytest.raises(StateError, match="--state DIR"):
            state.create()
