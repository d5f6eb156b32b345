"""What a start finds after a bad night, and that it loses nothing which was acknowledged."""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from batchrun.journal.log import distrust_mark
from batchrun.journal.reader import read_result
from batchrun.journal.record import Header, Kind, encode_header, encode_line, encode_result
from batchrun.journal.recovery import recover
from batchrun.journal.state import StateDir
from tests.journal.builders import (
    HEADER,
    append,
    checkpoints,
    close,
    damage,
    failure,
    finished_after_restart,
    kept_aside,
    lines_of,
    outcome,
    refusal_of,
    state_in,
    text_of,
    write,
)
from tests.journal.disks import DiskInMemory, DiskUntilThePowerCut, DiskWithDiary, PowerCut

OUTCOMES = [outcome(name) for name in "abcde"]
NAMES = list("abcde")
NEXT = outcome("next")


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state directory in which five items have finished."""
    state = state_in(tmp_path)
    write(state, *OUTCOMES)
    return state


def test_a_new_state_begins_with_two_headers(tmp_path: Path) -> None:
    """Both files say first what they are (C2), and only their owner reads them (C1)."""
    state = state_in(tmp_path)
    assert write(state) == []
    assert state.checkpoint.read_bytes() == encode_header(Kind.CHECKPOINT, HEADER)
    assert state.results.read_bytes() == encode_header(Kind.RESULTS, HEADER)
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in state.path.iterdir()} == {0o600}


def test_a_restart_after_an_end_in_order_changes_nothing(state: StateDir) -> None:
    """Whole files are read and left as they are."""
    before = state.checkpoint.read_bytes(), state.results.read_bytes()
    assert write(state) == []
    assert (state.checkpoint.read_bytes(), state.results.read_bytes()) == before
    assert finished_after_restart(state, *OUTCOMES) == NAMES


# -- one file without the other (C6) -----------------------------------------------------------------------------------


def test_a_result_without_its_checkpoint_is_adopted(state: StateDir) -> None:
    """It is paid: killed between the two writes, the item is not asked again."""
    damage(state.results, lambda data: data + encode_result(NEXT))
    [notice] = write(state)
    assert "1 answers" in notice
    assert finished_after_restart(state, *OUTCOMES, NEXT) == [*NAMES, "next"]
    assert read_result(state, checkpoints(state)[-1])["text"] == text_of("next")


def test_an_adopted_answer_is_durable_before_its_checkpoint_is_written(state: StateDir) -> None:
    """The order of writes holds for a start as it does for a run (C5), and ends with a sync."""
    damage(state.results, lambda data: data + encode_result(NEXT))
    disk = DiskWithDiary()
    write(state, disk=disk)
    written = disk.diary.index(("write", "checkpoint.jsonl"))
    assert ("sync", "results.jsonl") in disk.diary[:written]
    assert ("sync", "checkpoint.jsonl") in disk.diary[written:]


def test_names_that_a_killed_run_left_are_made_durable(state: StateDir) -> None:
    """A file may be older than the sync of its name: nothing is written before that (C11)."""
    disk = DiskWithDiary()
    write(state, NEXT, disk=disk)
    assert disk.diary[: disk.diary.index(("write", "results.jsonl"))].count(("sync", "directory")) == 2


def test_all_checkpoints_can_be_rebuilt_from_the_results(state: StateDir) -> None:
    """checkpoint.jsonl deleted: every number in it comes back."""
    before = checkpoints(state)
    state.checkpoint.unlink()
    write(state)
    assert checkpoints(state) == before


@pytest.mark.parametrize("lost", ["checkpoint.jsonl", "results.jsonl"])
def test_a_lost_header_comes_back_from_the_other_file(state: StateDir, lost: str) -> None:
    """Whether the answers are simulated is said there: a real run must not take them for its own (C2)."""
    (state.path / lost).unlink()
    close(recover(state, replace(HEADER, run="another", simulated=True)))
    kind = Kind(lost.removesuffix(".jsonl"))
    assert lines_of(state.path / lost)[0] == encode_header(kind, HEADER)


SIMULATED = replace(HEADER, run="another", simulated=True)


@pytest.mark.parametrize("wanted", [HEADER, SIMULATED], ids=["real", "simulated"])
def test_files_without_a_record_are_begun_anew_for_the_other_kind_of_answers(tmp_path: Path, wanted: Header) -> None:
    """A run that found no key, or answered nothing, has said nothing that binds the next one (C2)."""
    state = state_in(tmp_path)
    close(recover(state, SIMULATED if wanted is HEADER else HEADER))
    recovered = recover(state, wanted)
    append(recovered, NEXT)
    close(recovered)
    assert lines_of(state.checkpoint)[0] == encode_header(Kind.CHECKPOINT, wanted)
    assert lines_of(state.results)[0] == encode_header(Kind.RESULTS, wanted)
    assert [record.id for record in checkpoints(state)] == ["next"]


def test_a_start_that_is_killed_while_it_begins_files_anew_leaves_no_mixture(tmp_path: Path) -> None:
    """At each step: whatever the next start wants, both headers say it before a record is written."""
    for step, wanted in product(range(40), (HEADER, SIMULATED)):
        state = state_in(tmp_path / f"{step} {wanted.run}")
        close(recover(state, HEADER, DiskInMemory()))
        disk = DiskUntilThePowerCut(step, tears_writes=True)
        with suppress(PowerCut):
            close(recover(state, SIMULATED, disk))
        close(recover(state, wanted, DiskInMemory()))
        heads = [lines_of(path)[0] for path in (state.checkpoint, state.results)]
        assert [b'"simulated":true' in head for head in heads] == [wanted.simulated] * 2
        assert not list(state.path.glob("*.bad-*"))
    assert not disk.is_gone, "so many steps are not all of them"


@pytest.mark.parametrize("name", ["checkpoint.jsonl", "results.jsonl"])
def test_a_file_that_holds_more_than_a_header_is_not_begun_anew(state: StateDir, name: str) -> None:
    """An answer whose other half is lost, and damage in which one may stand, are no empty state."""
    other = state.results if name == "checkpoint.jsonl" else state.checkpoint
    damage(other, lambda data: encode_header(Kind(other.stem), HEADER))
    damage(state.path / name, lambda data: data.replace(b'"done"', b'"dome"'))
    close(recover(state, SIMULATED))
    assert lines_of(state.results)[0] == encode_header(Kind.RESULTS, HEADER)


def test_a_checkpoint_without_its_result_is_asked_again(state: StateDir) -> None:
    """There is no answer to show; the records are kept aside, and it is said."""
    state.results.unlink()
    notices = write(state)
    assert finished_after_restart(state, *OUTCOMES) == []
    assert any("5 of its records have no valid result" in notice for notice in notices)
    assert kept_aside(state).count(b'"crc"') == 5


def test_an_adopted_failure_is_counted_once(tmp_path: Path) -> None:
    """However often the start is repeated, a transient failure of one run stays one."""
    state = state_in(tmp_path)
    write(state, failure("a"))
    damage(state.results, lambda data: data + encode_result(failure("a")))
    for _ in range(3):
        write(state)
    recovered = recover(state, HEADER)
    close(recovered)
    entry = recovered.finished.entry("a")
    assert entry is not None
    assert (entry.failed_runs, entry.final) == (2, False)


def test_a_line_written_twice_is_counted_once(tmp_path: Path) -> None:
    """The result is the event; a second checkpoint of it is none."""
    state = state_in(tmp_path)
    write(state, failure("a"))
    damage(state.checkpoint, lambda data: data + b"".join(lines_of(state.checkpoint)[1:]) * 5)
    assert finished_after_restart(state, failure("a")) == []


# -- foreign files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b'{"custom_id": "a"}\n{"custom_id": "b"}\n',
        b"SQLite format 3\0" + b"\0" * 100,
        b"\n\n",
        encode_line({"batchrun": "checkpoint", "version": 99}),
        encode_header(Kind.RESULTS, HEADER),
    ],
    ids=["another tool's", "a database", "blank lines", "a newer version", "the other of our files"],
)
def test_a_foreign_file_is_refused_and_left_untouched(tmp_path: Path, content: bytes) -> None:
    """Nobody's file is overwritten; the message names it and says what to do."""
    state = state_in(tmp_path)
    state.checkpoint.write_bytes(content)
    refusal = refusal_of(state)
    assert str(state.checkpoint) in refusal
    assert "--state DIR" in refusal
    assert state.checkpoint.read_bytes() == content
    assert not state.results.exists()


