"""Asking a run for something else: only one that is at work, and on top of what was asked before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchrun.errors import ExitCode, NoRunError, StateError, UsageError
from batchrun.journal.control import Control, Tuning, read_control
from batchrun.journal.lock import Lock
from batchrun.journal.snapshot import write_snapshot
from batchrun.journal.state import StateDir
from batchrun.tuning import Asked, read_asked, tune_run


@pytest.fixture
def idle(tmp_path: Path) -> StateDir:
    """The state of a run that is over."""
    state = StateDir(tmp_path / "jobs.batchrun")
    state.create()
    write_snapshot(state, {"gates": {"claude": {}, "local": {}}})
    return state


@pytest.fixture
def at_work(idle: StateDir) -> Iterator[StateDir]:
    """The same while it works: this very process holds the lock."""
    lock = Lock.take(idle)
    yield idle
    lock.release()


# -- what stands on the command line -----------------------------------------------------------------------------------


def test_what_is_asked_is_read_as_run_reads_it() -> None:
    """Numbers from text; what was not given is not asked."""
    given = {"target_cpu": "55.5", "min_slots": None, "max_slots": "4", "paused": True, "buffer": "32"}
    assert read_asked(given) == Asked(Tuning(target_cpu=55.5, max_slots=4, paused=True), 32)
    assert read_asked({"paused": False}) == Asked(Tuning(paused=False))
    assert read_asked({"law": "steady", "reload": True}) == Asked(Tuning(law="steady"), reload=True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "nothing to change; give for example --max-slots 4"),
        ({"paused": None}, "nothing to change"),
        ({"max_slots": "many"}, "--max-slots: 'many' is no whole number above 0"),
        ({"min_slots": "0"}, "--min-slots: '0' is no whole number above 0"),
        ({"buffer": "0"}, "--buffer: '0' is no whole number above 0"),
        ({"law": "strict"}, "--law: 'strict' is not among adaptive, steady"),
        ({"target_cpu": "101"}, "--target-cpu: '101' is no number above 0 and up to 100"),
        ({"min_slots": "9", "max_slots": "8"}, "--min-slots 9 is above --max-slots 8"),
    ],
)
def test_a_slip_on_the_command_line_is_told(given: dict[str, Any], told: str) -> None:
    """Exit 2, and nothing is written."""
    with pytest.raises(UsageError) as slip:
        read_asked(given)
    assert told in str(slip.value)


# -- who can be asked --------------------------------------------------------------------------------------------------


def test_what_was_asked_adds_up(at_work: StateDir) -> None:
    """Each command changes what it names; what is asked of all is asked of those tuned alone before, too."""
    tune_run(at_work, Asked(Tuning(max_slots=4)), None)
    tune_run(at_work, Asked(Tuning(max_slots=2, paused=True)), "local")
    told = tune_run(at_work, Asked(Tuning(target_cpu=50.0, paused=False), buffer=8), None)
    every = Tuning(target_cpu=50.0, max_slots=4, paused=False)
    assert told == Control({"*": every, "local": Tuning(50.0, max_slots=2, paused=False)}, buffer=8)
    assert read_control(at_work) == told


def test_the_pipes_alone_can_be_asked(at_work: StateDir) -> None:
    """No gate is told anything."""
    assert tune_run(at_work, Asked(Tuning(), buffer=8), None) == Control({}, buffer=8)


def test_each_reload_is_counted(at_work: StateDir) -> None:
    """The run sees that it was asked once more; what was tuned stays."""
    tune_run(at_work, Asked(Tuning(max_slots=4)), None)
    for count in (1, 2):
        told = tune_run(at_work, Asked(Tuning(), reload=True), None)
        assert told == Control({"*": Tuning(max_slots=4)}, reloads=count)


def test_a_run_that_is_over_cannot_be_asked(idle: StateDir) -> None:
    """Exit 66; and the next run would not heed it."""
    with pytest.raises(NoRunError, match=r"jobs\.batchrun: no run is at work here; give the options to `batchrun run`"):
        tune_run(idle, Asked(Tuning(max_slots=4)), None)
    assert not idle.control.exists()


def test_a_backend_that_the_run_does_not_ask_is_told(at_work: StateDir) -> None:
    """Exit 2, with those that it does ask."""
    with pytest.raises(UsageError, match=r"^--backend: this run has no backend 'loca'; it has: claude, local"):
        tune_run(at_work, Asked(Tuning(max_slots=4)), "loca")
    at_work.status.unlink()
    with pytest.raises(UsageError, match="it has only begun; try again in a moment"):
        tune_run(at_work, Asked(Tuning(max_slots=4)), "claude")


def test_somebody_elses_run_is_left_alone(at_work: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 73. (Another user is played, tests have one.)"""
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(StateError, match="only its owner") as refused:
        tune_run(at_work, Asked(Tuning(max_slots=4)), None)
    assert refused.value.exit_code is ExitCode.CANNOT_CREATE
    assert not at_work.control.exists()
