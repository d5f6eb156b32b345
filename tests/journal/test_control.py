"""control.json: what is asked goes through it unchanged, and nothing else comes out of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from batchrun.errors import ExitCode, StateError
from batchrun.journal.control import Control, Tuning, forget_control, read_control, write_control
from batchrun.journal.disk import Disk
from batchrun.journal.state import StateDir
from tests.journal.disks import DiskThatFillsUp, DiskThatTakesNothing


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    found = StateDir(tmp_path / "jobs.batchrun")
    found.create()
    return found


ALL = Control({"*": Tuning(55.5, 2, 8, paused=True, law="steady"), "claude": Tuning(max_slots=4)}, 32, 3)


@pytest.mark.parametrize("control", [ALL, Control(), Control({"x": Tuning(paused=False)}), Control(buffer=1)])
def test_what_is_asked_is_what_is_read(state: StateDir, control: Control) -> None:
    """Each gate's tuning and the buffer, and what was not asked as None."""
    write_control(state, control)
    assert read_control(state) == control


def test_it_is_replaced_whole_and_is_the_owners_alone(state: StateDir) -> None:
    """No draft stays, and nobody else may read it."""
    write_control(state, ALL)
    write_control(state, Control())
    assert [path.name for path in state.path.iterdir()] == ["control.json"]
    assert stat.S_IMODE(state.control.stat().st_mode) == 0o600


def test_nothing_is_asked_where_nothing_was_written(state: StateDir) -> None:
    """A run goes on as it was started; forgetting nothing is no error."""
    assert read_control(state) is None
    forget_control(state)
    write_control(state, ALL)
    forget_control(state)
    assert read_control(state) is None


def test_what_is_cut_off_anywhere_asks_nothing(state: StateDir) -> None:
    """A run never obeys half of a file."""
    write_control(state, ALL)
    whole = state.control.read_bytes()
    for end in range(len(whole) - 1):
        state.control.write_bytes(whole[:end])
        assert read_control(state) is None


TUNING = {"target_cpu": None, "min_slots": None, "max_slots": None, "paused": None, "law": None}


@pytest.mark.parametrize(
    "tuning",
    [
        TUNING | {"max_slots": "4"},
        TUNING | {"max_slots": 0},
        TUNING | {"min_slots": True},
        TUNING | {"min_slots": 1.5},
        TUNING | {"target_cpu": "half"},
        TUNING | {"target_cpu": 0},
        TUNING | {"target_cpu": 101},
        TUNING | {"target_cpu": True},
        TUNING | {"paused": 1},
        TUNING | {"law": 1},
        TUNING | {"mood": "steady"},
        {"max_slots": 4},
        [],
        None,
    ],
)
def test_what_no_gate_can_obey_asks_nothing(state: StateDir, tuning: Any) -> None:
    """A file that somebody mended by hand must not end the night that reads it."""
    state.control.write_bytes(orjson.dumps({"gates": {"*": tuning}, "buffer": None, "reloads": 0}))
    assert read_control(state) is None


def test_what_tune_writes_by_hand_is_obeyed(state: StateDir) -> None:
    """The same file without a fault in it."""
    state.control.write_bytes(orjson.dumps({"gates": {"*": TUNING | {"law": "steady"}}, "buffer": None, "reloads": 2}))
    assert read_control(state) == Control({"*": Tuning(law="steady")}, reloads=2)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b'{"gates": []}', b'{"gates": {}, "buffer": -1}'])
def test_another_file_asks_nothing(state: StateDir, content: bytes) -> None:
    """As if it were not there."""
    state.control.write_bytes(content)
    assert read_control(state) is None


def test_only_the_owner_of_the_state_may_ask(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even root: its owner would not know who tunes the run. (Another user is played, tests have one.)"""
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(StateError, match=rf"only its owner \(user id {owner}\) may tune this run") as refused:
        write_control(state, ALL)
    assert refused.value.exit_code is ExitCode.CANNOT_CREATE
    assert not state.control.exists()


def test_a_state_that_is_gone_is_told(tmp_path: Path) -> None:
    """With its path, and without the system's number."""
    with pytest.raises(StateError, match=r"/gone: cannot be looked at \(No such file or directory\); check the path"):
        write_control(StateDir(tmp_path / "gone"), ALL)


@pytest.mark.parametrize("disk", [DiskThatFillsUp(10), DiskThatTakesNothing()], ids=lambda disk: type(disk).__name__)
def test_a_full_disk_leaves_what_was_asked_before(state: StateDir, disk: Disk) -> None:
    """The old file stays whole, no draft stays beside it, and whoever asked is told."""
    write_control(state, ALL)
    with pytest.raises(StateError, match=r"control\.json: cannot be written \(.+\); check the disk"):
        write_control(state, Control(), disk)
    assert read_control(state) == ALL
    assert [path.name for path in state.path.iterdir()] == ["control.json"]


@pytest.mark.parametrize(
    ("tuning", "words"),
    [
        (Tuning(), "nothing"),
        (Tuning(55.5, 2, 8, paused=True), "target CPU 55.5 %, at least 2 slots, at most 8 slots, paused"),
        (Tuning(paused=False), "not paused"),
        (Tuning(law="steady"), "law steady"),
        (Tuning(max_slots=1), "at most 1 slot"),
    ],
)
def test_a_tuning_is_told_in_words(tuning: Tuning, words: str) -> None:
    """What was not asked is not told."""
    assert tuning.in_words() == words


def test_what_is_asked_now_goes_on_top_of_what_was_asked_before() -> None:
    """Each bound by itself."""
    before = Tuning(target_cpu=50.0, max_slots=8)
    assert Tuning(max_slots=4, paused=True).over(before) == Tuning(target_cpu=50.0, max_slots=4, paused=True)
    assert Tuning().over(before) == before