# -- a disk that has lied (C9), and starts that are killed -------------------------------------------------------------


def test_after_a_failed_fsync_both_files_can_be_written_anew(state: StateDir) -> None:
    """A distrusted file is copied, synced and renamed before anything is appended; the mark goes last."""
    for path in (state.results, state.checkpoint):
        distrust_mark(path).touch()
    before = state.results.stat().st_ino
    disk = DiskWithDiary()
    notices = write(state, NEXT, disk=disk)
    assert len(notices) == 2
    assert state.results.stat().st_ino != before
    assert not list(state.path.glob("*.distrust"))
    assert finished_after_restart(state, *OUTCOMES, NEXT) == [*NAMES, "next"]
    replaced = disk.diary.index(("replace", "results.jsonl"))
    assert disk.diary[replaced - 1 : replaced + 2] == [
        ("sync", "results.jsonl.new"),
        ("replace", "results.jsonl"),
        ("sync", "directory"),
    ]


def test_a_distrusted_diary_of_runs_is_written_anew_too(state: StateDir) -> None:
    """Its mark does not stay for ever, and what it says stays."""
    state.runs.write_bytes(b"a line\n")
    distrust_mark(state.runs).touch()
    assert [notice.partition(":")[0] for notice in write(state)] == ["runs.jsonl"]
    assert state.runs.read_bytes() == b"a line\n"
    assert not list(state.path.glob("*.distrust"))


