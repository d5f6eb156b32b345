"""What a run does when the disk refuses, lies or is taken away: it stops, says so, and loses nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from batchrun.errors import ExitCode, JournalError
from batchrun.journal import writer
from batchrun.journal.log import distrust_mark
from batchrun.journal.record import encode_result
from batchrun.journal.state import StateDir
from tests.journal.builders import finished_after_restart, ids, outcome, state_in, write
from tests.journal.commits import commit_all, failures_of, open_journal
from tests.journal.disks import DiskThatCannotSync, DiskThatFillsUp, DiskThatTakesLittle, DiskThatTakesNothing

MANY = [outcome(str(number)) for number in range(20)]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "jobs.batchrun")


async def test_a_disk_that_takes_little_at_a_time_is_no_trouble(state: StateDir) -> None:
    """Short writes are looped (C1)."""
    with open_journal(state, DiskThatTakesLittle(7)) as journal:
        await commit_all(journal, *MANY[:20])
    assert finished_after_restart(state, *MANY) == [each.id for each in MANY[:20]]


async def test_a_disk_that_takes_nothing_ends_the_run(state: StateDir) -> None:
    """A write that neither goes on nor fails would be waited for till the morning."""
    write(state_in(state.path.parent))
    with pytest.raises(JournalError, match="space"):
        write(state, outcome("a"), disk=DiskThatTakesNothing())


@pytest.mark.parametrize("room", range(0, 12_000, 571))
async def test_a_full_disk_is_resumable(state: StateDir, room: int) -> None:
    """Wherever it fills up: every commit that returned is there after the restart, the others are asked again (C10)."""
    open_journal(state).close()
    returned: list[str] = []
    with open_journal(state, DiskThatFillsUp(room)) as journal:
        for each in MANY[:12]:
            if not await failures_of(journal, each):
                returned.append(each.id)
        if len(returned) < 12:
            assert journal.failure is not None
            assert journal.failure.exit_code is ExitCode.IO_ERROR
            assert "free some space" in str(journal.failure)
    assert len(returned) < 12 or room > 10_000
    assert {*returned} <= {*finished_after_restart(state, *MANY)}
    with open_journal(state) as journal:
        todo = [each for each in MANY[:12] if not journal.finished.is_finished(each.id, each.request)]
        await commit_all(journal, *todo)
    assert sorted(ids(state)) == sorted(each.id for each in MANY[:12])


async def test_whole_answers_before_the_torn_one_are_kept(state: StateDir) -> None:
    """A batch that the disk took in part is cut behind its last whole record: those answers are paid (C1, C6)."""
    open_journal(state).close()
    size = len(encode_result(MANY[0]))
    with open_journal(state, DiskThatFillsUp(size * 3 + size // 2)) as journal:
        assert await failures_of(journal, *MANY[:6]) == 6
        assert journal.failure is not None
    assert state.results.read_bytes().endswith(b"}\n")
    assert finished_after_restart(state, *MANY) == ["0", "1", "2"]


async def test_after_a_failure_nothing_is_taken(state: StateDir) -> None:
    """There is no room any more, waiting for it is an error, and so is every commit."""
    open_journal(state).close()
    with open_journal(state, DiskThatFillsUp(0)) as journal:
        assert await failures_of(journal, *MANY[:10]) == 10
        assert not journal.has_room()
        with pytest.raises(JournalError):
            await journal.wait_for_room()
        assert await failures_of(journal, outcome("later")) == 1


async def test_those_who_wait_for_room_hear_of_the_failure(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """An admission that waits for a full queue does not wait for ever."""
    monkeypatch.setattr(writer, "MAX_WAITING_RECORDS", 1)
    open_journal(state).close()
    with open_journal(state, DiskThatFillsUp(0)) as journal:

        async def is_told() -> bool:
            with pytest.raises(JournalError):
                await journal.wait_for_room()
            return True

        async with asyncio.TaskGroup() as group:
            group.create_task(failures_of(journal, outcome("a")))
            await asyncio.sleep(0)
            room = group.create_task(is_told())
        assert room.result()


@pytest.mark.parametrize("name", ["results.jsonl", "checkpoint.jsonl"])
async def test_after_a_failed_sync_the_file_is_not_trusted(state: StateDir, name: str) -> None:
    """The commit fails, the run ends with 74, and the next start writes the file anew first (C9)."""
    disk = DiskThatCannotSync(name)
    with open_journal(state, disk) as journal:
        await journal.commit(outcome("before"))
        disk.is_broken = True
        assert await failures_of(journal, outcome("during"), outcome("too")) == 2
        assert await failures_of(journal, outcome("after")) == 1
    assert distrust_mark(state.path / name).exists()
    with open_journal(state) as journal:
        assert any("written anew" in notice for notice in journal.notices)
        assert journal.finished.is_finished("before", outcome("before").request)
    assert not distrust_mark(state.path / name).exists()


def removed(state: StateDir) -> None:
    shutil.rmtree(state.path)


def moved(state: StateDir) -> None:
    state.path.rename(state.path.with_name("elsewhere"))


def replaced(state: StateDir) -> None:
    shutil.copy(state.results, state.path / "copy")
    (state.path / "copy").rename(state.results)


def emptied(state: StateDir) -> None:
    os.truncate(state.results, 0)


def written_by_another(state: StateDir) -> None:
    with state.results.open("ab") as file:
        file.write(b"somebody was here\n")


@pytest.mark.parametrize(
    ("happened", "remedy"),
    [
        (removed, "bring the state directory back"),
        (moved, "bring the state directory back"),
        (replaced, "bring the state directory back"),
        (emptied, "another program"),
        (written_by_another, "another program"),
    ],
)
async def test_a_file_that_is_no_longer_ours_ends_the_run(
    state: StateDir, happened: Callable[[StateDir], None], remedy: str
) -> None:
    """Bytes for a file that nobody can find are no answers, and between those of another writer none can be found."""
    with open_journal(state) as journal:
        await journal.commit(outcome("before"))
        happened(state)
        assert await failures_of(journal, outcome("after")) == 1
        assert remedy in str(journal.failure)
        assert "run the same command again" in str(journal.failure)


async def test_what_another_program_wrote_between_answers_costs_none(state: StateDir) -> None:
    """The next start finds the answers on both sides, and says what lies between them (C8)."""
    with open_journal(state) as journal:
        await journal.commit(outcome("before"))
        written_by_another(state)
        assert await failures_of(journal, outcome("after")) == 1
    assert finished_after_restart(state, outcome("before"), outcome("after")) == ["before", "after"]
