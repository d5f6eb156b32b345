"""status.json is whole at any moment, and nothing depends on it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from batchrun.journal.snapshot import read_snapshot, write_snapshot
from batchrun.journal.state import StateDir
from tests.journal.builders import state_in
from tests.journal.disks import DiskThatFillsUp, DiskThatTakesLittle, DiskUntilThePowerCut, DiskWithDiary, PowerCut


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return state_in(tmp_path)


def test_what_was_written_is_read(state: StateDir) -> None:
    """The newest one, with no number that JSON lacks."""
    write_snapshot(state, {"done": 1})
    write_snapshot(state, {"done": 2, "eta_s": math.inf, "model": "\ud800"})
    assert read_snapshot(state) == {"done": 2, "eta_s": None, "model": "\ud800"}


def test_no_snapshot_yet(state: StateDir) -> None:
    """None, and None for what cannot be read."""
    assert read_snapshot(state) is None
    for content in (b"", b"{", b"[1]", b"\xff"):
        state.status.write_bytes(content)
        assert read_snapshot(state) is None


def test_the_old_one_stays_until_the_new_one_is_whole(state: StateDir) -> None:
    """Killed at any step, the file holds one whole object."""
    write_snapshot(state, {"done": 1})
    for step in range(3):
        with pytest.raises(PowerCut):
            write_snapshot(state, {"done": 2}, DiskUntilThePowerCut(step, tears_writes=True))
        assert read_snapshot(state) == {"done": 1}


def test_a_full_disk_is_told_and_is_no_error(state: StateDir) -> None:
    """The run goes on with its old snapshot; half a new one does not stay in the way."""
    write_snapshot(state, {"done": 1})
    warning = write_snapshot(state, {"done": 2}, DiskThatFillsUp(3))
    assert warning is not None
    assert "No space" in warning
    assert read_snapshot(state) == {"done": 1}
    assert [path.name for path in state.path.iterdir()] == ["status.json"]


def test_short_writes_are_looped(state: StateDir) -> None:
    """A snapshot is never a part of one."""
    assert write_snapshot(state, {"done": 1}, DiskThatTakesLittle(2)) is None
    assert read_snapshot(state) == {"done": 1}


def test_a_snapshot_wakes_no_disk(state: StateDir) -> None:
    """It is written every period all night, and is not worth one fsync."""
    disk = DiskWithDiary()
    write_snapshot(state, {"done": 1}, disk)
    assert [verb for verb, _ in disk.diary] == ["write", "replace"]
