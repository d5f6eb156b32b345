"""A commit returns when its outcome is durable, never before, and trouble reaches everyone who waits."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from batchrun.errors import ExitCode, JournalError, LockHeldError, StateError
from batchrun.journal import writer
from batchrun.journal.finished import Standing
from batchrun.journal.reader import read_result
from batchrun.journal.state import StateDir
from batchrun.outcome import Status
from tests.journal.builders import (
    checkpoints,
    failure,
    finished_after_restart,
    ids,
    outcome,
    refusal_of,
    text_of,
)
from tests.journal.commits import commit_all, failures_of, open_journal
from tests.journal.disks import (
    DiskThatKnowsNames,
    DiskWithDiary,
)

MANY = [outcome(str(number)) for number in range(200)]


class DiskThatWaitsForPermission(DiskThatKnowsNames):
    """Its syncs hang until they are let go: what gathers meanwhile can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go = threading.Event()
        self.is_asked = threading.Event()
        self.syncs = 0

    def sync(self, fd: int) -> None:
        if self.names[fd] == "results.jsonl" and threading.current_thread() is not threading.main_thread():
            self.is_asked.set()
            self.may_go.wait()
            self.syncs += 1
        super().sync(fd)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "jobs.batchrun")


async def test_a_commit_returns_after_both_files_are_durable(state: StateDir) -> None:
    """Result, sync, checkpoint, sync, and only then is the item finished (C5)."""
    disk = DiskWithDiary()
    with open_journal(state, disk) as journal:
        disk.diary.clear()
        await journal.commit(outcome("a"))
        at_return = list(disk.diary)
    assert at_return == [
        ("write", "results.jsonl"),
        ("sync", "results.jsonl"),
        ("write", "checkpoint.jsonl"),
        ("sync", "checkpoint.jsonl"),
    ]


async def test_what_was_committed_is_there_after_a_restart(state: StateDir) -> None:
    """Answers of every kind, each with its own text."""
    outcomes = [*MANY, failure("failed", final=True), outcome("refused", status=Status.REFUSED)]
    with open_journal(state) as journal:
        await commit_all(journal, *outcomes)
    assert finished_after_restart(state, *outcomes) == [each.id for each in outcomes]
    for checkpoint in checkpoints(state)[:200]:
        assert read_result(state, checkpoint)["text"] == text_of(checkpoint.id)


async def test_the_index_knows_what_was_committed(state: StateDir) -> None:
    """`finished` tells at any time what is on disk."""
    with open_journal(state) as journal:
        assert journal.finished.look_up("a", outcome("a").request)[0] is Standing.PENDING
        await journal.commit(outcome("a"))
        assert journal.finished.look_up("a", outcome("a").request)[0] is Standing.FINISHED


async def test_many_commits_share_few_syncs(state: StateDir) -> None:
    """What gathers during one commit is the next one (C12)."""
    disk = DiskThatWaitsForPermission()
    with open_journal(state, disk) as journal:
        async with asyncio.TaskGroup() as group:
            group.create_task(journal.commit(outcome("first")))
            await asyncio.to_thread(disk.is_asked.wait)
            for each in MANY:
                group.create_task(journal.commit(each))
            await asyncio.sleep(0)  # each has handed in its outcome now
            disk.may_go.set()
    assert disk.syncs == 2
    assert len(ids(state)) == 201


