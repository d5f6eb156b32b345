"""`status` without an argument finds the newest run, and never stumbles over the index."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchrun.journal.index import newest, remember
from batchrun.journal.state import StateDir
from tests.journal.disks import DiskThatFillsUp


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg" / "batchrun"


def state_named(directory: Path, name: str) -> StateDir:
    state = StateDir(directory / f"{name}.batchrun")
    state.create()
    return state


def set_age(path: Path, seconds: int) -> None:
    os.utime(path, (1_700_000_000 - seconds,) * 2)


def test_the_run_that_started_last_is_the_newest(tmp_path: Path, index: Path) -> None:
    """Wherever it was started."""
    old, new = state_named(tmp_path / "a", "old"), state_named(tmp_path / "b", "new")
    assert remember(old) is None
    set_age(next(index.iterdir()), 60)
    assert remember(new) is None
    assert newest(tmp_path) == new
    remember(old)
    assert newest(tmp_path) == old
    assert len(list(index.iterdir())) == 2


def test_a_state_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    """A deleted directory is no run to tell of."""
    kept, gone = state_named(tmp_path, "kept"), state_named(tmp_path, "gone")
    remember(kept)
    remember(gone)
    gone.path.rmdir()
    assert newest(tmp_path) == kept


def test_without_an_index_the_working_directory_is_searched(tmp_path: Path) -> None:
    """The state whose files changed last; a file of that name is none."""
    old, new = state_named(tmp_path, "old"), state_named(tmp_path, "new")
    for state, age in ((old, 60), (new, 0)):
        state.runs.touch()
        set_age(state.runs, age)
    (tmp_path / "file.batchrun").touch()
    assert newest(tmp_path) == new
    assert newest(tmp_path / "elsewhere") is None


def test_a_relative_path_is_remembered_as_it_lies_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` from another directory finds it."""
    state_named(tmp_path, "jobs")
    monkeypatch.chdir(tmp_path)
    remember(StateDir(Path("jobs.batchrun")))
    assert newest(Path("/")) == StateDir(tmp_path / "jobs.batchrun")


def test_an_index_that_cannot_be_written_is_a_warning(tmp_path: Path, index: Path) -> None:
    """Never an error: the run goes on."""
    state = state_named(tmp_path, "jobs")
    full = remember(state, DiskThatFillsUp(0))
    assert full is not None
    assert "name the job file" in full
    index.rename(index.with_name("moved"))
    index.write_text("in the way")
    assert remember(state) is not None
    assert newest(tmp_path) == state


def test_junk_in_the_index_is_passed_over(tmp_path: Path, index: Path) -> None:
    """Whatever stands there."""
    state = state_named(tmp_path, "jobs")
    remember(state)
    (index / "0123").write_bytes(b"a\0b")
    (index / "4567").write_bytes(b"")
    (index / "89ab").mkdir()
    assert newest(tmp_path) == state
