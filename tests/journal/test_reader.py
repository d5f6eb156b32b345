"""Readers see what has finished so far, whatever the writer is doing, and change nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batchrun.errors import JournalError, NoRunError
from batchrun.journal.reader import read_checkpoints, read_result
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from tests.journal.builders import HEADER, checkpoints, damage, ids, outcome, state_in, text_of, write

OUTCOMES = [outcome(name) for name in "abc"]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state directory in which three items have finished."""
    state = state_in(tmp_path)
    write(state, *OUTCOMES)
    return state


async def test_reading_while_a_run_writes(tmp_path: Path) -> None:
    """No lock is taken and none is waited for (C15): each finished item is seen at once."""
    state = state_in(tmp_path)
    with Journal.open(state, HEADER) as journal:
        seen = [ids(state)]
        for each in OUTCOMES:
            await journal.commit(each)
            seen.append(ids(state))
    assert seen == [[], ["a"], ["a", "b"], ["a", "b", "c"]]


def test_a_torn_last_line_is_the_end(state: StateDir) -> None:
    """Wherever the writer is in its line, the lines before it are read, and nothing is called damage."""
    whole = state.checkpoint.read_bytes()
    for cut in range(len(whole)):
        state.checkpoint.write_bytes(whole[:cut])
        reading = read_checkpoints(state)
        assert [each.id for each in reading] == list("abc")[: max(0, whole.count(b"\n", 0, cut) - 1)]
        assert reading.damage == []
    assert state.checkpoint.read_bytes() == whole[:-1]


def test_damage_in_the_middle_is_skipped_and_told(state: StateDir) -> None:
    """The lines on both sides are read (C8); where the damage is, and how much, is there to be printed."""
    damage(state.checkpoint, lambda data: data.replace(b'"id":"b"', b'"id":"X"'))
    reading = read_checkpoints(state)
    assert [each.id for each in reading] == ["a", "c"]
    [found] = reading.damage
    assert (found.file, found.offset) == ("checkpoint.jsonl", state.checkpoint.read_bytes().index(b'{"id":"X"'))
    assert str(found.length) in str(found)


def test_a_reading_can_be_repeated(state: StateDir) -> None:
    """Each iteration reads the file anew."""
    reading = read_checkpoints(state)
    assert len(list(reading)) == 3
    write(state, outcome("d"))
    assert len(list(reading)) == 4


def test_where_no_run_has_written_there_is_nothing(tmp_path: Path) -> None:
    """A directory without a checkpoint has none; that is no error."""
    assert ids(state_in(tmp_path)) == []


def test_a_file_that_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    """One error of ours, with the path in it."""
    state = state_in(tmp_path)
    state.checkpoint.mkdir()
    with pytest.raises(NoRunError, match="checkpoint"):
        ids(state)


def test_each_checkpoint_leads_to_its_answer(state: StateDir) -> None:
    """Offset and length point to the very line."""
    assert [read_result(state, each)["text"] for each in checkpoints(state)] == [text_of(id) for id in "abc"]


@pytest.mark.parametrize("change", ["damaged", "another's", "cut", "gone"])
def test_an_answer_that_is_not_there_is_told_so(state: StateDir, change: str) -> None:
    """A damaged answer is never shown for a whole one, nor one item's for another's."""
    [_, second, third] = checkpoints(state)
    match change:
        case "damaged":
            damage(state.results, lambda data: data.replace(b"answer to c", b"answer to C"))
        case "another's":
            third = replace(third, result=second.result)
        case "cut":
            damage(state.results, lambda data: data[:-10])
        case _:
            state.results.unlink()
    with pytest.raises(JournalError, match="results"):
        read_result(state, third)