async def test_a_full_queue_stops_admission_but_takes_what_is_paid(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the bound there is no room, commits go through all the same, and room comes back with the next commit."""
    monkeypatch.setattr(writer, "MAX_WAITING_RECORDS", 3)
    disk = DiskThatWaitsForPermission()
    with open_journal(state, disk) as journal:
        async with asyncio.TaskGroup() as group:
            for each in MANY[:5]:
                group.create_task(journal.commit(each))
            room = group.create_task(journal.wait_for_room())
            await asyncio.sleep(0)
            assert not journal.has_room()
            assert not room.done()
            disk.may_go.set()
        assert journal.has_room()
    assert len(ids(state)) == 5


async def test_large_answers_fill_the_queue_too(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound in bytes keeps a hanging disk from eating the memory."""
    monkeypatch.setattr(writer, "MAX_WAITING_BYTES", 10_000)
    disk = DiskThatWaitsForPermission()
    with open_journal(state, disk) as journal:
        async with asyncio.TaskGroup() as group:
            group.create_task(journal.commit(outcome("a", text="x" * 10_000)))
            await asyncio.sleep(0)
            assert not journal.has_room()
            disk.may_go.set()
        assert journal.has_room()


async def test_a_cancelled_commit_is_written_all_the_same(state: StateDir) -> None:
    """Whoever stops waiting does not take back an answer that is paid."""
    disk = DiskThatWaitsForPermission()
    with open_journal(state, disk) as journal:
        async with asyncio.TaskGroup() as group:
            commit = group.create_task(journal.commit(outcome("a")))
            await asyncio.to_thread(disk.is_asked.wait)
            commit.cancel()
            disk.may_go.set()
        await journal.commit(outcome("b"))
    assert ids(state) == ["a", "b"]


async def test_closing_commits_what_waits(state: StateDir) -> None:
    """The end of a run loses nothing that was handed in; closing twice is fine; later commits are refused."""
    journal = open_journal(state)
    async with asyncio.TaskGroup() as group:
        for each in MANY:
            group.create_task(journal.commit(each))
        await asyncio.sleep(0)
        journal.close()
    journal.close()
    assert len(ids(state)) == 200
    with pytest.raises(JournalError, match="closed"):
        await journal.commit(outcome("late"))


async def test_only_one_journal_is_open_at_a_time(state: StateDir) -> None:
    """The second one is refused at once, and served after the first has closed (C14)."""
    with open_journal(state), pytest.raises(LockHeldError):
        open_journal(state)
    open_journal(state).close()


async def test_a_fault_of_our_own_leaves_nobody_waiting(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the writer's thread fails the commits as a refusal of the disk would."""

    class Bug(Exception):
        pass

    def fails(*_: object) -> bytes:
        raise Bug

    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    monkeypatch.setattr(writer, "encode_checkpoint", fails)
    with open_journal(state) as journal:
        assert await failures_of(journal, *MANY[:3]) == 3
    assert seen == [Bug]


def test_a_state_that_cannot_be_made_is_told_so(tmp_path: Path) -> None:
    """A file in its place, or a parent that is one: exit 73 and what to do."""
    in_the_way = tmp_path / "jobs.batchrun"
    in_the_way.write_text("mine")
    for path in (in_the_way, in_the_way / "below.batchrun"):
        with pytest.raises(StateError, match="--state DIR") as raised:
            open_journal(StateDir(path))
        assert raised.value.exit_code is ExitCode.CANNOT_CREATE


def test_a_start_that_fails_gives_the_lock_back(state: StateDir) -> None:
    """A refusal of the files does not look like a run that lives."""
    state.create()
    state.checkpoint.write_text("somebody else's\n")
    for _ in range(2):
        with pytest.raises(JournalError, match="not a file of this batchrun"):
            open_journal(state)
    assert refusal_of(state)


def test_no_descriptor_reaches_a_child(state: StateDir) -> None:
    """Files and lock are closed on exec: a consumer that outlives the run holds nothing of it (C14)."""
    disk = DiskThatKnowsNames()
    with open_journal(state, disk):
        ours = {path.stat().st_ino: path.name for path in state.path.iterdir()}
        held = {fd: inode for fd in range(3, 200) if (inode := _inode(fd)) in ours}
        assert {ours[inode] for inode in held.values()} == {"checkpoint.jsonl", "results.jsonl", "lock"}
        assert not any(os.get_inheritable(fd) for fd in held)


def _inode(fd: int) -> int | None:
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return None