def torn_checkpoint(state: StateDir) -> None:
    damage(state.checkpoint, lambda data: data[:-30])


def torn_result(state: StateDir) -> None:
    damage(state.results, lambda data: data + encode_result(NEXT)[:-9])


def torn_both(state: StateDir) -> None:
    torn_checkpoint(state)
    torn_result(state)


def bad_middle(state: StateDir) -> None:
    damage(state.checkpoint, lambda data: data.replace(b'"done"', b'"d\0ne"', 2))


def distrusted(state: StateDir) -> None:
    torn_both(state)
    distrust_mark(state.results).touch()
    distrust_mark(state.checkpoint).touch()


def no_checkpoints(state: StateDir) -> None:
    state.checkpoint.unlink()


TROUBLES = [torn_checkpoint, torn_result, torn_both, bad_middle, distrusted, no_checkpoints]


@pytest.mark.parametrize("tears_writes", [False, True], ids=["before", "in the middle"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_start_can_be_killed_at_each_step(
    tmp_path: Path, trouble: Callable[[StateDir], None], tears_writes: bool
) -> None:
    """Whatever is being mended, and wherever the mending ends, the next start finds everything."""
    for step in range(200):
        state = StateDir(tmp_path / f"{step}.batchrun")
        state.create()
        write(state, *OUTCOMES, disk=DiskInMemory())
        trouble(state)
        disk = DiskUntilThePowerCut(step, tears_writes=tears_writes)
        try:
            write(state, NEXT, disk=disk)
        except PowerCut:
            write(state, NEXT, disk=DiskInMemory())
        assert finished_after_restart(state, *OUTCOMES, NEXT, disk=DiskInMemory()) == [*NAMES, "next"]
        if not disk.is_gone:
            assert step > 5
            return
    pytest.fail("the start never came to its end")
